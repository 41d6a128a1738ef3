//! What people see: the snapshot in words. Pure; with the templates and `texts.js` the only place with English for
//! the page.
//!
//! The page is rendered from [`Operator`], and the same fields go to the open page as they change, so a script never
//! has to know what a state means: it puts texts where they belong.

mod library;
mod slate;
mod tile;
mod words;

use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::{Map, Value};
use syncslate_shared::protocol::{Download, DownloadState, NodeDownload};
use syncslate_shared::time::Wall;

use self::library::TakeLine;
pub(super) use self::library::{Library, TakePage};
use self::slate::Slate;
use self::tile::Tile;
use super::api::RECENT;
use crate::snapshot::Snapshot;

/// The operator's page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Operator {
    #[serde(flatten)]
    slate: Slate,
    nodes: Vec<Tile>,
    #[serde(flatten)]
    lists: Lists,
    /// The big clock as the page is first shown.
    clock: String,
}

/// What stands below and beside the slate.
#[derive(Clone, Debug, Serialize)]
struct Lists {
    notices: Vec<Line>,
    /// Whose marks these are.
    marks_of: String,
    /// Newest first: the one just made is the one looked for.
    marks: Vec<MarkLine>,
    downloads: Vec<DownloadLine>,
    takes: Vec<TakeLine>,
    version: &'static str,
}

/// A sentence of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Line {
    key: String,
    text: String,
}

#[derive(Clone, Debug, Serialize)]
struct MarkLine {
    key: u32,
    n: u32,
    time: String,
    note: String,
}

#[derive(Clone, Debug, Serialize)]
struct DownloadLine {
    key: String,
    take: String,
    kind: &'static str,
    word: &'static str,
    parts: Vec<PartLine>,
}

/// One node's part of a download.
#[derive(Clone, Debug, Serialize)]
struct PartLine {
    key: Ipv4Addr,
    name: String,
    kind: &'static str,
    percent: u8,
    text: String,
    error: Option<String>,
}

impl Operator {
    /// The page as of `now`.
    pub(super) fn of(snapshot: &Snapshot, now: Wall) -> Self {
        Self {
            slate: Slate::of(snapshot),
            nodes: tile::tiles(snapshot),
            lists: Lists::of(snapshot),
            clock: slate::clock(&snapshot.take, now),
        }
    }
}

/// The fields of the open page: each node under a name of its own, so that only those that changed are sent.
pub(super) fn live(snapshot: &Snapshot, assets: &str) -> Map<String, Value> {
    let mut fields = object(&Slate::of(snapshot));
    fields.extend(object(&Lists::of(snapshot)));
    let tiles = tile::tiles(snapshot);
    fields.insert("order".into(), tiles.iter().map(|tile| Value::from(tile.key.to_string())).collect());
    for tile in tiles {
        fields.insert(format!("node {}", tile.key), Value::Object(object(&tile)));
    }
    fields.insert("assets".into(), assets.into());
    fields
}

fn object<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

impl Lists {
    fn of(snapshot: &Snapshot) -> Self {
        let marks_of = snapshot.marks.id.as_ref().map_or_else(String::new, |id| id.name.to_string());
        let notices = snapshot.notices.iter().map(|text| Line { key: text.clone(), text: text.clone() }).collect();
        Self {
            notices,
            marks_of,
            marks: marks(snapshot),
            downloads: snapshot.downloads.iter().take(RECENT).map(|d| download(d, snapshot)).collect(),
            takes: snapshot.takes.iter().take(RECENT).map(|take| TakeLine::of(take, snapshot)).collect(),
            version: snapshot.version,
        }
    }
}

fn marks(snapshot: &Snapshot) -> Vec<MarkLine> {
    // Marks of a take that is not the current one have no T0 here to count from.
    let t0 = snapshot.take.t0.filter(|_| snapshot.marks.id == snapshot.take.id);
    let line = |mark: &syncslate_shared::take::Mark| MarkLine {
        key: mark.n,
        n: mark.n,
        time: t0.map_or_else(String::new, |t0| words::take_time(mark.at.since_us(t0), 3)),
        note: mark.note.clone(),
    };
    snapshot.marks.marks.iter().rev().map(line).collect()
}

fn download(download: &Download, snapshot: &Snapshot) -> DownloadLine {
    let name = download.take.to_string();
    let (kind, word) = download_words(download.state);
    let part = |(ip, part): (&Ipv4Addr, &NodeDownload)| PartLine {
        key: *ip,
        name: node_name(snapshot, *ip),
        kind: download_words(part.state).0,
        percent: percent(part),
        text: part_text(part),
        error: part.error.clone(),
    };
    DownloadLine { key: name.clone(), take: name, kind, word, parts: download.nodes.iter().map(part).collect() }
}

fn download_words(state: DownloadState) -> (&'static str, &'static str) {
    match state {
        DownloadState::Queued => ("queued", "waiting"),
        DownloadState::Running => ("running", "copying"),
        DownloadState::Done => ("done", "all here"),
        DownloadState::Failed => ("failed", "not complete"),
    }
}

fn percent(part: &NodeDownload) -> u8 {
    let whole = match (part.state, part.total_bytes) {
        (DownloadState::Done, _) => 100,
        (_, 0) => 0,
        // Never 100 before it is done.
        (_, total) => (u128::from(part.bytes) * 100 / u128::from(total)).min(99),
    };
    u8::try_from(whole).unwrap_or(0)
}

fn part_text(part: &NodeDownload) -> String {
    let files = words::count(part.files, "file", "files");
    match part.state {
        DownloadState::Queued => "waiting".into(),
        DownloadState::Running => format!("{} of {}", words::bytes(part.bytes), words::bytes(part.total_bytes)),
        DownloadState::Done => format!("{files}, {} verified, {}", part.verified, words::bytes(part.bytes)),
        DownloadState::Failed => format!("{} of {} arrived", words::bytes(part.bytes), words::bytes(part.total_bytes)),
    }
}

/// What people call a node; its address when it never said its name.
fn node_name(snapshot: &Snapshot, ip: Ipv4Addr) -> String {
    let node = snapshot.nodes.iter().find(|node| node.ip == ip).and_then(|node| node.status.as_ref());
    node.filter(|status| !status.name.is_empty()).map_or_else(|| ip.to_string(), |status| status.name.clone())
}
