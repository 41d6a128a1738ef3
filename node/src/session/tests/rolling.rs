//! Takes that roll, from T0 to T1, by nodes that hear of it in time, late, or twice.

use super::*;

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
