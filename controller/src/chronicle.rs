//! What happened, in words: found by comparing each picture of everything with the one before. Pure; [`crate::logbook`]
//! keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncslate_shared::command::CommandResult;
use syncslate_shared::markers::take_time;
use syncslate_shared::protocol::{CurrentTake, Download, DownloadState, Level, NodeState, TakeState};
use syncslate_shared::take::{Mark, TakeId, TakeName};
use syncslate_shared::time::{Wall, micros};

use crate::ledger::Custody;
use crate::size::Size;
use crate::snapshot::{NodeView, Snapshot, TakeSummary};

/// Frames that a node loses are told together for so long.
const DROPS_EVERY: Duration = Duration::from_secs(10);
/// Of a note or a message so many characters are told.
const LONGEST: usize = 300;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// How much it wants to be looked at.
    pub level: Level,
    /// What kind of thing, for programs: `controller`, `take`, `mark`, `refused`, `node`, `finding`, `dropped`,
    /// `download`, `library`, `cleanup`, `notice`, `login`.
    pub kind: Kind,
    /// The node it is about; null when about none or all.
    #[serde(default)]
    pub node: Option<Ipv4Addr>,
    /// The name of the take it is about; null when about none.
    #[serde(default)]
    pub take: Option<TakeName>,
    /// A sentence.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The controller started or ended.
    Controller,
    /// A take was rolled or cut.
    Take,
    /// A mark was made, changed or deleted.
    Mark,
    /// A command was not obeyed.
    Refused,
    /// A node came, went or failed.
    Node,
    /// Something about a node that people should know began or ended.
    Finding,
    /// Frames were lost.
    Dropped,
    /// A download went on or ended.
    Download,
    /// The downloads folder holds other takes.
    Library,
    /// A node deleted its copies.
    Cleanup,
    /// The operator was told something.
    Notice,
    /// Somebody did not get in.
    Login,
}

impl Kind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Take => "take",
            Self::Mark => "mark",
            Self::Refused => "refused",
            Self::Node => "node",
            Self::Finding => "finding",
            Self::Dropped => "dropped",
            Self::Download => "download",
            Self::Library => "library",
            Self::Cleanup => "cleanup",
            Self::Notice => "notice",
            Self::Login => "login",
        }
    }
}

impl Happening {
    /// About nothing in particular.
    pub fn new(level: Level, kind: Kind, text: impl Into<String>) -> Self {
        Self { level, kind, node: None, take: None, text: text.into() }
    }

    fn of_take(self, take: Option<&TakeName>) -> Self {
        Self { take: take.cloned(), ..self }
    }

    fn of_node(self, ip: Ipv4Addr) -> Self {
        Self { node: Some(ip), ..self }
    }

    /// A command that was not obeyed; `from` says who gave it. None of one that was.
    pub fn refused(result: &CommandResult, from: &str) -> Option<Self> {
        let refusal = result.error.as_ref()?;
        let word = result.cmd.to_uppercase();
        let text = format!("{} {from} is refused: {}", short(&word), short(&refusal.message));
        Some(Self::new(Level::Warning, Kind::Refused, text))
    }
}

/// What is remembered of the last picture.
#[derive(Clone, Debug, Default)]
pub struct Chronicler {
    /// Nothing is told of the first picture: it only says where things stand.
    begun: bool,
    take: Option<CurrentTake>,
    marks: Vec<Mark>,
    nodes: BTreeMap<Ipv4Addr, Seen>,
    downloads: BTreeMap<TakeName, BTreeMap<Ipv4Addr, DownloadState>>,
    /// The list itself, to know at once that it is another one.
    takes: Arc<[TakeSummary]>,
    /// In which folder each take lay.
    library: BTreeMap<TakeId, TakeName>,
    deleted: BTreeMap<(TakeName, Ipv4Addr), usize>,
    notices: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Seen {
    state: NodeState,
    /// By their codes, what was said.
    findings: BTreeMap<String, String>,
    take: Option<TakeId>,
    /// Frames that are missing of that take.
    dropped: u64,
    /// How many of them were told, and when.
    told: (u64, Option<Wall>),
}

impl Chronicler {
    /// What has happened since the last picture.
    pub fn look(&mut self, snapshot: &Snapshot) -> Vec<Happening> {
        let mut found = self.take(&snapshot.take);
        found.extend(self.marks(snapshot));
        found.extend(self.nodes(snapshot));
        found.extend(self.downloads(snapshot));
        found.extend(self.library(snapshot));
        found.extend(self.notices(&snapshot.notices));
        if !std::mem::replace(&mut self.begun, true) {
            // What the operator should know from the beginning is told all the same.
            found.retain(|happening| happening.kind == Kind::Notice);
        }
        found
    }

    fn take(&mut self, take: &CurrentTake) -> Vec<Happening> {
        let before = self.take.replace(take.clone());
        let name = take.take.as_ref();
        let Some(id) = &take.id else { return Vec::new() };
        let tell = |text| vec![Happening::new(Level::Info, Kind::Take, text).of_take(name)];
        let known = before.as_ref().filter(|before| before.id.as_ref() == Some(id));
        let rolled = before.is_some() && known.is_none();
        let ended =
            take.state == TakeState::Idle && (rolled || known.is_some_and(|was| was.state == TakeState::Rolling));
        let cameras = take.nodes.as_ref().map_or(0, Vec::len);
        let mut found = Vec::new();
        if rolled {
            let cameras = if cameras == 1 { "1 camera".to_owned() } else { format!("{cameras} cameras") };
            found.extend(tell(format!("{} rolls on {cameras}", id.name)));
        }
        if ended {
            let length = take.t0.zip(take.t1).map_or(0, |(t0, t1)| t1.since_us(t0));
            found.extend(tell(format!("{} is cut after {}", id.name, take_time(length))));
        }
        found
    }

    fn marks(&mut self, snapshot: &Snapshot) -> Vec<Happening> {
        let marks = &snapshot.marks.marks;
        if self.marks == *marks {
            return Vec::new();
        }
        // The marks of a take that begins are none that were deleted.
        let before = std::mem::replace(&mut self.marks, marks.clone());
        let of = snapshot.marks.id.as_ref();
        let t0 = snapshot.take.t0.filter(|_| snapshot.take.id.as_ref() == of);
        let at = |mark: &Mark| t0.map_or_else(String::new, |t0| format!(" at {}", take_time(mark.at.since_us(t0))));
        let words = |mark: &Mark| if mark.note.is_empty() { String::new() } else { format!(": {}", short(&mark.note)) };
        let tell = |text: String| Happening::new(Level::Info, Kind::Mark, text).of_take(of.map(|id| &id.name));
        let mut found = Vec::new();
        let (were, are) = (numbered(&before), numbered(marks));
        for mark in marks {
            match were.get(&mark.n).filter(|was| was.at == mark.at) {
                None => found.push(tell(format!("mark {}{}{}", mark.n, at(mark), words(mark)))),
                Some(was) if was.note != mark.note => found.push(tell(format!(
                    "the note of mark {} is now{}",
                    mark.n,
                    if mark.note.is_empty() { " empty".into() } else { words(mark) }
                ))),
                Some(_) => {}
            }
        }
        let gone = before.iter().filter(|was| t0.is_some_and(|t0| was.at >= t0) && !are.contains_key(&was.n));
        found.extend(gone.map(|was| tell(format!("mark {}{} is deleted{}", was.n, at(was), words(was)))));
        found
    }

    fn nodes(&mut self, snapshot: &Snapshot) -> Vec<Happening> {
        snapshot.nodes.iter().flat_map(|node| self.node(node, snapshot.at)).collect()
    }

    fn node(&mut self, node: &NodeView, now: Wall) -> Vec<Happening> {
        let status = node.status.as_ref();
        let findings: BTreeMap<_, _> = node
            .findings
            .iter()
            .filter(|finding| finding.level > Level::Info)
            .map(|finding| (finding.code.clone(), (finding.level, finding.message.clone())))
            .collect();
        let plain = || findings.iter().map(|(code, (_, message))| (code.clone(), message.clone())).collect();
        let take = status.and_then(|status| status.take.clone());
        let fresh = |state| Seen { state, findings: BTreeMap::new(), take: None, dropped: 0, told: (0, None) };
        let begun = self.begun;
        let seen =
            self.nodes.entry(node.ip).or_insert_with(|| fresh(if begun { NodeState::Offline } else { node.state }));
        let mut found = Vec::new();
        let tell =
            |level, kind, of_it: &str| Happening::new(level, kind, format!("{}{of_it}", called(node))).of_node(node.ip);
        let before = std::mem::replace(&mut seen.state, node.state);
        match (before, node.state) {
            (before, after) if before == after => {}
            (_, NodeState::Offline) => found.push(tell(Level::Warning, Kind::Node, " is gone")),
            (_, NodeState::Fault) => {
                let why = status
                    .and_then(|status| status.fault.as_ref())
                    .map_or_else(String::new, |fault| format!(": {}", short(&fault.message)));
                found.push(tell(Level::Error, Kind::Node, &format!(" cannot record{why}")));
            }
            (NodeState::Offline, _) => found.push(tell(Level::Info, Kind::Node, " is there")),
            (NodeState::Fault, _) => found.push(tell(Level::Info, Kind::Node, " is out of its fault")),
            _ => {}
        }
        if node.state == NodeState::Offline {
            return found;
        }
        for (code, (level, message)) in &findings {
            // A fault was told above.
            if !seen.findings.contains_key(code)
                && status.and_then(|status| status.fault.as_ref()).is_none_or(|fault| fault.code != *code)
            {
                found.push(tell(*level, Kind::Finding, &format!(": {}", short(message))));
            }
        }
        for message in
            seen.findings.iter().filter(|(code, _)| !findings.contains_key(*code)).map(|(_, message)| message)
        {
            found.push(tell(Level::Info, Kind::Finding, &format!(", no longer: {}", short(message))));
        }
        seen.findings = plain();
        found.extend(seen.drops(take, status.map_or(0, |status| status.dropped), now).map(|(lost, of)| {
            let frames = if lost == 1 { "1 frame".into() } else { format!("{lost} frames") };
            tell(Level::Warning, Kind::Dropped, &format!(" lost {frames}")).of_take(Some(&of))
        }));
        found
    }

    fn downloads(&mut self, snapshot: &Snapshot) -> Vec<Happening> {
        let now = snapshot
            .downloads
            .iter()
            .map(|d| (d.take.clone(), d.nodes.iter().map(|(ip, part)| (*ip, part.state)).collect()));
        let before = std::mem::replace(&mut self.downloads, now.collect());
        let none = BTreeMap::new();
        let told = |download: &Download| {
            let was = before.get(&download.take).unwrap_or(&none);
            download
                .nodes
                .iter()
                .filter(move |(ip, part)| was.get(*ip) != Some(&part.state))
                .filter_map(|(ip, part)| {
                    let name = called_at(snapshot, *ip);
                    let (level, text) = match part.state {
                        DownloadState::Queued => return None,
                        DownloadState::Running => (Level::Info, format!("fetching {} from {name}", download.take)),
                        DownloadState::Done => (
                            Level::Info,
                            format!(
                                "{} is here from {name}: {} files, {}",
                                download.take,
                                part.files,
                                Size(part.bytes)
                            ),
                        ),
                        DownloadState::Failed => {
                            let why = part.error.as_deref().unwrap_or("it was broken off");
                            (Level::Error, format!("{} did not come from {name}: {}", download.take, short(why)))
                        }
                    };
                    Some(Happening::new(level, Kind::Download, text).of_node(*ip).of_take(Some(&download.take)))
                })
                .collect::<Vec<_>>()
        };
        snapshot.downloads.iter().flat_map(told).collect()
    }

    fn library(&mut self, snapshot: &Snapshot) -> Vec<Happening> {
        let takes = &snapshot.takes;
        if Arc::ptr_eq(&self.takes, takes) {
            return Vec::new();
        }
        self.takes = Arc::clone(takes);
        let now: BTreeMap<_, _> =
            takes.iter().flat_map(|take| take.ids.iter().map(|id| (id.clone(), take.take.clone()))).collect();
        let before = std::mem::replace(&mut self.library, now.clone());
        let mut found = Vec::new();
        let mut said = BTreeSet::new();
        for (id, folder) in before {
            let text = match now.get(&id) {
                Some(other) if *other != folder => format!("{folder} is called {other} now"),
                Some(_) => continue,
                None => format!("{folder} is no longer in the downloads folder"),
            };
            if said.insert(text.clone()) {
                found.push(Happening::new(Level::Info, Kind::Library, text).of_take(Some(&folder)));
            }
        }
        let mut deleted = BTreeMap::new();
        for take in takes.iter() {
            for node in &take.nodes {
                let count = node.files.iter().filter(|file| file.custody == Some(Custody::DeletedOnNode)).count();
                let was = self.deleted.get(&(take.take.clone(), node.ip)).copied();
                // A folder that is new here (renamed, or put there) tells of deletions of before.
                if count > was.unwrap_or(count) {
                    let text = format!(
                        "{} deleted its copies of {}: they are proven here",
                        called_at(snapshot, node.ip),
                        take.take
                    );
                    found.push(
                        Happening::new(Level::Info, Kind::Cleanup, text).of_node(node.ip).of_take(Some(&take.take)),
                    );
                }
                deleted.insert((take.take.clone(), node.ip), count);
            }
        }
        self.deleted = deleted;
        found
    }

    fn notices(&mut self, notices: &[String]) -> Vec<Happening> {
        let now: BTreeSet<_> = notices.iter().cloned().collect();
        let before = std::mem::replace(&mut self.notices, now.clone());
        now.difference(&before).map(|text| Happening::new(Level::Warning, Kind::Notice, short(text))).collect()
    }
}

impl Seen {
    /// Frames of which take were lost and not told yet, when it is time to tell.
    fn drops(&mut self, take: Option<TakeId>, dropped: u64, now: Wall) -> Option<(u64, TakeName)> {
        if take == self.take {
            self.dropped = dropped;
        }
        let (told, when) = self.told;
        let due = take != self.take || when.is_none_or(|when| now.since_us(when) >= micros(DROPS_EVERY));
        let lost = self.dropped.saturating_sub(told);
        let found = self.take.as_ref().filter(|_| due && lost > 0).map(|id| (lost, id.name.clone()));
        if found.is_some() {
            self.told = (self.dropped, Some(now));
        }
        if take != self.take {
            (self.take, self.dropped, self.told) = (take, dropped, (0, None));
        }
        found
    }
}

fn numbered(marks: &[Mark]) -> BTreeMap<u32, &Mark> {
    marks.iter().map(|mark| (mark.n, mark)).collect()
}

/// What people call a node, with its address.
fn called(node: &NodeView) -> String {
    let name = node.status.as_ref().map(|status| status.name.as_str()).filter(|name| !name.is_empty());
    name.map_or_else(|| node.ip.to_string(), |name| format!("{} ({})", short(name), node.ip))
}

fn called_at(snapshot: &Snapshot, ip: Ipv4Addr) -> String {
    snapshot.nodes.iter().find(|node| node.ip == ip).map_or_else(|| ip.to_string(), called)
}

/// A text that comes from outside, in one line and not too long.
pub fn short(text: &str) -> String {
    let line = text.split('\n').next().unwrap_or_default();
    let mut out: String = line.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if line.chars().count() > LONGEST || text.contains('\n') {
        out.push('…');
    }
    // Right-to-left marks end with the text that holds them.
    if out.is_ascii() { out } else { format!("\u{2068}{out}\u{2069}") }
}

#[cfg(test)]
#[path = "chronicle_tests.rs"]
mod tests;
