//! What programs get: the snapshot as JSON, without the long lists of files. Pure.

use std::net::Ipv4Addr;

use serde::Serialize;
use syncslate_shared::protocol::{CurrentTake, Download, Marks};
use syncslate_shared::take::{TakeId, TakeName};
use syncslate_shared::time::Wall;

use crate::snapshot::{NodeView, RECENT, Set, Snapshot, SyncSummary, TakeSummary};

/// `GET /api/state`, and the first event of `GET /api/events`.
#[derive(Debug, Serialize)]
pub(super) struct State<'a> {
    take: &'a CurrentTake,
    marks: &'a Marks,
    nodes: &'a [NodeView],
    /// What is wished of them, and the length of segments.
    cameras: &'a Set,
    downloads: &'a [Download],
    /// The newest ones.
    takes: Vec<Brief<'a>>,
    next_name: &'a TakeName,
    proposal: &'a TakeName,
    notices: &'a [String],
    version: &'a str,
    /// The shared clock when this was sent.
    at: Wall,
}

/// `GET /api/takes`.
#[derive(Debug, Serialize)]
pub(super) struct Library<'a> {
    takes: Vec<Brief<'a>>,
}

/// A take in a list; `/api/takes/{take}` has its files.
#[derive(Debug, Serialize)]
pub(super) struct Brief<'a> {
    take: &'a TakeName,
    ids: &'a [TakeId],
    nodes: Vec<Ipv4Addr>,
    files: usize,
    bytes: u64,
    date: &'a str,
    length_ms: Option<u64>,
    /// What the sync reports say, newest first.
    sync: &'a [SyncSummary],
}

impl<'a> State<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, at: Wall) -> Self {
        Self {
            take: &snapshot.take,
            marks: &snapshot.marks,
            nodes: &snapshot.nodes,
            cameras: &snapshot.cameras,
            downloads: &snapshot.downloads,
            takes: snapshot.takes.iter().take(RECENT).map(Brief::of).collect(),
            next_name: &snapshot.next_name,
            proposal: &snapshot.proposal,
            notices: &snapshot.notices,
            version: snapshot.version,
            at,
        }
    }
}

impl<'a> Library<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Self { takes: snapshot.takes.iter().map(Brief::of).collect() }
    }
}

impl<'a> Brief<'a> {
    fn of(take: &'a TakeSummary) -> Self {
        Self {
            take: &take.take,
            ids: &take.ids,
            nodes: take.nodes.iter().map(|node| node.ip).collect(),
            files: take.nodes.iter().map(|node| node.files.len()).sum(),
            bytes: take.bytes,
            date: &take.date,
            length_ms: take.length_ms,
            sync: &take.sync,
        }
    }
}
