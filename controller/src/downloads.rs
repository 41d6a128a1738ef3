//! The downloads: which take comes from which node, in which order, and how far it is. Pure.
//!
//! A wish is first looked into (all nodes are asked what they have, one look at a time for all wishes that wait), then
//! answered; its parts, one for each node, wait in the queue. A part does not start while its node still writes the
//! take, nor while another part of that node is on its way.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use syncslate_shared::command::{Command, ErrorCode, Refusal};
use syncslate_shared::protocol::{Download, DownloadState, NodeDownload};
use syncslate_shared::take::TakeName;
use syncslate_shared::time::Mono;
use syncslate_shared::topic::Topic;

use crate::event::{Asker, Effect, Fetched, Listings, Now, Progress};
use crate::fleet::Fleet;
use crate::snapshot::TakeSummary;
use crate::takes::Takes;
use crate::wanted::{self, Wanted};

/// Progress is said at most this often for a take; a change of state at once.
const SAY_EVERY: Duration = Duration::from_millis(200);
/// Downloads that are remembered; those that ended longest ago go first.
const MAX_JOBS: usize = 100;
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

/// The queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Downloads {
    parallel: usize,
    /// Oldest first.
    jobs: Vec<Job>,
    /// Wishes that the look under way will answer; `None` when none is.
    looking: Option<Vec<Wished>>,
    /// Wishes that came in meanwhile.
    waiting: Vec<Wished>,
}

#[derive(Clone, Debug, PartialEq)]
struct Job {
    take: TakeName,
    parts: BTreeMap<Ipv4Addr, NodeDownload>,
    said: Option<Mono>,
    unsaid: Unsaid,
}

/// What has not been told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unsaid {
    Nothing,
    Bytes,
    State,
}

impl Downloads {
    /// An empty queue that lets `parallel` nodes send at once.
    pub fn new(parallel: usize) -> Self {
        Self { parallel: parallel.max(1), jobs: Vec::new(), looking: None, waiting: Vec::new() }
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
        for Wished { asker, command, take, nodes } in self.looking.take().unwrap_or_default() {
            let outcome = wanted::choose(take.as_ref(), nodes.as_deref(), listings, around).map(|wanted| {
                let about = wanted.iter().rev().find_map(|w| take.as_ref().and(w.newest.clone()));
                wanted.into_iter().for_each(|wanted| self.enqueue(wanted));
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
        part.files = progress.files;
        part.bytes = progress.bytes;
        part.total_bytes = progress.total_bytes;
        part.verified = progress.verified;
        *job = (*job).max(Unsaid::Bytes);
    }

    /// A part ended.
    pub fn fetched(&mut self, take: &TakeName, ip: Ipv4Addr, outcome: Fetched) -> Vec<Effect> {
        let Some((unsaid, part)) = self.running(take, ip) else { return Vec::new() };
        *unsaid = Unsaid::State;
        let (state, error) = match outcome {
            Ok(remark) => (DownloadState::Done, remark),
            Err(error) => (DownloadState::Failed, Some(error)),
        };
        part.state = state;
        part.error.clone_from(&error);
        let line = format!("the footage of {take} from {ip}");
        vec![match (state, error) {
            (DownloadState::Done, None) => Effect::Note(format!(
                "{line} is here: {} files, {} bytes, {} verified",
                part.files, part.bytes, part.verified
            )),
            (_, why) => Effect::Warn(format!("{line}: {}", why.unwrap_or_default())),
        }]
    }

    /// Starts what can start, and says what is due.
    pub fn go_on(&mut self, now: Mono, around: Around<'_>) -> Vec<Effect> {
        let mut effects = self.start_parts(around);
        for job in &mut self.jobs {
            let due = job.said.is_none_or(|said| now.since(said) >= SAY_EVERY);
            if job.unsaid == Unsaid::State || (job.unsaid == Unsaid::Bytes && due) {
                job.unsaid = Unsaid::Nothing;
                job.said = Some(now);
                effects.push(Effect::say(Topic::Progress(job.take.clone()), &job.view()));
            }
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

    fn enqueue(&mut self, wanted: Wanted) {
        let mut parts = BTreeMap::new();
        if let Some(at) = self.jobs.iter().position(|job| job.take == wanted.take) {
            // The same take again: what is under way goes on, the rest begins anew; it counts as the newest.
            parts = self.jobs.remove(at).parts;
        }
        for (ip, part) in wanted.parts {
            let busy = |old: &NodeDownload| matches!(old.state, DownloadState::Queued | DownloadState::Running);
            if !parts.get(&ip).is_some_and(busy) {
                parts.insert(ip, part);
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

    fn running(&mut self, take: &TakeName, ip: Ipv4Addr) -> Option<(&mut Unsaid, &mut NodeDownload)> {
        let job = self.jobs.iter_mut().find(|job| job.take == *take)?;
        let part = job.parts.get_mut(&ip).filter(|part| part.state == DownloadState::Running)?;
        Some((&mut job.unsaid, part))
    }

    fn start_parts(&mut self, around: Around<'_>) -> Vec<Effect> {
        let mut sending: Vec<Ipv4Addr> = self.jobs.iter().flat_map(Job::sending).collect();
        let rolling = around.takes.rolling().map(|take| &take.id);
        let mut effects = Vec::new();
        for job in &mut self.jobs {
            for (ip, part) in job.parts.iter_mut().filter(|(_, part)| part.state == DownloadState::Queued) {
                if sending.len() >= self.parallel || sending.contains(ip) || around.fleet.writes(*ip, &job.take) {
                    continue;
                }
                sending.push(*ip);
                part.state = DownloadState::Running;
                job.unsaid = Unsaid::State;
                let without = rolling.filter(|id| id.name == job.take).cloned();
                effects.push(Effect::Fetch { take: job.take.clone(), ip: *ip, without });
            }
        }
        effects
    }
}

impl Job {
    fn sending(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.parts.iter().filter(|(_, part)| part.state == DownloadState::Running).map(|(ip, _)| *ip)
    }

    fn state(&self) -> DownloadState {
        let any = |state| self.parts.values().any(|part| part.state == state);
        let all_wait = self.parts.values().all(|part| part.state == DownloadState::Queued);
        match (any(DownloadState::Running), any(DownloadState::Queued), any(DownloadState::Failed)) {
            (false, true, _) if all_wait => DownloadState::Queued,
            (true, ..) | (_, true, _) => DownloadState::Running,
            (_, _, true) => DownloadState::Failed,
            _ => DownloadState::Done,
        }
    }

    fn view(&self) -> Download {
        Download { take: self.take.clone(), state: self.state(), nodes: self.parts.clone() }
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
