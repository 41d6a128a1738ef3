//! The download of a take and its parts, one for each node: their states, their tries, their figures. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use syncslate_shared::protocol::{Download, DownloadState, NodeDownload};
use syncslate_shared::take::TakeName;
use syncslate_shared::time::Mono;

use crate::errand::{Broken, Fetched, Pending, Progress};
use crate::event::Effect;
use crate::meter::{self, Meter};
use crate::which::Which;

/// A broken part is tried again after this time, then after twice as much and so on.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// But not after more: somebody may stand there and wait for the network.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// The download of a take.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) take: TakeName,
    pub(crate) parts: BTreeMap<Ipv4Addr, Part>,
    pub(crate) said: Option<Mono>,
    pub(crate) unsaid: Unsaid,
}

/// What comes from one node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) shown: NodeDownload,
    pub(crate) which: Which,
    /// Of these the node's copies are deleted at the end.
    pub(crate) delete: Which,
    /// What the transfer under way fetches and deletes: more may have been wished after its start.
    pub(crate) doing: (Which, Which),
    /// The transfer under way fetches what is closed of a take that rolls.
    pub(crate) follows: bool,
    /// How it stands with its tries.
    pub(crate) tries: Tries,
    pub(crate) meter: Meter,
}

/// The tries of a part since it last came further than ever before.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tries {
    /// How far it ever came, in bytes.
    most: u64,
    failed: u32,
    /// When the first of them failed.
    since: Option<Mono>,
    /// The next one starts no earlier.
    pub(crate) due: Option<Mono>,
}

impl Tries {
    fn came_to(&mut self, bytes: u64) {
        if bytes > self.most {
            *self = Self { most: bytes, ..Self::default() };
        }
    }

    /// How long to wait for the next try; `None` when there is none.
    fn broke(&mut self, now: Mono, patience: Duration) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        let delay = FIRST_DELAY.saturating_mul(1 << self.failed.min(10)).min(LONGEST_DELAY);
        self.failed += 1;
        self.due = Some(now + delay);
        (now.since(since) + delay <= patience).then_some(delay)
    }
}

/// What has not been told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unsaid {
    Nothing,
    Bytes,
    State,
}

impl Part {
    pub(crate) fn new(shown: NodeDownload, which: Which, delete: Which) -> Self {
        let doing = (Which::NONE, Which::NONE);
        Self { shown, which, delete, doing, follows: false, tries: Tries::default(), meter: Meter::default() }
    }

    /// Whether it can start as far as it is concerned itself.
    pub(crate) fn waits(&self, now: Mono) -> bool {
        self.shown.state == DownloadState::Queued && self.tries.due.is_none_or(|due| due <= now)
    }

    /// Whether it has not come to its end.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.shown.state, DownloadState::Queued | DownloadState::Running)
    }

    /// It is on its way.
    pub(crate) fn start(&mut self, follows: bool) {
        self.shown.state = DownloadState::Running;
        self.shown.error = None;
        self.follows = follows;
        // Nothing is deleted of a take that rolls.
        self.doing = (self.which.clone(), if follows { Which::NONE } else { self.delete.clone() });
        self.meter = Meter::default();
    }

    /// The same is wished again, or more.
    pub(crate) fn wished_again(&mut self, which: &Which, delete: &Which) {
        self.which.join(which);
        self.delete.join(delete);
        if self.shown.state == DownloadState::Queued {
            // Somebody wishes it now: there is no waiting for its next try.
            self.tries.due = None;
        }
    }

    /// It went on.
    pub(crate) fn progress(&mut self, now: Mono, progress: Progress) {
        self.tries.came_to(progress.bytes);
        self.meter.read(now, progress.bytes);
        self.shown.files = progress.files;
        self.shown.bytes = progress.bytes;
        self.shown.total_bytes = progress.total_bytes;
        self.shown.verified = progress.verified;
    }

    /// Its transfer ended; `line` says which one it is.
    pub(crate) fn ended(&mut self, now: Mono, line: &str, patience: Duration, outcome: Fetched) -> Effect {
        let follows = std::mem::take(&mut self.follows);
        let more = !self.doing.0.covers(&self.which) || !self.doing.1.covers(&self.delete);
        let (state, error, effect) = match outcome {
            Ok(_) if follows => {
                let note = format!("{line}: {} closed files are here and verified; it rolls on", self.shown.verified);
                (DownloadState::Queued, None, Effect::Note(note))
            }
            Ok(_) if more => (
                DownloadState::Queued,
                None,
                Effect::Note(format!("{line} is here; what was wished meanwhile is next")),
            ),
            Ok(remark) => {
                let told = remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
                let NodeDownload { files, bytes, verified, .. } = self.shown;
                let note = format!("{line} is here: {files} files, {bytes} bytes, {verified} verified{told}");
                (DownloadState::Done, remark, Effect::Note(note))
            }
            Err(Broken { why, again: false }) => {
                (DownloadState::Failed, Some(why.clone()), Effect::Warn(format!("{line}: {why}")))
            }
            Err(Broken { why, again: true }) => match self.tries.broke(now, patience) {
                Some(delay) => {
                    let seconds = delay.as_secs();
                    let warning = Effect::Warn(format!("{line} is tried again in {seconds} s: {why}"));
                    (DownloadState::Queued, Some(format!("{why}\n\ntried again in {seconds} s")), warning)
                }
                None => {
                    let why = format!("{why}\n\ngiven up after {} tries", self.tries.failed);
                    (DownloadState::Failed, Some(why.clone()), Effect::Warn(format!("{line}: {why}")))
                }
            },
        };
        self.shown.state = state;
        self.shown.error = error;
        self.stand_still();
        effect
    }

    /// Somebody broke it off.
    pub(crate) fn cancel(&mut self) {
        self.shown.state = DownloadState::Failed;
        self.shown.cancelled = true;
        self.shown.error = Some("cancelled: what has arrived stays, and the next download goes on from there".into());
        self.stand_still();
    }

    fn stand_still(&mut self) {
        (self.shown.rate_bytes_s, self.shown.left_s) = (None, None);
    }

    /// Brings rate and time left up to date; whether one came or went.
    fn reckon(&mut self, now: Mono) -> bool {
        if self.shown.state != DownloadState::Running {
            return false;
        }
        let rate = self.meter.rate(now);
        let before = std::mem::replace(&mut self.shown.rate_bytes_s, rate);
        let missing = self.shown.total_bytes.saturating_sub(self.shown.bytes);
        self.shown.left_s = rate.map(|rate| meter::left_s(missing, rate));
        before.is_some() != rate.is_some()
    }
}

impl Job {
    /// Brings the figures up to date.
    pub(crate) fn reckon(&mut self, now: Mono) {
        let mut changed = false;
        for part in self.parts.values_mut() {
            changed |= part.reckon(now);
        }
        if changed {
            self.unsaid = self.unsaid.max(Unsaid::Bytes);
        }
    }

    /// The nodes that send.
    pub(crate) fn sending(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.parts.iter().filter(|(_, part)| part.shown.state == DownloadState::Running).map(|(ip, _)| *ip)
    }

    /// What a restart goes on with.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Pending> + '_ {
        self.parts.iter().filter(|(_, part)| part.is_open()).map(|(ip, part)| Pending {
            take: self.take.clone(),
            ip: *ip,
            which: part.which.clone(),
            delete: part.delete.clone(),
        })
    }

    /// The whole of it.
    pub(crate) fn state(&self) -> DownloadState {
        let any = |state| self.parts.values().any(|part| part.shown.state == state);
        let all_wait = self.parts.values().all(|part| part.shown.state == DownloadState::Queued);
        match (any(DownloadState::Running), any(DownloadState::Queued), any(DownloadState::Failed)) {
            (false, true, _) if all_wait => DownloadState::Queued,
            (true, ..) | (_, true, _) => DownloadState::Running,
            (_, _, true) => DownloadState::Failed,
            _ => DownloadState::Done,
        }
    }

    /// What is said of it.
    pub(crate) fn view(&self) -> Download {
        let open = self.parts.values().filter(|part| part.is_open()).map(|part| &part.shown);
        let missing = open.map(|shown| shown.total_bytes.saturating_sub(shown.bytes)).sum();
        let (rate_bytes_s, left_s) = meter::together(self.parts.values().map(|part| &part.shown), missing);
        let nodes = self.parts.iter().map(|(ip, part)| (*ip, part.shown.clone())).collect();
        Download { take: self.take.clone(), state: self.state(), nodes, rate_bytes_s, left_s }
    }
}
