//! The controller dies in the middle of a take; and everything dies at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{expect_others_whole, three, time};

#[test]
fn the_controller_is_killed_and_comes_back_after_five_seconds_and_no_frame_is_lost() {
    let mut rig = three().up("armed");
    let rolling = rig.roll("orphan");
    rig.recorded(1, 60);
    rig.kill_controller();
    std::thread::sleep(Duration::from_secs(5));
    rig.restart_controller();
    assert_eq!(rig.current("rolling", &rolling["id"])["t0"], rolling["t0"]);
    for i in 1..=3 {
        rig.recorded(i, 150);
    }
    assert_eq!(rig.ask("mark", "after")["ok"], json!(true));
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[]);
    for i in 1..=3 {
        assert_eq!(rig.finished(i, &idle).marks().len(), 1);
    }
}

#[test]
fn all_lose_power_at_once_and_the_take_goes_on_and_is_whole_but_for_that() {
    let mut rig = three().up("armed");
    let rolling = rig.roll("dark");
    rig.recorded(1, 200);
    rig.kill_controller();
    for i in 1..=3 {
        rig.at(i).process.as_mut().unwrap().kill();
    }
    // The nodes boot first and find nobody.
    for i in 1..=3 {
        rig.start_node(i);
    }
    rig.restart_controller();
    rig.current("rolling", &rolling["id"]);
    for i in 1..=3 {
        rig.recorded(i, 330);
    }
    let idle: Value = rig.cut();
    for i in 1..=3 {
        let footage = rig.finished(i, &idle);
        let holes = footage.expect_told(time(&idle["t1"]));
        let gaps: Vec<_> = holes.iter().filter(|hole| !hole.is_drop()).collect();
        let [hole] = &gaps[..] else { panic!("cam{i}: {holes:?}") };
        assert_eq!(hole.cause, "node_restarted", "cam{i}");
        let manifest = footage.manifest().unwrap();
        assert!(manifest.segments.iter().all(|s| s.sha256.len() == 64) && manifest.finished);
    }
}
