//! The session over simulated time: cameras of any phase and drift, messages late, doubled and lost, disks and cameras that fail.

use bytes::Bytes;
use proptest::prelude::*;
use syncslate_shared::manifest::{Drop, DropSide, Gap, Pause, StampSource};
use syncslate_shared::protocol::{Drops, NodeState};
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use syncslate_shared::time::{Clocks as _, SimClocks};

use super::*;
use crate::event::StoreEvent;
use crate::space::Room;

mod camera;
mod clock;
mod disk;
mod rolling;

const START: i64 = 1_761_220_930_137_411;
const RESERVE: u64 = 100_000_000;
const GOP: Duration = Duration::from_millis(500);

/// A session with a camera before it and a tape behind it.
struct Sim {
    session: Session,
    clocks: SimClocks,
    period_us: f64,
    next_exposure: f64,
    last_key: Wall,
    /// IDR pictures on the wall-clock grid, or every so many pictures.
    keys_every: Option<u64>,
    steering: Steering,
    /// Stamps lie by so much after and before the exposures' own instants, in turns.
    wobble_us: i64,
    shot: u64,
    camera_on: bool,
    disk_ok: bool,
    tape: Tape,
}

#[derive(Default)]
struct Tape {
    open: Option<TakeId>,
    kept: Vec<Wall>,
    segments: Vec<Wall>,
    next_begins: bool,
    broken: bool,
    failing: bool,
    gaps: Vec<Gap>,
    drops: Vec<Drop>,
    paused: Option<Pause>,
    recovered: Vec<Take>,
    lead_in: u64,
    from: Option<Wall>,
    finished: Vec<(Wall, usize)>,
}

fn take(name: &str, t0: Wall, t1: Option<Wall>, segment_s: u32) -> Take {
    let id = TakeId { name: TakeName::new(name).unwrap(), stamp: Stamp::local(t0) };
    Take { id, t0, t1, segment_s, nodes: Vec::new() }
}

impl Sim {
    fn new(arm: Arm, fps: f64, phase_us: i64, ppm: f64) -> Self {
        let clocks = SimClocks::new(Wall::from_micros(START), 17.0);
        let grid = Grid::of(fps);
        let (ring, pre_roll) = (Duration::from_secs(4), Duration::ZERO);
        let settings = SessionSettings { arm, ring, pre_roll, grid, reserve: RESERVE };
        let session = Session::new(settings, clocks.mono());
        let period_us = 1e6 / fps * (1.0 + ppm * 1e-6);
        let first = (START / 1_000_000 * 1_000_000 + 1_000_000 + phase_us) as f64;
        Self {
            session,
            clocks,
            period_us,
            next_exposure: first,
            last_key: Wall::from_micros(0),
            keys_every: None,
            steering: Steering::Free,
            wobble_us: 0,
            shot: 0,
            camera_on: false,
            disk_ok: true,
            tape: Tape::default(),
        }
        .settled()
    }

    fn settled(mut self) -> Self {
        self.effects();
        self
    }

    fn now(&self) -> Wall {
        self.clocks.wall()
    }

    fn effects(&mut self) {
        for effect in self.session.effects() {
            match effect {
                Effect::StartCamera | Effect::RestartCamera(_) | Effect::ChangeCamera => self.camera(true),
                Effect::StopCamera => self.camera_on = false,
                Effect::Store(command) => self.store(command),
            }
        }
        if !self.session.effects.is_empty() {
            self.effects();
        }
    }

    fn camera(&mut self, on: bool) {
        self.camera_on = on;
        let now = self.clocks.mono();
        if on {
            self.last_key = Wall::from_micros(0);
            let steering = self.steering.clone();
            let facts = CameraFacts { model: None, encoder: "libx264".into(), stamps: StampSource::Sensor, steering };
            self.session.on_camera(CameraEvent::Starting, now);
            self.session.on_camera(CameraEvent::Up(facts), now);
        } else {
            self.session.on_camera(CameraEvent::Down { code: "camera_exited", message: "pulled".into() }, now);
        }
        self.effects();
    }

    fn store(&mut self, command: StoreCommand) {
        let now = self.clocks.mono();
        match command {
            StoreCommand::Open(take) => {
                self.tape.open = Some(take.id.clone());
                self.session.on_store(StoreEvent::Opened { id: take.id, last: None }, now);
            }
            StoreCommand::Segment => {
                (self.tape.next_begins, self.tape.broken, self.tape.paused) = (true, false, None);
            }
            StoreCommand::Pause(pause) => self.tape.paused = Some(pause),
            StoreCommand::Keep(_) if self.tape.broken => {}
            StoreCommand::Keep(unit) if self.disk_ok => {
                if std::mem::take(&mut self.tape.next_begins) {
                    assert!(unit.key, "a segment begins with an IDR");
                    self.tape.segments.push(unit.time);
                }
                self.tape.kept.push(unit.time);
                if std::mem::take(&mut self.tape.failing) {
                    self.session.on_store(StoreEvent::Recovered, now);
                }
            }
            StoreCommand::Keep(_) => {
                (self.tape.broken, self.tape.failing, self.tape.next_begins) = (true, true, false);
                let last = self.tape.kept.last().copied();
                self.tape.gaps.retain(|gap| Some(gap.to) <= last);
                self.session
                    .on_store(StoreEvent::Failed { code: "disk_error", message: "disk full".into(), last }, now);
            }
            StoreCommand::Gap(gap) => self.tape.gaps.push(gap),
            StoreCommand::Dropped(drop) => self.tape.drops.push(drop),
            StoreCommand::LeadIn(frames) => self.tape.lead_in = frames,
            StoreCommand::From(from) => self.tape.from = Some(from),
            StoreCommand::CutBack(t1) => self.tape.kept.retain(|time| *time < t1),
            StoreCommand::Finish { t1, .. } => self.tape.finished.push((t1, self.tape.kept.len())),
            StoreCommand::Recover { ended, .. } => self.tape.recovered.extend(ended),
            StoreCommand::Park | StoreCommand::Marks { .. } => {}
        }
    }

    /// Lets time pass in steps of 5 ms; pictures arrive 22 ms after their exposure.
    fn pass(&mut self, length: Duration) -> &mut Self {
        let until = self.clocks.mono() + length;
        let mut tick = 0;
        while self.clocks.mono() < until {
            self.clocks.pass(Duration::from_millis(5));
            self.session.on_clocks(self.now(), self.clocks.mono());
            tick += 1;
            if tick % 20 == 0 {
                self.session.on_tick(self.now(), self.clocks.mono());
                self.effects();
            }
            while self.next_exposure as i64 + 22_000 <= self.now().micros() {
                self.expose();
            }
        }
        self
    }

    fn expose(&mut self) {
        let wobble = if self.shot.is_multiple_of(2) { self.wobble_us } else { -self.wobble_us };
        let time = Wall::from_micros(self.next_exposure as i64 + wobble);
        self.next_exposure += self.period_us;
        if !self.camera_on {
            return;
        }
        let key = match self.keys_every {
            Some(every) => self.shot.is_multiple_of(every),
            None => time.floor_to(GOP) > self.last_key.floor_to(GOP),
        };
        self.shot += 1;
        if key {
            self.last_key = time;
        }
        let unit = AccessUnit { time, key, data: Bytes::from_static(b"picture") };
        self.session.on_camera(CameraEvent::Unit(unit), self.clocks.mono());
        self.effects();
    }

    fn say(&mut self, take: &Take) {
        self.session.on_take(Some(take.clone()), self.clocks.mono());
        self.effects();
    }

    fn stop(&mut self, take: &Take) -> Take {
        let stopped = Take { t1: Some(self.now()), ..take.clone() };
        self.say(&stopped);
        self.pass(Duration::from_secs(3));
        stopped
    }

    /// All exposures in [from, to) must be on the tape, once each, in order.
    fn expect_whole(&self, from: Wall, to: Wall) {
        let kept = &self.tape.kept;
        let period = self.period_us as i64;
        assert!((0..period + 2).contains(&kept[0].since_us(from)), "first {} after T0", kept[0].since_us(from));
        let last = kept[kept.len() - 1];
        assert!((1..period + 2).contains(&to.since_us(last)), "last {} before T1", to.since_us(last));
        for pair in kept.windows(2) {
            let step = pair[1].since_us(pair[0]);
            assert!((step - period).abs() < 2, "step of {step} µs after {}", pair[0]);
        }
    }
}

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

/// Sets the node's clock, and with it the camera's stamps.
fn set_clock(sim: &mut Sim, us: i64) {
    sim.clocks.step_us(us);
    sim.next_exposure += us as f64;
}
