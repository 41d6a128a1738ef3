//! What happened, in words. Pure.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::Serialize;
use syncslate_shared::protocol::Level;
use syncslate_shared::time::Wall;

use super::{node_name, words};
use crate::logbook::Entry;
use crate::snapshot::Snapshot;

/// The page `/events`.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct Events {
    events: Vec<EventLine>,
    /// Whom the list can be narrowed to.
    filters: Vec<Filter>,
    /// The address it is narrowed to; empty for all.
    node: String,
    /// The number of the newest entry.
    latest: u64,
    /// Whether there are older ones than are shown.
    more: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Filter {
    ip: Ipv4Addr,
    name: String,
    chosen: bool,
}

/// Something that happened, in a list.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct EventLine {
    key: u64,
    at: Wall,
    /// Local time, for people.
    when: String,
    /// The level's word, for the style.
    level: &'static str,
    /// The same for people; empty for what is only good to know.
    word: &'static str,
    text: String,
}

impl Events {
    /// `entries` are the newest first, of `node` alone when there is one.
    pub(in crate::web) fn of(entries: &[Entry], more: bool, node: Option<Ipv4Addr>, snapshot: &Snapshot) -> Self {
        // A node that is gone for good can still be asked for.
        let mut known: BTreeSet<Ipv4Addr> = snapshot.nodes.iter().map(|view| view.ip).collect();
        known.extend(node);
        let filter = |ip: Ipv4Addr| Filter { ip, name: node_name(snapshot, ip), chosen: node == Some(ip) };
        Self {
            events: entries.iter().map(EventLine::of).collect(),
            filters: known.into_iter().map(filter).collect(),
            node: node.map_or_else(String::new, |ip| ip.to_string()),
            latest: entries.first().map_or(0, |entry| entry.n).max(snapshot.latest_event),
            more,
        }
    }
}

impl EventLine {
    pub(in crate::web) fn of(entry: &Entry) -> Self {
        let (level, word) = match entry.what.level {
            Level::Info => ("info", ""),
            Level::Warning => ("warning", "Warning"),
            Level::Error => ("error", "Error"),
        };
        let text = &entry.what.text;
        Self { key: entry.n, at: entry.at, when: words::instant(entry.at), level, word, text: text.clone() }
    }
}
