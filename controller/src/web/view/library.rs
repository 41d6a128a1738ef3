//! The takes on disk: the list, and one take with its files. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use syncslate_shared::files::{Base, Kind};
use syncslate_slate::model::Light;

use super::copies::{Copies, copies};
use super::light::{LightLine, lines};
use super::{MarkLine, node_name, words};
use crate::freeable::Freeable;
use crate::ledger::Custody;
use crate::marks::TakeMarks;
use crate::reports::colour;
use crate::snapshot::{FileEntry, NodeFiles, RECENT, Snapshot, SyncSummary, TakeSummary};

/// So many takes stand on a page of the list.
const PAGE: usize = 100;

/// What stands behind the `?` of `/takes`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct Sought {
    /// A part of the name, in small letters or large; empty for all.
    name: String,
    /// The page, from 1.
    page: usize,
}

impl Sought {
    fn holds(&self, take: &TakeSummary) -> bool {
        take.take.as_str().to_lowercase().contains(&self.name.trim().to_lowercase())
    }

    /// The address of another page.
    fn href(&self, page: usize) -> String {
        let page = page.to_string();
        let pairs = [("name", self.name.as_str()), ("page", &page)];
        let wanted = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        format!("/takes?{}", serde_urlencoded::to_string(wanted.collect::<Vec<_>>()).unwrap_or_default())
    }
}

/// The page `/takes`.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct Library {
    takes: Vec<TakeLine>,
    summary: String,
    /// What is sought in the names.
    name: String,
    /// Whether there are so many that one wants to seek.
    many: bool,
    /// To newer and older ones.
    turns: Vec<Turn>,
}

/// A link to a neighbouring page.
#[derive(Clone, Debug, Serialize)]
struct Turn {
    href: String,
    rel: &'static str,
    text: &'static str,
}

/// A take in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TakeLine {
    key: String,
    take: String,
    href: String,
    date: String,
    length: String,
    /// Cameras, files and size in a sentence.
    contents: String,
    /// The newest sync report's verdict: `green`, `amber`, `red`; empty without a report.
    verdict: &'static str,
    /// The same in words.
    sync: String,
}

/// The page `/takes/{take}`.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct TakePage {
    #[serde(flatten)]
    line: TakeLine,
    /// Said when the name was used more than once.
    again: Option<String>,
    /// Said when it was renamed here.
    recorded: Option<String>,
    /// The sync reports, newest first.
    reports: Vec<ReportLine>,
    /// What light said of the stamps, newest first.
    lights: Vec<LightLine>,
    /// What can be deleted on the cameras, and what stays.
    copies: Vec<Copies>,
    /// The name under which it can be asked for: cameras know it by no other.
    asked: String,
    cameras: Vec<Camera>,
    /// The marks of each take of this name.
    sheets: Vec<Sheet>,
    /// Whether there are any.
    marked: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Sheet {
    id: String,
    /// Which take they are of; empty when the name was used once.
    of: String,
    marks: Vec<MarkLine>,
}

#[derive(Clone, Debug, Serialize)]
struct ReportLine {
    verdict: &'static str,
    word: String,
    summary: String,
    href: String,
    /// Which take, when the name was used more than once.
    date: Option<String>,
}

impl ReportLine {
    fn of(take: &TakeSummary, sync: &SyncSummary) -> Self {
        Self {
            verdict: colour(sync.verdict),
            word: told(sync),
            summary: sync.summary.clone(),
            href: format!("/takes/{}/sync/{}", take.take, sync.id.stamp),
            date: (take.ids.len() > 1).then(|| sync.id.stamp.readable()),
        }
    }
}

fn told(sync: &SyncSummary) -> String {
    let first = if sync.complete { "" } else { ", first look" };
    format!("{}{first}", syncslate_report::page::word(sync.verdict))
}

#[derive(Clone, Debug, Serialize)]
struct Camera {
    name: String,
    ip: String,
    contents: String,
    files: Vec<File>,
}

#[derive(Clone, Debug, Serialize)]
struct File {
    name: String,
    what: String,
    bytes: String,
    /// Where it is downloaded; files that are not ours have no address.
    href: Option<String>,
}

impl Library {
    pub(in crate::web) fn of(snapshot: &Snapshot, sought: &Sought) -> Self {
        let found: Vec<&TakeSummary> = snapshot.takes.iter().filter(|take| sought.holds(take)).collect();
        let bytes = found.iter().map(|take| take.bytes).sum();
        let count = words::count(found.len() as u64, "take", "takes");
        let last = found.len().div_ceil(PAGE).max(1);
        let page = sought.page.clamp(1, last);
        let turn = |page, rel, text| Turn { href: sought.href(page), rel, text };
        let newer = (page > 1).then(|| turn(page - 1, "prev", "Newer takes"));
        let older = (page < last).then(|| turn(page + 1, "next", "Older takes"));
        let lines = found.iter().skip((page - 1) * PAGE).take(PAGE);
        Self {
            takes: lines.map(|take| TakeLine::of(take, snapshot)).collect(),
            summary: format!("{count} · {}", words::bytes(bytes)),
            name: sought.name.clone(),
            many: snapshot.takes.len() > RECENT,
            turns: newer.into_iter().chain(older).collect(),
        }
    }
}

impl TakeLine {
    pub(super) fn of(take: &TakeSummary, snapshot: &Snapshot) -> Self {
        let names: Vec<String> = take.nodes.iter().map(|node| node_name(snapshot, node.ip)).collect();
        let cameras = match names.len() {
            0 => "no camera yet".to_owned(),
            1..=4 => names.iter().map(|name| words::isolated(name)).collect::<Vec<_>>().join(", "),
            many => format!("{many} cameras"),
        };
        let files: usize = take.nodes.iter().map(|node| node.files.len()).sum();
        Self {
            key: take.take.to_string(),
            take: take.take.to_string(),
            href: format!("/takes/{}", take.take),
            date: take.date.clone(),
            length: take.length_ms.map_or_else(String::new, length),
            contents: format!(
                "{cameras} · {} · {}",
                words::count(files as u64, "file", "files"),
                words::bytes(take.bytes)
            ),
            verdict: take.sync.first().map_or("", |sync| colour(sync.verdict)),
            sync: take.sync.first().map_or_else(String::new, told),
        }
    }
}

impl TakePage {
    pub(in crate::web) fn of(
        take: &TakeSummary,
        snapshot: &Snapshot,
        freeable: &[Freeable],
        marks: &[TakeMarks],
        lights: &[Light],
    ) -> Self {
        let names: BTreeSet<_> = take.ids.iter().map(|id| id.name.to_string()).collect();
        let other: Vec<_> = names.iter().filter(|name| name.as_str() != take.take.as_str()).cloned().collect();
        let again = take.ids.len() > 1;
        Self {
            line: TakeLine::of(take, snapshot),
            again: again.then(|| {
                format!("This name was used {} times; the stamp in the file names tells them apart.", take.ids.len())
            }),
            recorded: (!other.is_empty()).then(|| {
                format!("Renamed here: recorded as {}, and its files are still called so.", other.join(" and "))
            }),
            reports: take.sync.iter().map(|sync| ReportLine::of(take, sync)).collect(),
            lights: lines(take, lights),
            copies: copies(freeable, snapshot),
            asked: take.ids.first().map_or_else(|| take.take.to_string(), |id| id.name.to_string()),
            marked: marks.iter().any(|take| !take.marks.is_empty()),
            sheets: marks.iter().map(|take| sheet(take, again)).collect(),
            cameras: take.nodes.iter().map(|node| camera(take, node, snapshot)).collect(),
        }
    }
}

impl TakePage {
    /// The take's name.
    pub(in crate::web) fn name(&self) -> &str {
        &self.line.take
    }
}

fn sheet(take: &TakeMarks, again: bool) -> Sheet {
    Sheet {
        id: take.id.to_string(),
        of: if again { take.id.stamp.readable() } else { String::new() },
        marks: take.marks.iter().map(|mark| MarkLine::of(mark, take.t0)).collect(),
    }
}

fn length(ms: u64) -> String {
    words::take_time(i64::try_from(ms.saturating_mul(1000)).unwrap_or(i64::MAX), 1)
}

fn camera(take: &TakeSummary, node: &NodeFiles, snapshot: &Snapshot) -> Camera {
    let bytes = node.files.iter().map(|file| file.bytes).sum();
    let files = words::count(node.files.len() as u64, "file", "files");
    let known = node.files.iter().filter_map(|file| file.custody);
    let deleted = known.clone().any(|custody| custody == Custody::DeletedOnNode);
    let verified = known.filter(|custody| *custody == Custody::Verified).count();
    let custody = match (deleted, verified) {
        (true, _) => " · the camera has deleted its copies".to_owned(),
        (false, 0) => String::new(),
        (false, verified) => format!(" · {verified} verified"),
    };
    Camera {
        name: node_name(snapshot, node.ip),
        ip: node.ip.to_string(),
        contents: format!("{files} · {}{custody}", words::bytes(bytes)),
        files: node.files.iter().map(|entry| file(take, node, entry)).collect(),
    }
}

fn file(take: &TakeSummary, node: &NodeFiles, entry: &FileEntry) -> File {
    let ours = Base::parse(&entry.name);
    let what = match ours.as_ref().map(|(_, kind)| *kind) {
        Some(Kind::Segment(index)) => format!("footage, part {}", u64::from(index) + 1),
        Some(Kind::Markers) => "marks".into(),
        Some(Kind::Frames) => "every frame with its time".into(),
        Some(Kind::Manifest) => "the take as the camera tells it".into(),
        Some(Kind::Digests) => "checksums".into(),
        None => "not a file of Syncslate".into(),
    };
    let proven = entry.custody.is_some_and(|custody| custody != Custody::Arrived && what.starts_with("footage"));
    let what = if proven { format!("{what}, verified") } else { what };
    let href = ours.is_some().then(|| format!("/media/{}/{}/{}", take.take, node.ip, entry.name));
    File { name: entry.name.clone(), what, bytes: words::bytes(entry.bytes), href }
}
