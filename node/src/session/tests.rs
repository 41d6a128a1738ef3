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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn nothing_is_missing_between_t0_and_t1(
        phase in 0i64..40_000, ppm in -200.0f64..200.0, fps in prop::sample::select(vec![24.0, 25.0, 30_000.0 / 1001.0, 50.0]),
        late_ms in 0u64..2500, length_ms in 2000u64..40_000, doubled in 0u8..3,
    ) {
        let mut sim = Sim::new(Arm::Always, fps, phase, ppm);
        sim.pass(secs(7.3));
        prop_assert_eq!(sim.session.state(), NodeState::Armed);
        let t0 = sim.now().floor_to(GOP);
        let roll = take("A01", t0, None, 7);
        sim.pass(Duration::from_millis(late_ms));
        for _ in 0..=doubled {
            sim.say(&roll);
        }
        sim.pass(Duration::from_millis(length_ms));
        prop_assert_eq!(sim.session.state(), NodeState::Rolling);
        prop_assert_eq!(sim.session.rolling().map(|(_, drops)| drops), Some(Drops::default()));
        let stopped = sim.stop(&roll);
        sim.say(&stopped);
        sim.expect_whole(t0, stopped.t1.unwrap());
        prop_assert_eq!(sim.tape.finished.len(), 1);
        prop_assert!(sim.tape.gaps.is_empty());
        prop_assert_eq!(sim.session.state(), NodeState::Armed);
    }
}

#[test]
fn segments_begin_at_the_common_boundaries_for_hours() {
    let mut sim = Sim::new(Arm::Always, 30_000.0 / 1001.0, 11_003, 120.0);
    sim.pass(secs(5.0));
    let roll = take("long", sim.now().floor_to(GOP), None, 61);
    sim.say(&roll);
    sim.pass(secs(3.0 * 3600.0));
    let stopped = sim.stop(&roll);
    sim.expect_whole(roll.t0, stopped.t1.unwrap());
    assert_eq!(sim.tape.segments.len(), 3 * 3600 / 61 + 1);
    for (k, start) in sim.tape.segments.iter().enumerate() {
        let late = start.since_us(roll.t0) - k as i64 * 61_000_000;
        assert!((0..33_400).contains(&late), "segment {k} begins {late} µs after its boundary");
    }
    assert!(sim.tape.gaps.is_empty());
}

#[test]
fn a_camera_on_the_frame_grid_begins_with_the_frame_that_is_nearest_to_t0() {
    for (half_seconds, steering) in [(0, Steering::Grid), (1, Steering::Grid), (0, Steering::Free), (1, Steering::Free)]
    {
        let mut sim = Sim::new(Arm::Always, 30.0, 0, 0.0);
        (sim.steering, sim.wobble_us, sim.keys_every) = (steering.clone(), 60, Some(15));
        sim.camera(true);
        sim.pass(secs(6.1));
        assert_eq!(sim.session.phase.locked(), steering == Steering::Grid);
        let t0 = (sim.now().floor_to(secs(1.0)) - secs(1.0)).offset_us(half_seconds * 500_000);
        let roll = take("A01", t0, None, 2);
        sim.say(&roll);
        sim.pass(secs(7.0));
        sim.stop(&roll);
        let first = sim.tape.kept[0].since_us(t0);
        if steering == Steering::Grid {
            // The simulated camera adds up its periods: some microseconds over ten seconds.
            assert!(first.abs() <= 100, "first frame {first} µs from T0");
            assert_eq!((sim.tape.lead_in, sim.tape.from), (0, Some(t0.offset_us(-16_666))));
            for (k, start) in sim.tape.segments.iter().enumerate() {
                let off = start.since_us(t0) - k as i64 * 2_000_000;
                assert!(off.abs() <= 100, "segment {k} begins {off} µs from its boundary");
            }
        } else {
            // Half of the instants fall after their frame: then the first one after T0 is nearly a period late.
            assert_eq!(sim.tape.from, Some(t0));
        }
        assert!(sim.tape.gaps.is_empty() && sim.tape.drops.is_empty(), "{:?} {:?}", sim.tape.gaps, sim.tape.drops);
    }
}

#[test]
fn the_very_first_frame_of_a_held_camera_can_be_that_of_t0() {
    for (steering, first, lead_in) in [(Steering::Grid, -60, 0), (Steering::Free, -60, 1)] {
        let mut sim = Sim::new(Arm::Always, 30.0, 0, 0.0);
        (sim.steering, sim.wobble_us, sim.keys_every) = (steering, -60, Some(15));
        sim.camera(true);
        let t0 = Wall::from_micros(sim.next_exposure as i64);
        sim.say(&take("A01", t0, None, 2));
        sim.pass(secs(3.0));
        assert!(sim.tape.gaps.is_empty() && sim.tape.drops.is_empty(), "{:?} {:?}", sim.tape.gaps, sim.tape.drops);
        assert_eq!((sim.tape.kept[0].since_us(t0), sim.tape.lead_in), (first, lead_in));
    }
}

#[test]
fn a_held_camera_is_started_again_after_a_clock_that_was_set_far_back_but_not_in_a_take() {
    let mut sim = Sim::new(Arm::Always, 30.0, 0, 0.0);
    (sim.steering, sim.keys_every) = (Steering::Grid, Some(15));
    sim.camera(true);
    sim.pass(secs(6.1));
    let roll = take("A01", sim.now().floor_to(secs(1.0)), None, 60);
    sim.say(&roll);
    sim.pass(secs(2.0));
    set_clock(&mut sim, -7_200_000_000);
    sim.pass(secs(2.0));
    assert!(sim.session.phase.astray(), "the take goes on");
    sim.session.on_take(Some(Take { t1: Some(sim.now()), ..roll }), sim.clocks.mono());
    sim.pass(secs(0.3));
    assert_eq!(sim.tape.finished.len(), 1);
    assert!(!sim.session.phase.astray(), "it was started again");
    sim.pass(secs(2.0));
    assert!(sim.session.phase.locked() && sim.session.state() == NodeState::Armed);
}

#[test]
fn other_settings_start_the_camera_again_with_an_empty_ring() {
    let mut sim = Sim::new(Arm::Always, 30.0, 7_001, 0.0);
    sim.pass(secs(5.0));
    assert_eq!(sim.session.state(), NodeState::Armed);
    sim.session.on_other_settings(Grid::of(25.0), sim.clocks.mono());
    assert_eq!((sim.session.state(), sim.session.ring().held_s()), (NodeState::Starting, 0.0));
    assert_eq!(sim.session.effects, [Effect::ChangeCamera]);
    sim.period_us = 40_000.0;
    sim.effects();
    // A take that begins now has none of the old pictures, and misses none at the new rate.
    let roll = take("A01", (sim.now() - secs(2.0)).floor_to(GOP), None, 5);
    sim.say(&roll);
    let from = sim.now();
    sim.pass(secs(8.0));
    sim.stop(&roll);
    assert!(sim.tape.kept[0] > from && sim.tape.drops.is_empty(), "{:?}", sim.tape.drops);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!((gap.from, gap.to, gap.cause.as_str()), (roll.t0, sim.tape.kept[0], "joined_late"));

    // A camera that is off only gets them when it is wanted.
    let mut sim = Sim::new(Arm::OnStart, 30.0, 0, 0.0);
    sim.session.on_other_settings(Grid::of(25.0), sim.clocks.mono());
    assert_eq!((sim.session.state(), sim.session.effects.len()), (NodeState::Standby, 0));
}

#[test]
fn a_missed_stop_is_cut_back_to_t1() {
    let mut sim = Sim::new(Arm::Always, 30.0, 7_001, -80.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 5);
    sim.say(&roll);
    sim.pass(secs(9.1));
    let t1 = sim.now();
    sim.pass(secs(31.7));
    sim.say(&Take { t1: Some(t1), ..roll.clone() });
    sim.pass(secs(1.0));
    sim.expect_whole(roll.t0, t1);
    assert_eq!(sim.tape.finished, [(t1, sim.tape.kept.len())]);
}

#[test]
fn a_node_that_joins_late_says_what_it_missed() {
    let mut sim = Sim::new(Arm::Always, 30.0, 3_000, 0.0);
    let roll = take("A01", (sim.now() - secs(60.0)).floor_to(GOP), None, 5);
    sim.say(&roll);
    sim.pass(secs(10.0));
    let stopped = sim.stop(&roll);
    sim.expect_whole(sim.tape.kept[0], stopped.t1.unwrap());
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!((gap.from, gap.to, gap.cause.as_str()), (roll.t0, sim.tape.kept[0], "joined_late"));
    // It returns to the common boundaries.
    assert!(sim.tape.segments[1].since_us(roll.t0) % 5_000_000 < 33_400);
}

#[test]
fn from_standby_the_camera_starts_for_the_take_and_stops_after_it() {
    let mut sim = Sim::new(Arm::OnStart, 25.0, 0, 0.0);
    sim.pass(secs(3.0));
    assert_eq!((sim.session.state(), sim.camera_on), (NodeState::Standby, false));
    let roll = take("A01", (sim.now() + secs(2.0)).ceil_to(GOP), None, 5);
    sim.say(&roll);
    sim.pass(secs(8.0));
    let stopped = sim.stop(&roll);
    sim.expect_whole(roll.t0, stopped.t1.unwrap());
    sim.pass(secs(12.0));
    assert_eq!((sim.session.state(), sim.camera_on), (NodeState::Standby, false));
}

#[test]
fn a_lost_camera_leaves_a_gap_with_its_cause_and_the_take_goes_on() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(4.0));
    sim.camera(false);
    assert_eq!(sim.session.state(), NodeState::Fault);
    let before = *sim.tape.kept.last().unwrap();
    sim.pass(secs(2.5));
    sim.camera(true);
    sim.pass(secs(5.0));
    let dropped = sim.session.rolling().map(|(_, drops)| drops.gaps);
    sim.stop(&roll);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!(dropped, Some((gap.to.since_us(gap.from) as f64 / 33_333.3 - 1.0).round() as u64));
    assert_eq!((gap.from, gap.cause.as_str(), gap.detail.as_str()), (before, "camera_lost", "pulled"));
    assert_eq!(sim.tape.segments.len(), 2);
    assert_eq!(sim.tape.segments[1], gap.to);
}

#[test]
fn a_camera_that_never_comes_back_leaves_a_gap_to_the_end() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(4.0));
    sim.camera(false);
    sim.pass(secs(4.0));
    let stopped = sim.stop(&roll);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!((gap.to, gap.detail.as_str()), (stopped.t1.unwrap(), "pulled"));
    assert_eq!(sim.tape.finished.len(), 1);
}

#[test]
fn a_silent_camera_is_started_again() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    sim.camera_on = false;
    sim.pass(secs(0.3));
    assert!(sim.session.stalled(sim.clocks.mono()).is_some(), "told after five periods");
    sim.pass(secs(0.9));
    assert!(!sim.camera_on);
    sim.pass(secs(0.7));
    assert!(sim.camera_on);
    sim.pass(secs(1.0));
    assert_eq!(sim.session.stalled(sim.clocks.mono()), None);
    assert_eq!(sim.session.state(), NodeState::Armed);
}

#[test]
fn a_camera_that_is_slow_to_start_is_waited_for_and_timed() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.camera_on = false;
    sim.pass(secs(9.0));
    assert_eq!((sim.camera_on, sim.session.start_ms()), (false, None));
    sim.camera_on = true;
    sim.pass(secs(1.0));
    assert_eq!(sim.session.state(), NodeState::Armed);
    assert!(sim.session.start_ms() >= Some(9_000));
}

#[test]
fn a_disk_that_failed_at_the_end_is_forgiven_when_nothing_is_written() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let failed = StoreEvent::Failed { code: "disk_error", message: "disk full".into(), last: None };
    sim.session.on_store(failed, sim.clocks.mono());
    assert_eq!(sim.session.state(), NodeState::Fault);
    sim.pass(secs(6.0));
    assert_eq!(sim.session.state(), NodeState::Armed);
}

#[test]
fn where_the_camera_sets_its_idr_frames_itself_the_lead_in_is_kept() {
    let mut sim = Sim::new(Arm::Always, 30.0, 21_000, 0.0);
    sim.keys_every = Some(15);
    sim.pass(secs(5.37));
    let roll = take("A01", sim.now().floor_to(GOP), None, 5);
    sim.say(&roll);
    sim.pass(secs(11.0));
    let stopped = sim.stop(&roll);
    let lead = sim.tape.kept.iter().filter(|time| **time < roll.t0).count();
    assert_eq!(lead as u64, sim.tape.lead_in);
    assert!(lead < 15);
    sim.tape.kept.drain(..lead);
    sim.expect_whole(roll.t0, stopped.t1.unwrap());
    assert!(sim.tape.segments.len() >= 3);
}

#[test]
fn a_disk_that_comes_back_loses_nothing_that_is_still_in_memory() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.0));
    sim.disk_ok = false;
    for _ in 0..10 {
        // It is tried again and again; each trial alone proves nothing.
        sim.pass(secs(0.3));
        assert_eq!(sim.session.state(), NodeState::Fault);
    }
    sim.disk_ok = true;
    sim.pass(secs(4.0));
    assert_eq!(sim.session.state(), NodeState::Rolling);
    let drops = sim.session.rolling().map(|(_, drops)| drops).unwrap();
    sim.stop(&roll);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!(gap.cause, "disk_error");
    let length = gap.to.since_us(gap.from);
    assert!(length <= 540_000, "{gap:?}");
    assert_eq!(drops, Drops { gaps: (length as f64 / 33_333.3).round() as u64 - 1, ..Drops::default() });
}

/// What the disk has left, as it is read once a second.
fn free(sim: &mut Sim, bytes: u64) {
    sim.session.on_room(Some(Room { free: bytes, read_only: false }), sim.clocks.mono());
    sim.effects();
}

#[test]
fn a_full_disk_pauses_the_take_and_room_lets_it_go_on() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    free(&mut sim, RESERVE + 1_000_000);
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.0));
    free(&mut sim, RESERVE - 1);
    assert_eq!(sim.session.state(), NodeState::Fault);
    assert_eq!(sim.session.fault().map(|f| f.code), Some("disk_full".into()));
    sim.pass(secs(0.5));
    let last = *sim.tape.kept.last().unwrap();
    let pause = sim.tape.paused.clone().unwrap();
    assert_eq!((pause.from, pause.cause.as_str()), (Some(last), "disk_full"));
    sim.pass(secs(17.0));
    assert_eq!(sim.tape.kept.last(), Some(&last), "nothing more is kept");
    free(&mut sim, RESERVE + 1);
    assert_eq!(sim.session.state(), NodeState::Fault, "a second's room is not worth it");
    free(&mut sim, RESERVE + 1_000_000);
    assert_eq!((sim.session.state(), &sim.tape.paused), (NodeState::Rolling, &None));
    sim.pass(secs(5.0));
    let stopped = sim.stop(&roll);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!((gap.from, gap.cause.as_str()), (last, "disk_full"));
    // What was still in memory when there was room again is not missing.
    let lost = gap.to.since_us(gap.from);
    assert!((12_500_000..14_000_000).contains(&lost), "{lost} µs");
    assert!(stopped.t1.unwrap().since_us(*sim.tape.kept.last().unwrap()) <= 33_334);
}

#[test]
fn a_short_pause_loses_nothing() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.3));
    free(&mut sim, RESERVE - 1);
    sim.pass(secs(2.9));
    free(&mut sim, RESERVE * 2);
    sim.pass(secs(4.0));
    let stopped = sim.stop(&roll);
    sim.expect_whole(roll.t0, stopped.t1.unwrap());
    assert_eq!(sim.tape.segments.len(), 2);
}

#[test]
fn a_take_that_ends_while_the_disk_is_full_is_closed_with_its_gap() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.0));
    free(&mut sim, 7);
    sim.pass(secs(3.3));
    let stopped = sim.stop(&roll);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!((gap.to, gap.cause.as_str()), (stopped.t1.unwrap(), "disk_full"));
    assert_eq!(sim.tape.finished.len(), 1);
    // A take that begins on a full disk has nothing but its gap.
    let next = take("A02", sim.now().floor_to(GOP), None, 60);
    sim.say(&next);
    sim.pass(secs(3.0));
    sim.stop(&next);
    assert_eq!((sim.tape.finished.len(), sim.tape.gaps[1].from), (2, next.t0));
    assert_eq!(sim.tape.gaps[1].cause, "disk_full");
}

#[test]
fn files_that_could_not_be_closed_are_closed_later() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.0));
    let stopped = sim.stop(&roll);
    sim.tape.recovered.clear();
    let unfinished = StoreEvent::Unfinished { code: "disk_read_only", message: "read-only".into() };
    sim.session.on_store(unfinished, sim.clocks.mono());
    sim.pass(secs(2.0));
    assert_eq!((sim.session.state(), sim.tape.recovered.len()), (NodeState::Fault, 0));
    sim.pass(secs(2.0));
    assert_eq!(sim.tape.recovered, [stopped]);
    sim.pass(secs(4.0));
    assert_eq!(sim.session.state(), NodeState::Armed);
}

#[test]
fn the_next_take_may_begin_before_the_last_one_is_closed() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let one = take("one", sim.now().floor_to(GOP), None, 60);
    sim.say(&one);
    sim.pass(secs(1.7));
    let t1 = sim.now();
    sim.say(&Take { t1: Some(t1), ..one.clone() });
    let first = sim.tape.kept.len();
    let two = take("two", t1.floor_to(GOP), None, 60);
    sim.say(&two);
    sim.pass(secs(3.0));
    let stopped = sim.stop(&two);
    assert_eq!(sim.tape.finished.len(), 2);
    let (end, len) = sim.tape.finished[0];
    assert!(end == t1 && len >= first);
    sim.tape.kept.drain(..len);
    sim.expect_whole(two.t0, stopped.t1.unwrap());
}

/// Sets the node's clock, and with it the camera's stamps.
fn set_clock(sim: &mut Sim, us: i64) {
    sim.clocks.step_us(us);
    sim.next_exposure += us as f64;
}

#[test]
fn a_clock_that_is_set_forward_is_a_gap_in_which_nothing_is_missing() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.0));
    set_clock(&mut sim, 2_000_000);
    sim.pass(secs(3.0));
    assert_eq!(sim.session.rolling().map(|(_, drops)| drops), Some(Drops::default()));
    assert!(sim.session.step_us(sim.clocks.mono()).is_some_and(|us| (us - 2_000_000).abs() < 2));
    sim.stop(&roll);
    let steps: Vec<_> = sim.tape.kept.windows(2).map(|pair| pair[1].since_us(pair[0])).collect();
    assert_eq!(steps.iter().filter(|step| **step > 34_000).count(), 1, "the step alone: {steps:?}");
    assert!(sim.tape.kept[0].since_us(roll.t0) < 33_334);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!((gap.cause.as_str(), gap.to.since_us(gap.from) / 10), ("clock_stepped", 203_333));
    assert_eq!(gap.detail, "the node's clock was set forward by 2.000 s");
}

#[test]
fn a_clock_that_is_set_back_costs_what_the_cameras_start_costs() {
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.0));
    set_clock(&mut sim, -2_000_000);
    // The feeder ends a camera whose stamps go back.
    sim.camera_on = false;
    sim.session.on_camera(CameraEvent::Down { code: "camera_exited", message: "went back".into() }, sim.clocks.mono());
    sim.pass(secs(1.2));
    sim.camera(true);
    sim.pass(secs(5.0));
    let drops = sim.session.rolling().map(|(_, drops)| drops).unwrap();
    let stopped = sim.stop(&roll);
    let [gap] = &sim.tape.gaps[..] else { panic!("{:?}", sim.tape.gaps) };
    assert_eq!((gap.cause.as_str(), gap.to < gap.from), ("clock_stepped", true));
    assert!(gap.detail.contains("set back by 2.000 s; went back"), "{}", gap.detail);
    assert!((35..=38).contains(&drops.gaps) && drops.all() == drops.gaps, "{drops:?}");
    assert!(stopped.t1.unwrap().since_us(*sim.tape.kept.last().unwrap()) <= 33_334);
}

#[test]
fn frames_that_the_camera_and_the_encoder_lose_are_told_apart() {
    use DropSide::{Camera, Encoder};
    let mut sim = Sim::new(Arm::Always, 30.0, 5_000, 0.0);
    sim.pass(secs(5.0));
    let roll = take("A01", sim.now().floor_to(GOP), None, 60);
    sim.say(&roll);
    sim.pass(secs(3.0));
    sim.next_exposure += sim.period_us * 2.0;
    sim.pass(secs(3.0));
    sim.session.on_camera(CameraEvent::Swallowed(3), sim.clocks.mono());
    sim.next_exposure += sim.period_us * 4.0;
    sim.pass(secs(3.0));
    sim.session.on_camera(CameraEvent::Behind(true), sim.clocks.mono());
    sim.next_exposure += sim.period_us * 5.0;
    sim.pass(secs(3.0));
    assert_eq!(sim.session.rolling().map(|(_, drops)| drops), Some(Drops { camera: 3, encoder: 8, gaps: 0 }));
    sim.stop(&roll);
    let told: Vec<_> = sim.tape.drops.iter().map(|drop| (drop.frames, drop.by)).collect();
    assert_eq!(told, [(2, Camera), (3, Encoder), (1, Camera), (5, Encoder)]);
    for drop in &sim.tape.drops {
        assert!(sim.tape.kept.windows(2).any(|pair| pair == [drop.from, drop.to]), "{drop:?}");
    }
    assert!(sim.tape.gaps.is_empty());
}
