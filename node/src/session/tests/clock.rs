//! Clocks that are set in the middle of a take.

use super::*;

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
