//! What a wish for footage comes to, once the nodes have said what they have: the takes, their nodes, and the nodes
//! that should have had something to say. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::files::Base;
use syncslate_shared::protocol::{DownloadState, NodeDownload};
use syncslate_shared::take::{TakeId, TakeName};

use crate::errand::{Listings, RemoteFile};
use crate::fleet::Fleet;
use crate::snapshot::TakeSummary;
use crate::takes::Takes;
use crate::which::Which;

/// What the downloads need to know of the rest.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The takes.
    pub takes: &'a Takes,
    /// The nodes.
    pub fleet: &'a Fleet,
    /// What is here.
    pub library: &'a [TakeSummary],
}

/// A take to fetch.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its name.
    pub take: TakeName,
    /// The newest take of that name that was found.
    pub newest: Option<TakeId>,
    /// From each node: queued, or failed already with its reason.
    pub parts: BTreeMap<Ipv4Addr, NodeDownload>,
}

type Found<'a> = BTreeMap<TakeName, BTreeMap<Ipv4Addr, Vec<(TakeId, &'a RemoteFile)>>>;

/// Chooses what to fetch for a wish: `take`, or everything that is not here; of its name only `which`; from `nodes`, or
/// from all.
///
/// # Errors
/// Nobody has the take, or nobody could be asked.
pub fn choose(
    take: Option<&TakeName>,
    nodes: Option<&[Ipv4Addr]>,
    which: &Which,
    listings: &Listings,
    around: Around<'_>,
) -> Result<Vec<Wanted>, Refusal> {
    let asked = |ip: &Ipv4Addr| nodes.is_none_or(|nodes| nodes.contains(ip));
    let (mut found, mut silent) = (Found::new(), BTreeMap::new());
    for (ip, listing) in listings.iter().filter(|(ip, _)| asked(ip)) {
        match listing {
            Ok(files) => collect(*ip, files, which, around, &mut found),
            Err(why) => {
                silent.insert(*ip, why.as_str());
            }
        }
    }
    match take {
        Some(name) => named(name, nodes, found.remove(name), listings, &silent, around).map(|wanted| vec![wanted]),
        None if !silent.is_empty() && silent.len() == listings.keys().filter(|ip| asked(ip)).count() => Err(
            Refusal::new(ErrorCode::NoNodes, format!("no node could be asked for its footage: {}", reasons(&silent))),
        ),
        None => {
            let here = by_name(around.library);
            let missing = |(name, nodes)| {
                let here = here.get(&name).map_or(&[][..], Vec::as_slice);
                missing(name, nodes, here, &silent, around)
            };
            Ok(found.into_iter().filter_map(missing).collect())
        }
    }
}

fn collect<'a>(ip: Ipv4Addr, files: &'a [RemoteFile], which: &Which, around: Around<'_>, found: &mut Found<'a>) {
    let rolling = around.takes.rolling().map(|take| &take.id);
    for file in files {
        if let Some((base, _)) = Base::parse(&file.name)
            && base.ip == ip
            && rolling != Some(&base.id)
            && which.holds(&base.id.stamp)
        {
            found.entry(base.id.name.clone()).or_default().entry(ip).or_default().push((base.id, file));
        }
    }
}

fn named(
    name: &TakeName,
    nodes: Option<&[Ipv4Addr]>,
    found: Option<BTreeMap<Ipv4Addr, Vec<(TakeId, &RemoteFile)>>>,
    listings: &Listings,
    silent: &BTreeMap<Ipv4Addr, &str>,
    around: Around<'_>,
) -> Result<Wanted, Refusal> {
    let Some(found) = found else {
        let mut message = format!("no node has footage of a take `{name}`");
        if !silent.is_empty() {
            message = format!("{message}; these could not be asked: {}", reasons(silent));
        }
        return Err(Refusal::new(ErrorCode::UnknownTake, message));
    };
    let newest = found.values().flatten().map(|(id, _)| id).max_by_key(|id| &id.stamp).cloned();
    let mut parts: BTreeMap<_, _> = found.iter().map(|(ip, files)| (*ip, queued(files))).collect();
    for (ip, why) in silent {
        // A node that is gone for good must not spoil each download: only one that should have footage counts.
        let expected = around.takes.recorded(name, *ip).unwrap_or_else(|| around.fleet.is_online(*ip));
        if expected || nodes.is_some() {
            parts.insert(*ip, failed(why));
        }
    }
    for ip in nodes.into_iter().flatten().filter(|ip| listings.contains_key(ip)) {
        parts.entry(*ip).or_insert_with(|| failed("it has no footage of this take"));
    }
    Ok(Wanted { take: name.clone(), newest, parts })
}

/// What is here under each name. A take that was renamed here lies in a folder of another name; its files are called as
/// they were.
fn by_name(library: &[TakeSummary]) -> BTreeMap<TakeName, Vec<&TakeSummary>> {
    let mut all: BTreeMap<TakeName, Vec<&TakeSummary>> = BTreeMap::new();
    for summary in library {
        let names: BTreeSet<_> = summary.ids.iter().map(|id| &id.name).chain([&summary.take]).collect();
        for name in names {
            all.entry(name.clone()).or_default().push(summary);
        }
    }
    all
}

/// Of a take that was found, what is not here; `None` when all is. `held` is what is here under its name.
fn missing(
    name: TakeName,
    found: BTreeMap<Ipv4Addr, Vec<(TakeId, &RemoteFile)>>,
    held: &[&TakeSummary],
    silent: &BTreeMap<Ipv4Addr, &str>,
    around: Around<'_>,
) -> Option<Wanted> {
    let here = |ip: Ipv4Addr| {
        let nodes = held.iter().flat_map(|summary| &summary.nodes);
        nodes.filter(move |node| node.ip == ip).flat_map(|node| &node.files)
    };
    let is_here = |ip, file: &RemoteFile| here(ip).any(|f| f.name == file.name && f.bytes == file.bytes);
    let newest = found.values().flatten().map(|(id, _)| id).max_by_key(|id| &id.stamp).cloned();
    let lacking =
        |(ip, files): &(Ipv4Addr, Vec<(TakeId, &RemoteFile)>)| !files.iter().all(|(_, file)| is_here(*ip, file));
    let mut parts: BTreeMap<_, _> = found.into_iter().filter(lacking).map(|(ip, files)| (ip, queued(&files))).collect();
    for (ip, why) in silent {
        if around.takes.recorded(&name, *ip) == Some(true) && here(*ip).next().is_none() {
            parts.insert(*ip, failed(why));
        }
    }
    (!parts.is_empty()).then_some(Wanted { take: name, newest, parts })
}

/// A part that waits for its turn.
pub fn queued(files: &[(TakeId, &RemoteFile)]) -> NodeDownload {
    let total_bytes = files.iter().map(|(_, file)| file.bytes).sum();
    NodeDownload::new(DownloadState::Queued, files.len() as u64, total_bytes)
}

fn failed(why: &str) -> NodeDownload {
    NodeDownload { error: Some(why.to_owned()), ..NodeDownload::new(DownloadState::Failed, 0, 0) }
}

fn reasons(silent: &BTreeMap<Ipv4Addr, &str>) -> String {
    silent.iter().map(|(ip, why)| format!("{ip}: {why}")).collect::<Vec<_>>().join("; ")
}
