//! The downloads: which take comes from which node, in which order, and how far it is. Pure.
//!
//! A wish is first looked into (all nodes are asked what they have, one look at a time for all wishes that wait), then
//! answered; its parts, one for each node, wait in the queue. A part does not start while its node still writes the
//! take, nor while another part of that node is on its way. One that breaks for a reason that may pass waits in the
//! queue for its next try, each time longer, until it has got nowhere for too long.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncslate_shared::command::{Command, ErrorCode, Refusal};
use syncslate_shared::protocol::{Download, DownloadState, NodeDownload};
use syncslate_shared::take::TakeName;
use syncslate_shared::time::Mono;
use syncslate_shared::topic::Topic;

use crate::event::{Asker, Broken, Effect, Fetched, Listings, Now, Progress};
use crate::fleet::Fleet;
use crate::snapshot::TakeSummary;
use crate::takes::Takes;
use crate::wanted::{self, Wanted};

/// Progress is said at most this often for a take; a change of state at once.
const SAY_EVERY: Duration = Duration::from_millis(200);
/// Downloads that are remembered; those that ended longest ago go first.
const MAX_JOBS: usize = 100;
/// A broken part is tried again after this time, then after twice as much and so on.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// But not after more: somebody may stand there and wait for the network.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Wishes that wait for an answer; who asks faster than nodes can be listed is turned away.
const MAX_WISHES: usize = 32;

/// A wish for footage and who waits for its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Wished {
    /// Who asked.
    pub asker: Asker,
    /// The command, for its answer.
    pub command: Command,
    /// The take; `None` for everything that is not here.
    pub take: Option<TakeName>,
    /// Only these nodes; `None` for all.
    pub nodes: Option<Vec<Ipv4Addr>>,
    /// Delete the nodes' copies once they are proven equal.
    pub delete: bool,
}

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

/// A part that has not come to its end: what a restart goes on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The take.
    pub take: TakeName,
    /// The node.
    pub ip: Ipv4Addr,
    /// Delete the node's copies at the end.
    pub delete: bool,
}

/// The queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Downloads {
    parallel: usize,
    /// A part that has got nowhere for so long is given up.
    patience: Duration,
    /// Oldest first.
    jobs: Vec<Job>,
    /// Wishes that the look under way will answer; `None` when none is.
    looking: Option<Vec<Wished>>,
    /// Wishes that came in meanwhile.
    waiting: Vec<Wished>,
    /// What was kept last for a restart.
    kept: Vec<Pending>,
}

#[derive(Clone, Debug, PartialEq)]
struct Job {
    take: TakeName,
    parts: BTreeMap<Ipv4Addr, Part>,
    said: Option<Mono>,
    unsaid: Unsaid,
}

#[derive(Clone, Debug, PartialEq)]
struct Part {
    shown: NodeDownload,
    /// Delete the node's copies at the end.
    delete: bool,
    /// Whether the transfer under way will do that: it may have been wished after its start.
    deleting: bool,
    /// How it stands with its tries.
    tries: Tries,
}

/// The tries of a part since it last came further than ever before.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tries {
    /// How far it ever came, in bytes.
    most: u64,
    failed: u32,
    /// When the first of them failed.
    since: Option<Mono>,
    /// The next one starts no earlier.
    due: Option<Mono>,
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
enum Unsaid {
    Nothing,
    Bytes,
    State,
}

impl Downloads {
    /// An empty queue that lets `parallel` nodes send at once, and gives a part up that got nowhere for `patience`.
    /// It begins with what was `kept` before a restart.
    pub fn new(parallel: usize, patience: Duration, kept: Vec<Pending>) -> Self {
        let mut downloads = Self {
            parallel: parallel.max(1),
            patience,
            jobs: Vec::new(),
            looking: None,
            waiting: Vec::new(),
            kept: kept.clone(),
        };
        for Pending { take, ip, delete } in kept {
            let parts = BTreeMap::from([(ip, wanted::queued(&[]))]);
            downloads.enqueue(Wanted { take, newest: None, parts }, delete);
        }
        downloads
    }

    /// Takes a wish in; it is answered when the nodes have been asked.
    ///
    /// # Errors
    /// Why it is refused at once.
    pub fn wish(&mut self, wished: Wished, around: Around<'_>) -> Result<Vec<Effect>, Refusal> {
        refuse_early(&wished, around)?;
        if self.waiting.len() >= MAX_WISHES {
            return Err(Refusal::new(ErrorCode::Busy, format!("{MAX_WISHES} wishes for footage wait already")));
        }
        self.waiting.push(wished);
        Ok(self.look(around))
    }

    /// The nodes have been asked: answers the wishes, fills the queue.
    pub fn listed(&mut self, now: Now, listings: &Listings, around: Around<'_>) -> Vec<Effect> {
        let mut effects: Vec<_> = listings
            .iter()
            .filter_map(|(ip, listing)| {
                Some(Effect::Warn(format!("{ip} could not be asked for its footage: {}", listing.as_ref().err()?)))
            })
            .collect();
        for Wished { asker, command, take, nodes, delete } in self.looking.take().unwrap_or_default() {
            let outcome = wanted::choose(take.as_ref(), nodes.as_deref(), listings, around).map(|wanted| {
                let about = wanted.iter().rev().find_map(|w| take.as_ref().and(w.newest.clone()));
                wanted.into_iter().for_each(|wanted| self.enqueue(wanted, delete));
                about
            });
            effects.push(Effect::Answer { asker, result: Box::new(command.answer(outcome, now.wall)) });
        }
        effects.extend(self.look(around));
        effects
    }

    /// A part went on.
    pub fn progress(&mut self, take: &TakeName, ip: Ipv4Addr, progress: Progress) {
        let Some((job, part)) = self.running(take, ip) else { return };
        part.tries.came_to(progress.bytes);
        part.shown.files = progress.files;
        part.shown.bytes = progress.bytes;
        part.shown.total_bytes = progress.total_bytes;
        part.shown.verified = progress.verified;
        *job = (*job).max(Unsaid::Bytes);
    }

    /// A part ended.
    pub fn fetched(&mut self, now: Mono, take: &TakeName, ip: Ipv4Addr, outcome: Fetched) -> Vec<Effect> {
        let patience = self.patience;
        let Some((unsaid, part)) = self.running(take, ip) else { return Vec::new() };
        *unsaid = Unsaid::State;
        let line = format!("the footage of {take} from {ip}");
        let (state, error) = match outcome {
            Ok(_) if part.delete && !part.deleting => (DownloadState::Queued, None),
            Ok(remark) => (DownloadState::Done, remark),
            Err(Broken { why, again: false }) => (DownloadState::Failed, Some(why)),
            Err(Broken { why, again: true }) => match part.tries.broke(now, patience) {
                Some(delay) => {
                    part.shown.state = DownloadState::Queued;
                    part.shown.error = Some(format!("{why}\n\ntried again in {} s", delay.as_secs()));
                    let line = format!("{line} is tried again in {} s: {why}", delay.as_secs());
                    return vec![Effect::Warn(line)];
                }
                None => {
                    let why = format!("{why}\n\ngiven up after {} tries", part.tries.failed);
                    (DownloadState::Failed, Some(why))
                }
            },
        };
        part.shown.state = state;
        part.shown.error.clone_from(&error);
        let shown = &part.shown;
        vec![match (state, error) {
            (DownloadState::Done, remark) => Effect::Note(format!(
                "{line} is here: {} files, {} bytes, {} verified{}",
                shown.files,
                shown.bytes,
                shown.verified,
                remark.map(|remark| format!("; {remark}")).unwrap_or_default()
            )),
            (DownloadState::Queued, _) => Effect::Note(format!("{line} is here; the node's copies go next")),
            (_, why) => Effect::Warn(format!("{line}: {}", why.unwrap_or_default())),
        }]
    }

    /// Starts what can start, and says what is due.
    pub fn go_on(&mut self, now: Mono, around: Around<'_>) -> Vec<Effect> {
        let mut effects = self.start_parts(now, around);
        for job in &mut self.jobs {
            let due = job.said.is_none_or(|said| now.since(said) >= SAY_EVERY);
            if job.unsaid == Unsaid::State || (job.unsaid == Unsaid::Bytes && due) {
                job.unsaid = Unsaid::Nothing;
                job.said = Some(now);
                effects.push(Effect::say(Topic::Progress(job.take.clone()), &job.view()));
            }
        }
        let pending: Vec<_> = self.jobs.iter().flat_map(Job::pending).collect();
        if pending != self.kept {
            self.kept.clone_from(&pending);
            effects.push(Effect::KeepQueue(pending));
        }
        effects
    }

    /// For the picture of everything, newest first.
    pub fn view(&self) -> Vec<Download> {
        self.jobs.iter().rev().map(Job::view).collect()
    }

    fn look(&mut self, around: Around<'_>) -> Vec<Effect> {
        if self.looking.is_some() || self.waiting.is_empty() {
            return Vec::new();
        }
        let wishes = std::mem::take(&mut self.waiting);
        let named = |ip: &Ipv4Addr| wishes.iter().any(|w| w.nodes.as_ref().is_none_or(|nodes| nodes.contains(ip)));
        let nodes = around.fleet.known().filter(named).collect();
        self.looking = Some(wishes);
        vec![Effect::List { nodes }]
    }

    fn enqueue(&mut self, wanted: Wanted, delete: bool) {
        let mut parts = BTreeMap::new();
        if let Some(at) = self.jobs.iter().position(|job| job.take == wanted.take) {
            // The same take again: what is under way goes on, the rest begins anew; it counts as the newest.
            parts = self.jobs.remove(at).parts;
        }
        for (ip, shown) in wanted.parts {
            match parts.get_mut(&ip) {
                Some(Part { shown, .. }) if shown.state == DownloadState::Running && !delete => {}
                Some(Part { shown, delete: old, tries, .. }) if shown.state == DownloadState::Queued => {
                    // Somebody wishes it now: there is no waiting for its next try.
                    (*old, tries.due) = (*old || delete, None);
                }
                Some(Part { shown, delete, .. }) if shown.state == DownloadState::Running => *delete = true,
                _ => {
                    parts.insert(ip, Part { shown, delete, deleting: false, tries: Tries::default() });
                }
            }
        }
        self.jobs.push(Job { take: wanted.take, parts, said: None, unsaid: Unsaid::State });
        if self.jobs.len() > MAX_JOBS
            && let Some(at) =
                self.jobs.iter().position(|j| matches!(j.state(), DownloadState::Done | DownloadState::Failed))
        {
            self.jobs.remove(at);
        }
    }

    fn running(&mut self, take: &TakeName, ip: Ipv4Addr) -> Option<(&mut Unsaid, &mut Part)> {
        let job = self.jobs.iter_mut().find(|job| job.take == *take)?;
        let part = job.parts.get_mut(&ip).filter(|part| part.shown.state == DownloadState::Running)?;
        Some((&mut job.unsaid, part))
    }

    fn start_parts(&mut self, now: Mono, around: Around<'_>) -> Vec<Effect> {
        let mut sending: Vec<Ipv4Addr> = self.jobs.iter().flat_map(Job::sending).collect();
        let rolling = around.takes.rolling().map(|take| &take.id);
        let mut effects = Vec::new();
        for job in &mut self.jobs {
            for (ip, part) in job.parts.iter_mut().filter(|(_, part)| part.waits(now)) {
                if sending.len() >= self.parallel || sending.contains(ip) || around.fleet.writes(*ip, &job.take) {
                    continue;
                }
                sending.push(*ip);
                part.shown.state = DownloadState::Running;
                part.shown.error = None;
                part.deleting = part.delete;
                job.unsaid = Unsaid::State;
                let without = rolling.filter(|id| id.name == job.take).cloned();
                effects.push(Effect::Fetch { take: job.take.clone(), ip: *ip, without, delete: part.delete });
            }
        }
        effects
    }
}

impl Part {
    fn waits(&self, now: Mono) -> bool {
        self.shown.state == DownloadState::Queued && self.tries.due.is_none_or(|due| due <= now)
    }
}

impl Job {
    fn sending(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.parts.iter().filter(|(_, part)| part.shown.state == DownloadState::Running).map(|(ip, _)| *ip)
    }

    fn pending(&self) -> impl Iterator<Item = Pending> + '_ {
        let open = |part: &Part| matches!(part.shown.state, DownloadState::Queued | DownloadState::Running);
        let parts = self.parts.iter().filter(move |(_, part)| open(part));
        parts.map(|(ip, part)| Pending { take: self.take.clone(), ip: *ip, delete: part.delete })
    }

    fn state(&self) -> DownloadState {
        let any = |state| self.parts.values().any(|part| part.shown.state == state);
        let all_wait = self.parts.values().all(|part| part.shown.state == DownloadState::Queued);
        match (any(DownloadState::Running), any(DownloadState::Queued), any(DownloadState::Failed)) {
            (false, true, _) if all_wait => DownloadState::Queued,
            (true, ..) | (_, true, _) => DownloadState::Running,
            (_, _, true) => DownloadState::Failed,
            _ => DownloadState::Done,
        }
    }

    fn view(&self) -> Download {
        let nodes = self.parts.iter().map(|(ip, part)| (*ip, part.shown.clone())).collect();
        Download { take: self.take.clone(), state: self.state(), nodes }
    }
}

fn refuse_early(wished: &Wished, around: Around<'_>) -> Result<(), Refusal> {
    if let Some(stranger) = wished.nodes.iter().flatten().find(|ip| !around.fleet.known().any(|known| known == **ip)) {
        return Err(Refusal::new(
            ErrorCode::NoNodes,
            format!("field `nodes`: {stranger} is no node that was ever heard of"),
        ));
    }
    if around.fleet.known().next().is_none() || wished.nodes.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::new(ErrorCode::NoNodes, "there is no node to fetch footage from"));
    }
    if let (Some(name), Some(rolling)) = (&wished.take, around.takes.rolling())
        && rolling.id.name == *name
    {
        return Err(Refusal::new(ErrorCode::Busy, format!("the take {} is rolling: STOP it first", rolling.id)));
    }
    Ok(())
}

#[cfg(test)]
#[path = "downloads_tests.rs"]
mod tests;
