//! What an address names, or that it is not known.

use std::net::Ipv4Addr;

use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::take::TakeName;

use super::answer::Refused;
use crate::snapshot::{NodeView, Snapshot, TakeSummary};

/// The take of this name, with its files here.
pub(super) fn take<'a>(takes: &'a [TakeSummary], name: &str) -> Result<&'a TakeSummary, Refused> {
    let name = TakeName::new(name).map_err(Refusal::from)?;
    takes.iter().find(|take| take.take == name).ok_or_else(|| {
        Refusal::new(ErrorCode::UnknownTake, format!("there is no take {name} in the downloads folder")).into()
    })
}

/// The node of this address.
pub(super) fn node<'a>(snapshot: &'a Snapshot, ip: &str) -> Result<&'a NodeView, Refused> {
    let ip: Ipv4Addr = ip.parse().map_err(|_| Refused::not_found("the address of a node is an IPv4 address"))?;
    let stranger = || Refused::not_found(format!("{ip} is no node that was ever heard of"));
    snapshot.nodes.iter().find(|node| node.ip == ip).ok_or_else(stranger)
}
