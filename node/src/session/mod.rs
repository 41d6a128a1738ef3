//! The node's state machine: standby → armed → rolling → closing. It decides which pictures are kept. Pure: it is
//! told the time, opens nothing and starts nothing; what it wants done are [`Effect`]s.
//!
//! Invariants: the first kept picture is the first one exposed at or after T0, of a camera on the frame grid the one
//! nearest to T0; the last one the last before T1; a segment begins with an IDR picture; between two kept pictures stands
//! either nothing or a gap with its cause.

mod disk;
mod roll;
mod view;

use std::time::Duration;

use syncslate_shared::grid::Grid;
use syncslate_shared::protocol::{ClockReading, Fault, Marks, Take};
use syncslate_shared::time::{Mono, Wall};

use self::roll::{Roll, Shot};
use crate::camera::{AccessUnit, CameraEvent, CameraFacts, Steering};
use crate::event::{Effect, StoreCommand};
use crate::phase::PhaseWatch;
use crate::ring::{Break, Ring};
use crate::space::Space;
use crate::steps::StepWatch;

/// A camera that sent pictures and sends none for so many periods is said to stall.
const STALL_PERIODS: u32 = 5;
/// After so long it is started anew: a hiccup costs less than a start, which takes about a second.
const SILENCE: Duration = Duration::from_millis(1500);
/// The same for one that has sent none yet: some need seconds to find their exposure.
const FIRST_SILENCE: Duration = Duration::from_secs(20);
/// A disk that failed is called so for so long after the last failure, unless it is proven sooner.
const DISK_FORGIVEN: Duration = Duration::from_secs(5);
/// So long after T1 a take is closed also without a picture that proves that T1 has passed.
const CLOSE_AFTER: Duration = Duration::from_secs(2);
/// So long after the last take a camera that is not to be always on is kept warm.
const LINGER: Duration = Duration::from_secs(10);
/// How soon the disk is tried again after it failed.
const DISK_RETRY: Duration = Duration::from_secs(1);
/// A step of the clock is told for so long.
const STEP_TOLD: Duration = Duration::from_secs(60);
/// How soon files are closed again that could not be.
const FINISH_RETRY: Duration = Duration::from_secs(3);
/// So many takes that could not be closed are remembered with their T1.
const MAX_ENDED: usize = 16;

/// When the camera runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Always: a take starts at the press, from the pre-roll.
    Always,
    /// Only for takes: saves power; a take starts when the slowest camera is up.
    OnStart,
}

/// How a session is set.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// When the camera runs.
    pub arm: Arm,
    /// What the ring holds.
    pub ring: Duration,
    /// Footage kept from before T0, at most what the ring holds.
    pub pre_roll: Duration,
    /// The frame grid of the camera's rate.
    pub grid: Grid,
    /// Bytes of the disk that are not for footage: with less recording pauses.
    pub reserve: u64,
}

/// What the camera is known to do.
#[derive(Debug, PartialEq, Eq)]
enum Camera {
    Off,
    Starting {
        since: Mono,
    },
    /// `since` is when it was started, until its first picture.
    On {
        facts: CameraFacts,
        heard: Mono,
        since: Option<Mono>,
    },
    Lost,
}

/// The session.
#[derive(Debug)]
pub struct Session {
    settings: SessionSettings,
    ring: Ring,
    phase: PhaseWatch,
    camera: Camera,
    camera_fault: Option<Fault>,
    behind: bool,
    /// The last step of the wall clock in microseconds, and when.
    step: Option<(i64, Mono)>,
    steps: StepWatch,
    disk_fault: Option<Fault>,
    disk_failed_at: Option<Mono>,
    space: Space,
    /// Takes that ended while this program ran, the last ones: whoever closes their files needs T1.
    ended: Vec<Take>,
    /// When files that could not be closed are tried again.
    finish_at: Option<Mono>,
    /// From the wish to record to the first picture.
    start_ms: Option<u64>,
    roll: Option<Roll>,
    /// A take that was rolled while the one before was still being closed.
    next: Option<Take>,
    heard_take: bool,
    marks: Option<Marks>,
    clock: Option<ClockReading>,
    linger_until: Option<Mono>,
    effects: Vec<Effect>,
}

impl Session {
    /// A session at program start.
    pub fn new(settings: SessionSettings, now: Mono) -> Self {
        let (ring, space) = (Ring::new(settings.ring), Space::new(settings.reserve));
        let mut session = Self {
            phase: PhaseWatch::new(settings.grid),
            settings,
            ring,
            camera: Camera::Off,
            camera_fault: None,
            behind: false,
            step: None,
            steps: StepWatch::default(),
            disk_fault: None,
            disk_failed_at: None,
            space,
            ended: Vec::new(),
            finish_at: None,
            start_ms: None,
            roll: None,
            next: None,
            heard_take: false,
            marks: None,
            clock: None,
            linger_until: None,
            effects: Vec::new(),
        };
        session.want_camera(now);
        session
    }

    /// What there is to do since the last call.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The controller said what the take is.
    pub fn on_take(&mut self, take: Option<Take>, now: Mono) {
        if !self.heard_take {
            self.heard_take = true;
            let rolling = take.as_ref().filter(|t| t.rolling()).map(|t| t.id.clone());
            let ended = take.clone().filter(|t| !t.rolling()).into_iter().collect();
            self.store(StoreCommand::Recover { rolling, ended });
        }
        let Some(take) = take else { return };
        match &mut self.roll {
            Some(roll) if roll.take.id == take.id => {
                if let Some(t1) = take.t1 {
                    roll.take.t1 = Some(t1);
                }
            }
            Some(roll) => {
                // STOP of the take before was never heard: it ended at the latest when the next one began.
                roll.take.t1 = roll.take.t1.or(Some(take.t0.max(roll.take.t0)));
                self.next = Some(take).filter(Take::rolling);
            }
            None if take.rolling() => self.open(take),
            None => {}
        }
        self.want_camera(now);
        self.advance(now);
    }

    /// The controller said what the marks are.
    pub fn on_marks(&mut self, marks: Marks) {
        self.marks = Some(marks);
        self.say_marks();
    }

    /// The clock was read.
    pub fn on_clock(&mut self, clock: Option<ClockReading>) {
        self.clock = clock;
    }

    /// Both clocks, read at one instant, at least ten times a second.
    pub fn on_clocks(&mut self, wall: Wall, now: Mono) {
        let Some(us) = self.steps.look(wall, now) else { return };
        tracing::warn!("this machine's clock was {}", crate::steps::told(us));
        self.ring.stepped(us, now);
        self.phase.stepped(us);
        self.step = Some((us, now));
    }

    /// The camera said something.
    pub fn on_camera(&mut self, event: CameraEvent, now: Mono) {
        match event {
            CameraEvent::Starting => self.camera = Camera::Starting { since: now },
            CameraEvent::Up(facts) => {
                let since = if let Camera::Starting { since } = self.camera { since } else { now };
                self.phase.begin(facts.steering == Steering::Grid, now);
                self.camera = Camera::On { facts, heard: now, since: Some(since) };
            }
            CameraEvent::Can(_) | CameraEvent::Set(_) => {}
            CameraEvent::Unit(unit) => self.on_unit(unit, now),
            CameraEvent::Swallowed(pictures) => self.ring.swallow(pictures),
            CameraEvent::Behind(behind) => self.set_behind(behind),
            CameraEvent::Down { code, message } => {
                self.camera = Camera::Lost;
                self.phase.end();
                self.set_behind(false);
                self.ring.break_off(Break { cause: "camera_lost", detail: message.clone() });
                self.camera_fault = Some(Fault { code: code.to_owned(), message });
            }
        }
    }

    fn set_behind(&mut self, behind: bool) {
        self.behind = behind;
        self.ring.set_behind(behind);
    }

    fn on_unit(&mut self, unit: AccessUnit, now: Mono) {
        self.phase.note(unit.time, now);
        let kept = self.ring.push(unit, now);
        if let Camera::On { heard, since, .. } = &mut self.camera {
            *heard = now;
            if let Some(since) = since.take_if(|_| kept) {
                let took = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
                // The slowest start so far: T0 must be one that the camera makes every time.
                self.start_ms = Some(self.start_ms.map_or(took, |slowest| slowest.max(took)));
            }
        }
        if kept {
            self.camera_fault = None;
            self.advance(now);
        }
    }

    /// Time passed: at least twice a second.
    pub fn on_tick(&mut self, wall: Wall, now: Mono) {
        if let Camera::On { heard, since, .. } = self.camera
            && let limit = if since.is_some() { FIRST_SILENCE } else { SILENCE.max(self.stall()) }
            && now.since(heard) > limit
        {
            let message = format!("the camera sent no picture for {} s and is started again", limit.as_secs_f64());
            self.on_camera(CameraEvent::Down { code: "camera_stalled", message: message.clone() }, now);
            self.effects.push(Effect::RestartCamera(message));
        }
        if self.phase.astray() && self.roll.is_none() {
            self.start_astray_again(now);
        }
        if self.roll.is_none()
            && self.finish_at.is_none()
            && self.disk_failed_at.is_some_and(|at| now.since(at) > DISK_FORGIVEN)
        {
            // Nothing is being written that could prove it: the next take will.
            self.disk_fault = None;
        }
        if self.finish_at.is_some_and(|at| now >= at) {
            self.finish_at = None;
            let rolling = self.roll.as_ref().map(|roll| roll.take.id.clone());
            let ended = self.ended.clone();
            self.store(StoreCommand::Recover { rolling, ended });
        }
        if let Some(roll) = &mut self.roll
            && !roll.opened
            && roll.retry_at.take_if(|at| now >= *at).is_some()
        {
            let take = roll.take.clone();
            self.store(StoreCommand::Open(take));
        }
        if let Some(t1) = self.roll.as_ref().filter(|r| r.opened).and_then(|r| r.take.t1)
            && wall.since_us(t1) > syncslate_shared::time::micros(CLOSE_AFTER)
        {
            self.finish(t1, now);
        }
        self.want_camera(now);
    }

    /// The clock was set so far back that the camera would not follow it.
    fn start_astray_again(&mut self, now: Mono) {
        let message =
            "the camera is held on the frame grid and cannot follow a clock that is set back: it is started again";
        self.camera = Camera::Starting { since: now };
        self.phase.end();
        self.ring.break_off(Break { cause: "camera_lost", detail: message.into() });
        self.effects.push(Effect::RestartCamera(message.into()));
    }

    /// The camera is set otherwise, to the rate of `grid`: what the ring holds belongs to no take any more, as no footage
    /// file may begin with pictures of another size.
    pub fn on_other_settings(&mut self, grid: Grid, now: Mono) {
        self.settings.grid = grid;
        self.phase = PhaseWatch::new(grid);
        self.ring.clear();
        self.camera_fault = None;
        self.set_behind(false);
        if self.camera != Camera::Off {
            self.camera = Camera::Starting { since: now };
            self.effects.push(Effect::ChangeCamera);
        }
    }

    /// The program ends: what is being recorded stays open for the next start.
    pub fn on_quit(&mut self) {
        if self.roll.take().is_some() {
            self.store(StoreCommand::Park);
        }
        self.effects.push(Effect::StopCamera);
    }

    fn store(&mut self, command: StoreCommand) {
        self.effects.push(Effect::Store(command));
    }

    fn open(&mut self, take: Take) {
        self.store(StoreCommand::Open(take.clone()));
        self.roll = Some(Roll::new(take));
    }

    fn say_marks(&mut self) {
        let Some(Marks { id: Some(id), marks }) = &self.marks else { return };
        // Marks can come after the cut too: the disk knows the take's files also when they are closed.
        if self.roll.as_ref().is_none_or(|roll| roll.opened) {
            let command = StoreCommand::Marks { id: id.clone(), marks: marks.clone() };
            self.store(command);
        }
    }

    fn want_camera(&mut self, now: Mono) {
        let taking = self.roll.is_some() || self.next.is_some();
        if taking {
            self.linger_until = Some(now + LINGER);
        }
        let wanted = self.settings.arm == Arm::Always || self.linger_until.is_some_and(|until| now < until);
        match (&self.camera, wanted) {
            (Camera::Off, true) => {
                self.camera = Camera::Starting { since: now };
                self.effects.push(Effect::StartCamera);
            }
            (Camera::Off, false) | (_, true) => {}
            (_, false) => {
                self.camera = Camera::Off;
                self.phase.end();
                self.camera_fault = None;
                self.ring.break_off(Break { cause: "camera_off", detail: "the camera was put to standby".into() });
                self.effects.push(Effect::StopCamera);
            }
        }
    }

    /// Looks at the pictures that were not looked at yet.
    fn advance(&mut self, now: Mono) {
        while let Some(roll) = self.roll.as_mut().filter(|roll| roll.opened) {
            if roll.retry_at.is_some_and(|at| now < at) {
                return;
            }
            roll.retry_at = None;
            // Cut off from the controller, it went on past T1.
            if let (Some(t1), Some(last)) = (roll.take.t1, roll.last)
                && last >= t1
            {
                self.effects.push(Effect::Store(StoreCommand::CutBack(t1)));
                self.finish(t1, now);
                continue;
            }
            let halt = self.space.halt();
            if halt.is_none() {
                roll.resume(&self.ring);
            }
            let Some(slot) = self.ring.from(roll.cursor).next() else { return };
            if let Some(t1) = roll.take.t1.filter(|t1| slot.unit.time >= *t1) {
                self.finish(t1, now);
                continue;
            }
            // Before an IDR, so that a pause that is short enough costs nothing.
            if let Some(why) = halt.filter(|_| slot.unit.key || roll.window.is_none()) {
                return roll.pause(why, &mut self.effects);
            }
            roll.cursor = slot.seq + 1;
            let shot = Shot { ring: &self.ring, settings: &self.settings, on_grid: self.phase.on_grid(slot.unit.time) };
            roll.look_at(slot, &shot, &mut self.effects);
        }
    }

    fn finish(&mut self, t1: Wall, now: Mono) {
        let Some(roll) = self.roll.take() else { return };
        if let Some(gap) = roll.gap_to_end(t1, self.settings.grid.period(), self.camera_fault.as_ref()) {
            self.store(StoreCommand::Gap(gap));
        }
        let clock = self.clock.clone();
        self.store(StoreCommand::Finish { t1, clock });
        if self.ended.len() == MAX_ENDED {
            self.ended.remove(0);
        }
        self.ended.push(Take { t1: Some(t1), ..roll.take });
        if let Some(next) = self.next.take() {
            self.open(next);
        }
        self.want_camera(now);
    }
}

#[cfg(test)]
mod tests;
