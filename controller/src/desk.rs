//! The whole state of the controller and all its decisions: events in, effects out. Pure.
//!
//! Commands from MQTT and from the page come through the same function here, and each is answered.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use syncslate_shared::command::{CameraWish, Command, CommandResult, ErrorCode, Refusal, Wish};
use syncslate_shared::link::LinkEvent;
use syncslate_shared::protocol::{ControllerStatus, Level, Presence};
use syncslate_shared::take::Stamp;
use syncslate_shared::time::{Mono, Wall};
use syncslate_shared::topic::Topic;

use crate::VERSION;
use crate::cameras::{self, Cameras, Outcome};
use crate::chronicle::{Happening, Kind};
use crate::downloads::{Downloads, Pace, Wished};
use crate::echo::Echoes;
use crate::errand::Pending;
use crate::event::{Asker, Effect, Event, Now, Remark};
use crate::fleet::Fleet;
use crate::journal::Journal;
use crate::marks;
use crate::once::Once;
use crate::orders::{self, Orders};
use crate::preflight;
use crate::snapshot::{NodeView, RECENT, Set, Snapshot, TakeSummary};
use crate::takes::Takes;
use crate::wanted::Around;
use crate::which::Which;
use crate::wishes::Wishes;

/// What happened to the broker stands on the page for so long.
const SHOWN: Duration = Duration::from_secs(3600);
/// So many of these at most; the log has all.
const PASSING: usize = 5;

/// What the desk is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeskSettings {
    /// The length of new takes' segments in seconds.
    pub segment_s: u32,
    /// How many nodes may send footage at once.
    pub parallel: usize,
    /// A part of a download that has got nowhere for so long is given up.
    pub patience: Duration,
    /// Fetch a take's closed files while it rolls.
    pub while_rolling: bool,
    /// Parts of downloads that a restart broke off.
    pub pending: Vec<Pending>,
    /// Nodes that belong to the set: one that is not there is missed.
    pub roster: Vec<Ipv4Addr>,
    /// Whether START is refused while something speaks against it.
    pub require_ready: bool,
    /// What was wished of the cameras.
    pub cameras: Wishes,
    /// What the operator should know for as long as the program runs.
    pub notices: Vec<String>,
}

/// The state.
#[derive(Clone, Debug, PartialEq)]
pub struct Desk {
    takes: Takes,
    fleet: Fleet,
    cameras: Cameras,
    downloads: Downloads,
    orders: Orders,
    library: Arc<[TakeSummary]>,
    require_ready: bool,
    echoes: Echoes,
    once: Once,
    notices: Vec<String>,
    /// What happened to the broker lately, and when.
    passing: VecDeque<(Mono, String)>,
    broker_lost: Option<String>,
    journal_lost: Option<String>,
}

impl Desk {
    /// Goes on where the journal ends.
    pub fn new(journal: Journal, settings: DeskSettings) -> Self {
        let roster: Vec<Ipv4Addr> = journal.take.iter().flat_map(|take| take.nodes.clone()).collect();
        let cameras = Cameras::new(settings.cameras, settings.segment_s);
        Self {
            takes: Takes::new(journal, cameras.segment_s()),
            cameras,
            fleet: Fleet::new(roster, settings.roster),
            require_ready: settings.require_ready,
            orders: Orders::default(),
            downloads: Downloads::new(
                Pace {
                    parallel: settings.parallel,
                    patience: settings.patience,
                    while_rolling: settings.while_rolling,
                },
                settings.pending,
            ),
            library: Arc::default(),
            echoes: Echoes::default(),
            once: Once::default(),
            notices: settings.notices,
            passing: VecDeque::new(),
            broker_lost: None,
            journal_lost: None,
        }
    }

    /// What is said first of all.
    pub fn begin(&self, now: Now) -> Vec<Effect> {
        let mut effects = self.takes.say_all();
        effects.extend(self.cameras.say_all());
        effects.push(Effect::say(Topic::Controller, &presence(Presence::Online, now.wall)));
        if let Some(take) = self.takes.rolling() {
            effects.push(Effect::Note(format!("the take {} is rolling since {} and goes on", take.id, take.t0)));
        }
        effects
    }

    /// What the book says of this program's start.
    pub fn started(&self) -> Happening {
        let goes_on = self.takes.rolling().map(|take| format!(": {} is rolling and goes on", take.id.name));
        let text = format!("the controller {VERSION} starts{}", goes_on.unwrap_or_default());
        Happening::new(Level::Info, Kind::Controller, text)
    }

    /// Decides.
    pub fn on(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut effects = match event {
            Event::Link(LinkEvent::Message { topic, payload, retain }) => self.message(now, &topic, &payload, retain),
            Event::RetainRefused { topic, payload } => match topic.strip_prefix("cmd/") {
                Some(word) => self.command(now, Asker::Mqtt, Command::retained(word, &payload)),
                None => Vec::new(),
            },
            Event::Asked { command, asker } => self.command(now, asker, command),
            Event::Listed(listings) => {
                let around = Around { takes: &self.takes, fleet: &self.fleet, library: &self.library };
                self.downloads.listed(now, &listings, around)
            }
            Event::Progress { take, ip, progress } => {
                self.downloads.progress(now.mono, &take, ip, progress);
                Vec::new()
            }
            Event::Fetched { take, ip, outcome } => self.downloads.fetched(now.mono, &take, ip, outcome),
            Event::Library(library) => self.shelved(library),
            Event::Link(LinkEvent::Up) => {
                self.echoes.forget();
                self.broker_lost
                    .take()
                    .map(|_| Effect::Note("the broker is reached again".into()))
                    .into_iter()
                    .collect()
            }
            Event::Link(LinkEvent::Down { why }) => {
                self.broker_lost = Some(format!("no connection to the broker, so no node hears a command: {why}"));
                Vec::new()
            }
            Event::Broker { notice } => self.show(now, &notice),
            Event::NotKept(why) => {
                self.show(now, &why);
                vec![Effect::Warn(why)]
            }
            Event::Kept(outcome) => self.kept(outcome),
            Event::Remarked { asker, command, id, n, outcome } => {
                let mark = outcome.is_ok().then_some(n);
                let result = CommandResult { mark, ..command.answer(outcome.map(|()| Some(id)), now.wall) };
                vec![Effect::Answer { asker, result: Box::new(result) }]
            }
            Event::Tick => {
                self.passing.retain(|(since, _)| now.mono.since(*since) < SHOWN);
                let mut effects = self.fleet.tick(now.mono);
                effects.extend(self.orders.tick(now));
                effects
            }
        };
        let around = Around { takes: &self.takes, fleet: &self.fleet, library: &self.library };
        effects.extend(self.downloads.go_on(now.mono, around));
        effects
    }

    /// The picture of everything.
    pub fn snapshot(&self, at: Wall) -> Snapshot {
        let passing = self.passing.iter().map(|(_, notice)| notice);
        let passing = passing.chain(&self.broker_lost).chain(&self.journal_lost);
        Snapshot {
            take: self.takes.current(),
            marks: self.takes.journal().marks(),
            nodes: self.nodes(),
            cameras: Set { segment_s: self.cameras.segment_s(), wishes: self.cameras.wishes() },
            downloads: self.downloads.view(),
            takes: Arc::clone(&self.library),
            next_name: self.takes.next_name(),
            proposal: self.takes.proposal(),
            notices: self.notices.iter().chain(passing).cloned().collect(),
            latest_event: 0,
            version: VERSION,
            at,
        }
    }

    /// The nodes with all that is to be known of them.
    fn nodes(&self) -> Vec<NodeView> {
        let mut nodes = self.fleet.view();
        self.cameras.look(&mut nodes);
        nodes
    }

    /// For an hour, with the time.
    fn show(&mut self, now: Now, notice: &str) -> Vec<Effect> {
        if self.passing.len() == PASSING {
            self.passing.pop_front();
        }
        self.passing.push_back((now.mono, format!("{}: {notice}", Stamp::local(now.wall).readable())));
        Vec::new()
    }

    /// For tests of what needs them.
    #[cfg(test)]
    pub(crate) fn parts(&self) -> (&Takes, &Fleet) {
        (&self.takes, &self.fleet)
    }

    fn message(&mut self, now: Now, topic: &str, payload: &[u8], retain: bool) -> Vec<Effect> {
        if let Some(word) = topic.strip_prefix("cmd/").or_else(|| (topic == "cmd").then_some("")) {
            return match Topic::parse(topic) {
                // Our own voice. What somebody left there with the retain flag is taken off all the same.
                Some(Topic::Result | Topic::PreviewLease) if !retain => Vec::new(),
                _ if retain => self.retained(now, topic, word, payload),
                _ if self.echoes.take(now.mono, topic, payload) => Vec::new(),
                _ => self.command(now, Asker::Mqtt, Command::read(word, payload)),
            };
        }
        if let Some(name) = topic.strip_prefix("answer/") {
            return self.orders.heard(now, name, payload);
        }
        let Some(name) = topic.strip_prefix("status/") else { return Vec::new() };
        let mut effects = self.fleet.heard(now, name, payload, retain);
        if let Some(ip) = name.parse().ok().filter(|ip| self.fleet.is_online(*ip)) {
            effects.extend(self.takes.joined(ip));
        }
        effects
    }

    fn retained(&mut self, now: Now, topic: &str, word: &str, payload: &[u8]) -> Vec<Effect> {
        self.echoes.expect(now.mono, topic);
        let mut effects = vec![Effect::Clear { topic: topic.to_owned() }];
        effects.extend(self.command(now, Asker::Mqtt, Command::retained(word, payload)));
        effects
    }

    /// The one way of all commands.
    fn command(&mut self, now: Now, asker: Asker, command: Command) -> Vec<Effect> {
        if let Some(result) = self.once.again(now.mono, &command).filter(|result| self.still_holds(&command, result)) {
            return vec![Effect::Answer { asker, result: Box::new(result.clone()) }];
        }
        let warnings = match &command.wish {
            Ok(Wish::Start { .. }) => preflight::reasons(&self.nodes()),
            _ => Vec::new(),
        };
        let outcome = match command.wish.clone() {
            Ok(Wish::Camera { nodes, to, segment_s }) => {
                return self.set_cameras(now, asker, &command, nodes.as_deref(), &to, segment_s);
            }
            Ok(Wish::Cancel { take, nodes }) => {
                let mut effects = Vec::new();
                let outcome = self.downloads.cancel(now, take.as_ref(), nodes.as_deref()).map(|done| {
                    effects = done;
                    None
                });
                effects.push(Effect::Answer { asker, result: Box::new(command.answer(outcome, now.wall)) });
                return effects;
            }
            Ok(Wish::Download { take, nodes, stamp, delete_after_verify: delete }) => {
                let which = Which::named(stamp);
                match self.download(Wished { asker, command: command.clone(), take, nodes, which, delete }) {
                    // It is answered when the nodes have said what they have.
                    Ok(effects) => return effects,
                    Err(refusal) => Err(refusal),
                }
            }
            Ok(Wish::Order { action, nodes, force }) => {
                let wished = orders::Wished { asker, command: command.clone(), action, nodes, force };
                let rolling = self.takes.rolling().map(|take| &take.id);
                match self.orders.wish(now, wished, rolling, &self.fleet) {
                    // It is answered when the nodes have answered.
                    Ok(effects) => return effects,
                    Err(refusal) => Err(refusal),
                }
            }
            Ok(Wish::Remark { take: Some(id), n, change }) if self.takes.current().id.as_ref() != Some(&id) => {
                match marks::of_library(&self.library, &id) {
                    // It is answered when the list beside the footage is written.
                    Ok(folder) => {
                        return vec![Effect::Remark(Box::new(Remark { asker, command, folder, id, n, change }))];
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            Ok(wish) => self.obey(now.wall, wish, &warnings),
            Err(refusal) => Err(refusal),
        };
        let warnings = if outcome.is_ok() { warnings } else { Vec::new() };
        let mut effects = Vec::new();
        let outcome = outcome.map(|done| {
            effects = done;
            self.takes.journal().take.as_ref().map(|take| take.id.clone())
        });
        effects.push(match &outcome {
            Ok(take) => {
                Effect::Note(format!("{} {}", command.word, take.as_ref().map(ToString::to_string).unwrap_or_default()))
            }
            Err(e) => {
                Effect::Warn(format!("cmd/{} is refused ({}): {e}", command.word.escape_debug(), e.code.as_str()))
            }
        });
        let mark = outcome.as_ref().ok().and_then(|_| self.marked(&command));
        let result = CommandResult { warnings, mark, ..command.answer(outcome, now.wall) };
        if result.ok {
            self.once.note(now.mono, &command, &result);
        }
        effects.push(Effect::Answer { asker, result: Box::new(result) });
        effects
    }

    /// Whether an answer to a command that came again is still true: who rolls after a STOP means a new take.
    fn still_holds(&self, command: &Command, result: &CommandResult) -> bool {
        let same = self.takes.current().id == result.take;
        match &command.wish {
            Ok(Wish::Start { .. }) => same && self.takes.rolling().is_some(),
            Ok(Wish::Stop { .. }) => same && self.takes.rolling().is_none(),
            _ => same,
        }
    }

    /// The number of the mark that a command was about.
    fn marked(&self, command: &Command) -> Option<u32> {
        match &command.wish {
            Ok(Wish::Mark { .. }) => self.takes.journal().marks.last().map(|mark| mark.n),
            Ok(Wish::Remark { n, .. }) => Some(*n),
            _ => None,
        }
    }

    /// Does at once what can be done at once; `reasons` speak against a START.
    fn obey(&mut self, now: Wall, wish: Wish, reasons: &[String]) -> Result<Vec<Effect>, Refusal> {
        match wish {
            Wish::Start { take, at, force } => {
                let roster = self.fleet.roster();
                let could = self.takes.rolling().is_none() && !roster.is_empty();
                if self.require_ready && could && !force && !reasons.is_empty() {
                    return Err(preflight::refusal(reasons));
                }
                self.takes.heard_of(self.fleet.takes().cloned());
                self.takes.start(now, take, at, &roster)
            }
            Wish::Stop { at } => self.takes.stop(now, at),
            Wish::Mark { at, note } => self.takes.mark(now, at, note),
            Wish::Remark { n, change, .. } => self.takes.remark(n, &change).map(|mut effects| {
                effects.extend(self.marks_beside_footage());
                effects
            }),
            Wish::Download { .. } | Wish::Cancel { .. } | Wish::Order { .. } | Wish::Camera { .. } => Ok(Vec::new()),
        }
    }

    fn set_cameras(
        &mut self,
        now: Now,
        asker: Asker,
        command: &Command,
        nodes: Option<&[Ipv4Addr]>,
        to: &CameraWish,
        segment_s: Option<Option<u32>>,
    ) -> Vec<Effect> {
        let wished = cameras::Wished { nodes, to, segment_s };
        let rolling = self.takes.rolling().map(|take| &take.id);
        let (outcome, error) = match self.cameras.wish(now.wall, &wished, &self.fleet.view(), rolling) {
            Ok(outcome) => (outcome, None),
            Err(refusal) => (Outcome::default(), Some(refusal)),
        };
        self.takes.set_segment_s(self.cameras.segment_s());
        let Outcome { mut effects, done, warnings } = outcome;
        effects.push(match &error {
            None => Effect::Note(format!("cameras are set: {}", done.join("; "))),
            Some(e) => Effect::Warn(format!("cmd/camera is refused ({}): {e}", e.code.as_str())),
        });
        let answer = command.answer(error.map_or(Ok(None), Err), now.wall);
        effects.push(Effect::Answer { asker, result: Box::new(CommandResult { warnings, done, ..answer }) });
        effects
    }

    /// Footage that is here keeps the marks as they were when it came: the corrected ones lie beside it.
    fn marks_beside_footage(&self) -> Option<Effect> {
        let marks = self.takes.journal().marks();
        let folder = marks::of_library(&self.library, marks.id.as_ref()?).ok()?;
        self.takes.rolling().is_none().then_some(Effect::KeepMarks { folder, marks })
    }

    fn download(&mut self, wished: Wished) -> Result<Vec<Effect>, Refusal> {
        if wished.delete && wished.take.is_none() {
            return Err(Refusal::new(
                ErrorCode::Malformed,
                "field `delete_after_verify`: footage is only deleted of a take that is named: nothing was deleted",
            ));
        }
        if wished.which != Which::ALL && wished.take.is_none() {
            return Err(Refusal::new(ErrorCode::Malformed, "field `stamp`: it tells takes of one name apart: name it"));
        }
        let around = Around { takes: &self.takes, fleet: &self.fleet, library: &self.library };
        self.downloads.wish(wished, around)
    }

    fn shelved(&mut self, library: Vec<TakeSummary>) -> Vec<Effect> {
        self.takes.heard_of(library.iter().flat_map(|summary| summary.ids.iter().cloned()));
        self.takes.heard_of_folders(library.iter().map(|summary| summary.take.clone()));
        let newest = library.get(..RECENT).unwrap_or(&library);
        let json = serde_json::to_string(newest).unwrap_or_default();
        self.library = library.into();
        vec![Effect::News { topic: "takes".into(), json }]
    }

    fn kept(&mut self, outcome: Result<(), String>) -> Vec<Effect> {
        let lost = outcome.err();
        let changed = lost != self.journal_lost;
        self.journal_lost = lost;
        // A full disk here must not keep the cameras from rolling: it is said, loudly, and the take goes on.
        self.journal_lost.iter().filter(|_| changed).map(|why| Effect::Warn(why.clone())).collect()
    }
}

/// What is said of the controller itself.
pub fn presence(state: Presence, at: Wall) -> ControllerStatus {
    ControllerStatus { state, version: VERSION.to_owned(), at }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
