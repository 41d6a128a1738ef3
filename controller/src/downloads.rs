//! The downloads: which take comes from which node, in which order, and how far it is. Pure.
//!
//! A wish is first looked into (all nodes are asked what they have, one look at a time for all wishes that wait), then
//! answered; its parts, one for each node, wait in the queue. A part does not start while its node still writes the
//! take, nor while another part of that node is on its way. One that breaks for a reason that may pass waits in the
//! queue for its next try, each time longer, until it has got nowhere for too long.
//!
//! With `while_rolling` a take is in the queue from its START: whenever a node has closed a file, what is closed is
//! fetched; the rest follows when the node has closed the take.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use syncslate_shared::command::{Command, ErrorCode, Refusal};
use syncslate_shared::protocol::{Download, DownloadState};
use syncslate_shared::take::TakeName;
use syncslate_shared::time::Mono;
use syncslate_shared::topic::Topic;

use crate::errand::{Errand, Fetched, Growing, Listings, Pending, Progress};
use crate::event::{Asker, Effect, Now};
use crate::follow::Follow;
use crate::job::{Job, Part, Unsaid};
use crate::wanted::{self, Around, Wanted};
use crate::which::Which;

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
    /// Only these takes of the name.
    pub which: Which,
    /// Delete the nodes' copies once they are proven equal.
    pub delete: bool,
}

/// How the queue is worked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many nodes may send at once.
    pub parallel: usize,
    /// A part that has got nowhere for so long is given up.
    pub patience: Duration,
    /// Fetch a take's closed files while it rolls.
    pub while_rolling: bool,
}

/// The queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Downloads {
    pace: Pace,
    /// Oldest first.
    jobs: Vec<Job>,
    /// The take that is fetched while it rolls.
    follow: Follow,
    /// Wishes that the look under way will answer; `None` when none is.
    looking: Option<Vec<Wished>>,
    /// Wishes that came in meanwhile.
    waiting: Vec<Wished>,
    /// What was kept last for a restart.
    kept: Vec<Pending>,
}

impl Downloads {
    /// A queue that begins with what was `kept` before a restart.
    pub fn new(pace: Pace, kept: Vec<Pending>) -> Self {
        let mut downloads = Self {
            pace,
            jobs: Vec::new(),
            follow: Follow::default(),
            looking: None,
            waiting: Vec::new(),
            kept: kept.clone(),
        };
        for Pending { take, ip, which, delete } in kept {
            let parts = BTreeMap::from([(ip, wanted::queued(&[]))]);
            downloads.enqueue(Wanted { take, newest: None, parts }, &which, &delete);
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
        for Wished { asker, command, take, nodes, which, delete } in self.looking.take().unwrap_or_default() {
            let outcome = wanted::choose(take.as_ref(), nodes.as_deref(), &which, listings, around).map(|wanted| {
                let about = wanted.iter().rev().find_map(|w| take.as_ref().and(w.newest.clone()));
                let delete = if delete { which.clone() } else { Which::NONE };
                wanted.into_iter().for_each(|wanted| self.enqueue(wanted, &which, &delete));
                about
            });
            effects.push(Effect::Answer { asker, result: Box::new(command.answer(outcome, now.wall)) });
        }
        effects.extend(self.look(around));
        effects
    }

    /// Breaks downloads off, of `take` or of all, from `nodes` or from all. What has arrived stays.
    ///
    /// # Errors
    /// There is nothing to break off.
    pub fn cancel(
        &mut self,
        now: Now,
        take: Option<&TakeName>,
        nodes: Option<&[Ipv4Addr]>,
    ) -> Result<Vec<Effect>, Refusal> {
        let mut effects = self.withdraw(now, take);
        for job in self.jobs.iter_mut().filter(|job| take.is_none_or(|take| *take == job.take)) {
            let named = |ip: &Ipv4Addr| nodes.is_none_or(|nodes| nodes.contains(ip));
            for (ip, part) in job.parts.iter_mut().filter(|(ip, part)| named(ip) && part.is_open()) {
                if part.shown.state == DownloadState::Running {
                    effects.push(Effect::Abort { take: job.take.clone(), ip: *ip });
                }
                part.cancel();
                job.unsaid = Unsaid::State;
                effects.push(Effect::Note(format!("the footage of {} from {ip} is not fetched: cancelled", job.take)));
            }
        }
        if effects.is_empty() {
            let what = take.map_or_else(String::new, |take| format!(" of {take}"));
            let why = format!("no footage{what} is on its way or waits, so there is nothing to cancel");
            return Err(Refusal::new(ErrorCode::UnknownTake, why));
        }
        Ok(effects)
    }

    /// Answers the wishes for `take` (or all) that are still being looked into: they will not be fulfilled.
    fn withdraw(&mut self, now: Now, take: Option<&TakeName>) -> Vec<Effect> {
        let meant = |wished: &Wished| take.is_none_or(|take| wished.take.as_ref() == Some(take));
        let mut withdrawn = Vec::new();
        for wishes in self.looking.iter_mut().chain([&mut self.waiting]) {
            withdrawn.extend(wishes.extract_if(.., |wished| meant(wished)));
        }
        let answer = |wished: Wished| {
            let refusal = Refusal::new(ErrorCode::Busy, "it was cancelled before it began");
            let result = Box::new(wished.command.answer(Err(refusal), now.wall));
            Effect::Answer { asker: wished.asker, result }
        };
        withdrawn.into_iter().map(answer).collect()
    }

    /// A part went on.
    pub fn progress(&mut self, now: Mono, take: &TakeName, ip: Ipv4Addr, progress: Progress) {
        let Some((unsaid, part)) = self.running(take, ip) else { return };
        part.progress(now, progress);
        *unsaid = (*unsaid).max(Unsaid::Bytes);
    }

    /// A part ended.
    pub fn fetched(&mut self, now: Mono, take: &TakeName, ip: Ipv4Addr, outcome: Fetched) -> Vec<Effect> {
        if outcome.is_err() {
            self.follow.broke(ip);
        }
        let patience = self.pace.patience;
        let Some((unsaid, part)) = self.running(take, ip) else { return Vec::new() };
        *unsaid = Unsaid::State;
        vec![part.ended(now, &format!("the footage of {take} from {ip}"), patience, outcome)]
    }

    /// Starts what can start, and says what is due.
    pub fn go_on(&mut self, now: Mono, around: Around<'_>) -> Vec<Effect> {
        self.look_at_the_rolling(now, around);
        let mut effects = self.start_parts(now, around);
        for job in &mut self.jobs {
            job.reckon(now);
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

    /// A take that is fetched while it rolls is in the queue from its START.
    fn look_at_the_rolling(&mut self, now: Mono, around: Around<'_>) {
        let rolling = around.takes.rolling().filter(|_| self.pace.while_rolling);
        let new = self.follow.look(now, rolling, around.fleet);
        if let Some(take) = rolling.map(|take| take.id.name.clone()).filter(|_| !new.is_empty()) {
            let parts = new.into_iter().map(|ip| (ip, wanted::queued(&[]))).collect();
            self.enqueue(Wanted { take, newest: None, parts }, &Which::ALL, &Which::NONE);
        }
    }

    fn enqueue(&mut self, wanted: Wanted, which: &Which, delete: &Which) {
        let mut parts = BTreeMap::new();
        if let Some(at) = self.jobs.iter().position(|job| job.take == wanted.take) {
            // The same take again: what is under way goes on, the rest begins anew; it counts as the newest.
            parts = self.jobs.remove(at).parts;
        }
        for (ip, shown) in wanted.parts {
            match parts.get_mut(&ip) {
                Some(part) if part.is_open() => part.wished_again(which, delete),
                _ => {
                    parts.insert(ip, Part::new(shown, which.clone(), delete.clone()));
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
                let followed = self.follow.take_on(*ip).filter(|id| id.name == job.take);
                let ready = match followed {
                    Some(_) => self.follow.is_due(now, *ip),
                    None => !around.fleet.writes(*ip, &job.take),
                };
                if sending.len() >= self.pace.parallel.max(1) || sending.contains(ip) || !ready {
                    continue;
                }
                let growing = match followed {
                    Some(id) => Some(Growing::ClosedOnly(id.clone())),
                    None => rolling.filter(|id| id.name == job.take).cloned().map(Growing::LeftOut),
                };
                sending.push(*ip);
                part.start(followed.is_some());
                self.follow.begun(*ip);
                job.unsaid = Unsaid::State;
                let (which, delete) = part.doing.clone();
                let aes = around.fleet.has_aes(*ip);
                effects.push(Effect::Fetch(Errand { take: job.take.clone(), ip: *ip, which, delete, growing, aes }));
            }
        }
        effects
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
