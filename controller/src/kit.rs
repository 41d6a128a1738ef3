//! What the tests speak with: a desk with simulated clocks and nodes.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use syncslate_shared::command::{CommandResult, ErrorCode};
use syncslate_shared::link::LinkEvent;
use syncslate_shared::protocol::{CurrentTake, Download, Marks, read};
use syncslate_shared::time::{Clocks as _, SimClocks, Wall};
use syncslate_shared::topic::Topic;

use crate::desk::{Desk, DeskSettings};
use crate::event::{Effect, Event, Now};
use crate::journal::Journal;
use crate::wishes::Wishes;

/// Not on the grid, and no round number: 12:02:10.731009.
pub(crate) const NOON: i64 = 1_761_220_930_731_009;

/// The `n`th node's address.
pub(crate) fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, 100 + n)
}

/// A desk on a table of its own.
pub(crate) struct Rig {
    pub(crate) clocks: SimClocks,
    pub(crate) desk: Desk,
    /// The journal that was kept last.
    pub(crate) kept: Journal,
}

impl Rig {
    /// With `nodes` armed nodes that hold 4 s.
    pub(crate) fn new(nodes: u8) -> Self {
        let mut rig = Self::from(Journal::default());
        for n in 1..=nodes {
            rig.node(n, "armed", 900, 4.0);
        }
        rig
    }

    /// The same where START is refused unless all of `roster` is ready.
    pub(crate) fn strict(nodes: u8, roster: Vec<Ipv4Addr>) -> Self {
        let mut rig = Self::new(0);
        let settings = DeskSettings { segment_s: 60, roster, require_ready: true, ..DeskSettings::default() };
        rig.desk = Desk::new(Journal::default(), settings);
        for n in 1..=nodes {
            rig.node(n, "armed", 900, 4.0);
        }
        rig
    }

    pub(crate) fn from(journal: Journal) -> Self {
        let settings = DeskSettings {
            segment_s: 60,
            parallel: 2,
            patience: Duration::from_secs(100),
            while_rolling: false,
            pending: vec![],
            roster: vec![],
            require_ready: false,
            notices: vec![],
            cameras: Wishes::default(),
        };
        let clocks = SimClocks::new(Wall::from_micros(NOON), 37.0);
        Self { clocks, desk: Desk::new(journal.clone(), settings), kept: journal }
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: self.clocks.wall(), mono: self.clocks.mono() }
    }

    pub(crate) fn pass(&mut self, ms: u64) -> Vec<Effect> {
        self.clocks.pass(Duration::from_millis(ms));
        self.on(Event::Tick)
    }

    pub(crate) fn on(&mut self, event: Event) -> Vec<Effect> {
        let effects = self.desk.on(self.now(), event);
        for effect in &effects {
            match effect {
                Effect::Keep(journal) => self.kept = (**journal).clone(),
                // What is said is on the disk already.
                Effect::Say { topic: Topic::Take, payload } => {
                    let said: CurrentTake = read(payload).unwrap();
                    assert_eq!(said, CurrentTake::of(self.kept.take.as_ref()));
                }
                Effect::Say { topic: Topic::Marks, payload } => {
                    assert_eq!(read::<Marks>(payload).unwrap(), self.kept.marks());
                }
                _ => {}
            }
        }
        effects
    }

    pub(crate) fn message(&mut self, topic: &str, payload: impl AsRef<[u8]>, retain: bool) -> Vec<Effect> {
        let payload = payload.as_ref().to_vec().into();
        self.on(Event::Link(LinkEvent::Message { topic: topic.into(), payload, retain }))
    }

    /// A node says how it is.
    pub(crate) fn node(&mut self, n: u8, state: &str, start_ms: u64, ring_s: f64) -> Vec<Effect> {
        let status = status(n, state, start_ms, ring_s, self.now().wall, &Value::Null);
        self.message(&format!("status/{}", ip(n)), status.to_string(), false)
    }

    /// A command and its one answer.
    pub(crate) fn command(&mut self, word: &str, payload: &str) -> CommandResult {
        let effects = self.message(&format!("cmd/{word}"), payload, false);
        answer(&effects)
    }

    /// A command that must be refused.
    pub(crate) fn refused(&mut self, word: &str, payload: &str) -> (ErrorCode, String) {
        let error = self.command(word, payload).error.expect("a refusal");
        (error.code, error.message)
    }

    /// `take/current` as of now.
    pub(crate) fn take(&self) -> CurrentTake {
        self.desk.snapshot(self.clocks.wall()).take
    }
}

/// A node's status.
pub(crate) fn status(n: u8, state: &str, start_ms: u64, ring_s: f64, at: Wall, take: &Value) -> Value {
    json!({"v":1,"ip":ip(n),"name":"left","state":state,"take":take,"frames":0,"dropped":0,"fps":30.0,
        "segment":null,"bytes":0,"skew_us":null,"clock":null,"disk":null,"temp_c":null,"throttled":null,
        "camera":{"kind":"test","model":null,"width":640,"height":360,"fps":30.0,"start_ms":start_ms,"ring_s":ring_s},
        "fault":null,"version":"0.1.0","booted":"2025-10-23T11:00:00Z","at":at})
}

/// The one answer among the effects.
pub(crate) fn answer(effects: &[Effect]) -> CommandResult {
    let answers: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Answer { result, .. } => Some((**result).clone()),
            _ => None,
        })
        .collect();
    assert_eq!(answers.len(), 1, "{effects:?}");
    answers[0].clone()
}

/// The progress that is said among the effects.
pub(crate) fn progress(effects: &[Effect]) -> Vec<Download> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Say { topic: Topic::Progress(_), payload } => read(payload).ok(),
            _ => None,
        })
        .collect()
}
