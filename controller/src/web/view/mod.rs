//! What people see: the snapshot in words. Pure; with the templates and `texts.js` the only place with English for
//! the page.
//!
//! The page is rendered from [`Operator`], and the same fields go to the open page as they change, so a script never
//! has to know what a state means: it puts texts where they belong.

mod about;
mod cameras;
mod copies;
mod downloads;
mod events;
mod library;
mod light;
mod node;
mod slate;
mod tile;
mod words;

use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::{Map, Value};
use syncslate_shared::take::Mark;
use syncslate_shared::time::Wall;

pub(super) use self::about::{AboutPage, Health};
pub(super) use self::cameras::Cameras;
use self::downloads::DownloadLine;
pub(super) use self::events::{EventLine, Events};
use self::library::TakeLine;
pub(super) use self::library::{Library, Sought, TakePage};
pub(super) use self::node::NodePage;
use self::slate::Slate;
pub(super) use self::slate::SlatePage;
use self::tile::Tile;
use crate::snapshot::{RECENT, Snapshot};

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
    /// Where they are had as a spreadsheet; empty before the first take.
    sheet: String,
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
    /// What the buttons do, for those who hear them.
    edit: String,
    delete: String,
}

impl MarkLine {
    fn of(mark: &Mark, t0: Option<Wall>) -> Self {
        Self {
            key: mark.n,
            n: mark.n,
            time: t0.map_or_else(String::new, |t0| words::take_time(mark.at.since_us(t0), 3)),
            note: mark.note.clone(),
            edit: format!("Edit the note of mark {}", mark.n),
            delete: format!("Delete mark {}", mark.n),
        }
    }
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
    fields.insert("latest_event".into(), snapshot.latest_event.into());
    fields
}

/// The same of one node's own page; of one that is known no more only what all pages have.
pub(super) fn live_node(snapshot: &Snapshot, ip: Ipv4Addr, assets: &str) -> Map<String, Value> {
    let node = snapshot.nodes.iter().find(|node| node.ip == ip);
    let mut fields = node.map(|node| object(&NodePage::of(node, snapshot))).unwrap_or_default();
    fields.insert("version".into(), snapshot.version.into());
    fields.insert("assets".into(), assets.into());
    fields
}

/// The fields of the open page about cameras.
pub(super) fn cameras_live(snapshot: &Snapshot, assets: &str) -> Map<String, Value> {
    let mut fields = object(&Cameras::of(snapshot));
    fields.insert("version".into(), snapshot.version.into());
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
            sheet: match snapshot.marks.id.as_ref() {
                Some(id) => format!("/api/takes/{}/marks.csv", id.name),
                None => String::new(),
            },
            downloads: snapshot.downloads.iter().take(RECENT).map(|d| DownloadLine::of(d, snapshot)).collect(),
            takes: snapshot.takes.iter().take(RECENT).map(|take| TakeLine::of(take, snapshot)).collect(),
            version: snapshot.version,
        }
    }
}

fn marks(snapshot: &Snapshot) -> Vec<MarkLine> {
    // Marks of a take that is not the current one have no T0 here to count from.
    let t0 = snapshot.take.t0.filter(|_| snapshot.marks.id == snapshot.take.id);
    snapshot.marks.marks.iter().rev().map(|mark| MarkLine::of(mark, t0)).collect()
}

/// What people call a node; its address when it never said its name.
fn node_name(snapshot: &Snapshot, ip: Ipv4Addr) -> String {
    let node = snapshot.nodes.iter().find(|node| node.ip == ip).and_then(|node| node.status.as_ref());
    node.filter(|status| !status.name.is_empty()).map_or_else(|| ip.to_string(), |status| status.name.clone())
}
