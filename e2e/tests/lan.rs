//! A set in a network of its own, made by the words of `guide/install.md`: computers with their own addresses, clocks by
//! chrony from the Control Pi, footage by SSH with the restricted key, cables that are pulled.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use serde_json::Value;
use syncslate_e2e::lan::{Followed, Lan};
use syncslate_shared::time::Wall;

/// Three nodes whose cameras are not in step.
fn three() -> Lan {
    Lan::new(&["phase_ms=3", "phase_ms=14", "phase_ms=25"])
}

fn t1(idle: &Value) -> Wall {
    Wall::parse(idle["t1"].as_str().unwrap()).unwrap()
}

#[test]
fn clocks_follow_the_control_pi_alone_and_a_take_comes_home_by_ssh() {
    let mut lan = three();
    for i in 1..=3 {
        let lost = lan.clock_lost(i);
        assert_eq!((&lost["source"], &lost["offset_us"]), (&"chrony".into(), &Value::Null), "nobody serves a time yet");
    }
    lan.serve_time();
    lan.ready();
    for i in 1..=3 {
        let clock = lan.clock_in_step(i);
        let [offset, bound] = ["offset_us", "error_us"].map(|key| clock[key].as_i64().unwrap());
        assert!(clock["source"] == "chrony" && offset.abs() <= bound, "{clock}");
        // The Control Pi is its own authority at stratum 10; who follows it is at 11.
        let control = "192.168.1.10".to_owned();
        assert_eq!(lan.followed(i), Followed { sources: vec![control.clone()], chosen: Some((control, 11)) });
        eprintln!("cam{i}: its clock is {offset} µs off, {bound} µs at most");
    }
    assert_eq!(lan.page("/").matches(" ms ± ").count(), 3, "each tile of the page shows offset and bound");

    assert!(!lan.ssh(1, "id").contains("uid="), "the controller's key opens a shell");
    lan.operator.roll("A01");
    (1..=3).for_each(|i| lan.operator.recorded(i, 170));
    let idle = lan.operator.cut();
    lan.operator.download("A01");
    for i in 1..=3 {
        let first = lan.brought(i, &idle).expect_whole(t1(&idle));
        eprintln!("cam{i}: its first picture is of {first} µs after T0");
    }
}

#[test]
fn a_pulled_cable_costs_no_frame_and_a_killed_node_has_one_hole() {
    let mut lan = three();
    lan.serve_time();
    lan.ready();
    let rolling = |s: &Value| (s["state"] == "rolling").then_some(());
    let offline = |s: &Value| (s["state"] == "offline").then_some(());
    lan.operator.roll("B02");
    (1..=3).for_each(|i| lan.operator.recorded(i, 45));
    lan.pull(1);
    lan.kill_node(2);
    lan.operator.status(2, "to be missed", offline);
    lan.operator.ear.clear();
    lan.start_node(2);
    lan.operator.status(2, "to join the take again", rolling);
    lan.operator.status(1, "to be missed", offline);
    lan.operator.ear.clear();
    lan.plug(1);
    lan.operator.status(1, "to be back", rolling);
    (1..=3).for_each(|i| lan.operator.recorded(i, 240));
    let idle = lan.operator.cut();
    lan.operator.download("B02");
    for i in [1, 3] {
        lan.brought(i, &idle).expect_whole(t1(&idle));
    }
    let holes = lan.brought(2, &idle).expect_told(t1(&idle));
    let gaps: Vec<_> = holes.iter().filter(|hole| !hole.is_drop()).collect();
    let [hole] = &gaps[..] else { panic!("{holes:?}") };
    assert_eq!(hole.cause, "node_restarted");
    eprintln!("cam2: its hole is {:.2} s long", hole.length_s());
}
