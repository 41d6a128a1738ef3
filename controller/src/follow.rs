//! Fetching a take while it rolls: which nodes have closed a file since the last look. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use syncslate_shared::protocol::Take;
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Mono;

use crate::fleet::Fleet;

/// A node says that it writes the next file before the digest of the last one is on its disk.
const SETTLE: Duration = Duration::from_secs(1);

/// The take that is followed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Follow {
    id: Option<TakeId>,
    nodes: BTreeMap<Ipv4Addr, Tail>,
}

#[derive(Clone, Debug, PartialEq)]
struct Tail {
    /// The file it writes.
    segment: u32,
    /// When it was first heard to write that one.
    since: Mono,
    /// Those before this one have been asked for.
    fetched: u32,
}

impl Follow {
    /// Hears what rolls and what the nodes write; gives the nodes that are new in the take.
    pub(crate) fn look(&mut self, now: Mono, rolling: Option<&Take>, fleet: &Fleet) -> Vec<Ipv4Addr> {
        let Some(take) = rolling else {
            *self = Self::default();
            return Vec::new();
        };
        if self.id.as_ref() != Some(&take.id) {
            *self = Self { id: Some(take.id.clone()), nodes: BTreeMap::new() };
        }
        let mut new = Vec::new();
        for ip in &take.nodes {
            let segment = fleet.segment(*ip, &take.id).unwrap_or(0);
            let tail = self.nodes.entry(*ip).or_insert_with(|| {
                new.push(*ip);
                Tail { segment: 0, since: now, fetched: 0 }
            });
            if segment > tail.segment {
                (tail.segment, tail.since) = (segment, now);
            }
        }
        new
    }

    /// The take that is followed on this node.
    pub(crate) fn take_on(&self, ip: Ipv4Addr) -> Option<&TakeId> {
        self.id.as_ref().filter(|_| self.nodes.contains_key(&ip))
    }

    /// Whether a node has closed files that were not asked for.
    pub(crate) fn is_due(&self, now: Mono, ip: Ipv4Addr) -> bool {
        self.nodes.get(&ip).is_some_and(|tail| tail.segment > tail.fetched && now.since(tail.since) >= SETTLE)
    }

    /// They are asked for.
    pub(crate) fn begun(&mut self, ip: Ipv4Addr) {
        if let Some(tail) = self.nodes.get_mut(&ip) {
            tail.fetched = tail.segment;
        }
    }

    /// They did not come.
    pub(crate) fn broke(&mut self, ip: Ipv4Addr) {
        if let Some(tail) = self.nodes.get_mut(&ip) {
            tail.fetched = 0;
        }
    }
}
