//! What the web door sees of the controller: one picture of everything, made anew after each event. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;
use syncslate_report::Verdict;
use syncslate_shared::camera::Settings;
use syncslate_shared::protocol::{CurrentTake, Download, Finding, Marks, NodeState, NodeStatus};
use syncslate_shared::take::{TakeId, TakeName};
use syncslate_shared::time::Wall;

use crate::ledger::Custody;

/// So many takes stand in the state, on the operator's page and in the news; all of them are at `/api/takes`.
pub const RECENT: usize = 8;

/// Everything that the pages and `GET /api/state` show.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// `take/current`.
    pub take: CurrentTake,
    /// `take/marks`.
    pub marks: Marks,
    /// The nodes that were ever heard of, by address.
    pub nodes: Vec<NodeView>,
    /// How the cameras are to be set.
    pub cameras: Set,
    /// `download/<take>`, newest first.
    pub downloads: Vec<Download>,
    /// What is on disk, newest first; the same list until it changes.
    pub takes: Arc<[TakeSummary]>,
    /// The name that an empty START would use.
    pub next_name: TakeName,
    /// The name that is proposed for the next take: the last one's pattern with the next free number.
    pub proposal: TakeName,
    /// What the operator should know (an open door without accounts, the broker gone), in words.
    pub notices: Vec<String>,
    /// The number of the newest entry of the [`crate::logbook`].
    pub latest_event: u64,
    /// The controller's version.
    pub version: &'static str,
    /// When this picture was made: the shared clock, by which the page counts take time.
    pub at: Wall,
}

/// How the cameras are to be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Set {
    /// The length of the next take's segments in seconds.
    pub segment_s: u32,
    /// What is wished of each node's camera; what is missing is its own affair.
    pub wishes: BTreeMap<Ipv4Addr, Settings>,
}

/// A node as the controller knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeView {
    /// Its address.
    pub ip: Ipv4Addr,
    /// What it does; offline also when it fell silent without a last will.
    pub state: NodeState,
    /// Its last own words; `None` when it was offline from the start.
    pub status: Option<Arc<NodeStatus>>,
    /// What is to be known of it, the worst first: its own findings and those that show beside the other nodes.
    pub findings: Vec<Finding>,
}

/// The takes of one name in the downloads folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakeSummary {
    /// The name, which is the folder's.
    pub take: TakeName,
    /// The takes of that name, newest first; more than one when a name was used again.
    pub ids: Vec<TakeId>,
    /// What each node brought.
    pub nodes: Vec<NodeFiles>,
    /// All bytes of all our files.
    pub bytes: u64,
    /// The local time of the newest one's T0, for people.
    pub date: String,
    /// Take length in milliseconds, from the newest one's manifests; `None` when they do not tell.
    pub length_ms: Option<u64>,
    /// What their sync reports say, newest first; of a take without one nothing.
    pub sync: Vec<SyncSummary>,
}

impl TakeSummary {
    /// The take with this stamp, without one the newest.
    pub fn stamped(&self, stamp: Option<&str>) -> Option<&TakeId> {
        self.ids.iter().find(|id| stamp.is_none_or(|stamp| id.stamp.as_str() == stamp))
    }
}

/// A take's sync report in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncSummary {
    /// The take.
    pub id: TakeId,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether all files are here and final.
    pub complete: bool,
    /// The verdict in a sentence.
    pub summary: String,
}

/// One node's files of a take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeFiles {
    /// The node.
    pub ip: Ipv4Addr,
    /// Its files, by name.
    pub files: Vec<FileEntry>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// What is proven of it; `None` for one that the ledger does not know.
    pub custody: Option<Custody>,
}

/// A piece of news for `GET /api/events`: the topic as the event's name, its JSON as data.
#[derive(Clone, Debug)]
pub struct News {
    /// The topic, `status/192.168.1.101`, or `takes` for a change of the library.
    pub topic: String,
    /// The same JSON as on the topic.
    pub json: String,
}
