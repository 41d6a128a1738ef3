//! What happened: `GET /events` for people, `GET /api/events/log` for programs, `GET /events.jsonl` as a file.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use syncslate_shared::protocol::Level;
use warp::http::{StatusCode, header};
use warp::reply::Response;

use super::answer::{Refused, json, set, text};
use super::command::malformed;
use super::view::EventLine;
use super::{Site, marks};
use crate::logbook::Entry;

/// So many are shown at once.
const SHOWN: usize = 200;
/// So many are given at most.
const MOST: usize = 5_000;

/// What is asked for, behind the `?`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    /// Only of this node; empty for all, as a form sends it.
    node: String,
    /// Only those after this number.
    after: u64,
    /// At most so many.
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Log {
    events: Vec<Entry>,
    latest: u64,
}

#[derive(Serialize)]
struct Lines {
    events: Vec<EventLine>,
    latest: u64,
}

impl Wanted {
    /// Reads it.
    ///
    /// # Errors
    /// A word that is not known, or a value that is none.
    pub(super) fn read(query: &str) -> Result<Self, Refused> {
        let wanted: Self = serde_urlencoded::from_str(query)
            .map_err(|e| malformed(format!("the address has `node`, `after` and `limit` alone behind its `?`: {e}")))?;
        wanted.node().map(|_| wanted)
    }

    /// The node.
    pub(super) fn node(&self) -> Result<Option<Ipv4Addr>, Refused> {
        if self.node.is_empty() {
            return Ok(None);
        }
        self.node.parse().map(Some).map_err(|_| malformed("`node` is the IPv4 address of a node"))
    }

    /// The entries, newest first, and whether there are more.
    pub(super) fn find(&self, site: &Site, usual: usize) -> Result<(Vec<Entry>, bool), Refused> {
        let node = self.node()?;
        let most = self.limit.unwrap_or(usual).min(MOST);
        let wanted = |entry: &Entry| node.is_none() || entry.what.node == node;
        let mut entries = site.door.logbook.newest(self.after, most + 1, wanted);
        let more = entries.len() > most;
        entries.truncate(most);
        Ok((entries, more))
    }

    /// For the page.
    pub(super) fn shown(&self, site: &Site) -> Result<(Vec<Entry>, bool), Refused> {
        self.find(site, SHOWN)
    }
}

/// For programs.
pub(super) fn log(site: &Site, wanted: &Wanted) -> Result<Response, Refused> {
    let (events, _) = wanted.find(site, MOST)?;
    Ok(json(StatusCode::OK, &Log { events, latest: site.door.logbook.latest() }))
}

/// For the open page: the same in its words.
pub(super) fn lines(site: &Site, wanted: &Wanted) -> Result<Response, Refused> {
    let (events, _) = wanted.shown(site)?;
    let events = events.iter().map(EventLine::of).collect();
    Ok(json(StatusCode::OK, &Lines { events, latest: site.door.logbook.latest() }))
}

/// As a file, oldest first, a JSON object in each line.
pub(super) fn file(site: &Site, wanted: &Wanted) -> Result<Response, Refused> {
    let (events, _) = wanted.find(site, MOST)?;
    let line = |entry: &Entry| serde_json::to_string(entry).unwrap_or_default() + "\n";
    Ok(attached("application/jsonl", "attachment; filename=\"events.jsonl\"", events.iter().rev().map(line).collect()))
}

/// As a spreadsheet, oldest first.
pub(super) fn sheet(site: &Site, wanted: &Wanted) -> Result<Response, Refused> {
    let (events, _) = wanted.find(site, MOST)?;
    let mut out = String::from("n,at,level,kind,node,take,text\r\n");
    for Entry { n, at, what } in events.iter().rev() {
        let (level, kind) = (level(what.level), what.kind.as_str());
        let node = what.node.map_or_else(String::new, |ip| ip.to_string());
        let take = what.take.as_ref().map_or("", |take| take.as_str());
        out += &format!("{n},{at},{level},{kind},{node},{take},{}\r\n", marks::field(&what.text));
    }
    Ok(attached("text/csv; charset=utf-8; header=present", "attachment; filename=\"events.csv\"", out))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

fn attached(kind: &'static str, disposition: &str, body: String) -> Response {
    let mut response = text(StatusCode::OK, kind, body);
    set(response.headers_mut(), header::CONTENT_DISPOSITION, disposition);
    response
}
