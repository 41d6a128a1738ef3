//! Cameras: on the frame grid, slow, silent, lost.

use super::*;

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
