//! Disks that are full, slow or fail.

use super::*;

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
