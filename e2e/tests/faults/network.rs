//! Cut and bad cables.

use std::time::Duration;

use serde_json::json;
use syncslate_e2e::judge::Footage;
use syncslate_e2e::process::wait_for;

use crate::{three, time};

#[test]
fn start_mark_and_stop_fall_into_cuts_of_thirty_seconds() {
    let mut rig = three().up("armed");
    let cut = |rig: &mut syncslate_e2e::rig::Rig, i: usize| {
        rig.at(i).cable.cut();
        rig.status(i, "to be missed", |s| (s["state"] == "offline").then_some(()));
    };
    // One misses START, one MARK, one STOP.
    cut(&mut rig, 1);
    rig.roll("islands");
    rig.recorded(2, 60);
    cut(&mut rig, 3);
    assert_eq!(rig.ask("mark", "unheard")["ok"], json!(true));
    rig.recorded(2, 150);
    cut(&mut rig, 2);
    std::thread::sleep(Duration::from_secs(20));
    rig.at(1).cable.join();
    rig.at(3).cable.join();
    rig.ear.clear();
    rig.recorded(1, 60);
    let idle = rig.cut();
    let t1 = time(&idle["t1"]);
    std::thread::sleep(Duration::from_secs(10));
    let ips = rig.ips();
    let away = Footage::new(&rig.videos(ips[1]), &idle, ips[1]);
    wait_for("the node that missed STOP to go on", || away.manifest().is_some_and(|m| m.segments.len() >= 7));
    rig.at(2).cable.join();
    // Without a network cameras record all the same: these two lack nothing.
    for i in [2, 3] {
        rig.finished(i, &idle).expect_whole(t1);
    }
    let holes = rig.finished(1, &idle).expect_told(t1);
    let gaps: Vec<_> = holes.iter().filter(|hole| !hole.is_drop()).collect();
    let [hole] = &gaps[..] else { panic!("{holes:?}") };
    assert_eq!(hole.cause, "joined_late");
    for i in 1..=3 {
        let marks = rig.finished(i, &idle).marks();
        assert_eq!(marks.iter().map(|p| p.mark.note.as_str()).collect::<Vec<_>>(), ["unheard"], "cam{i}");
    }
}

#[test]
fn links_that_lose_every_tenth_packet_and_take_two_tenths_of_a_second_cost_no_frame() {
    let mut rig = three().up("armed");
    for i in 1..=3 {
        rig.at(i).cable.worsen(200, 10);
    }
    for round in 0..3 {
        rig.roll(&format!("far_{round}"));
        for i in 1..=3 {
            rig.recorded(i, 45);
        }
        assert_eq!(rig.ask("mark", "far away")["ok"], json!(true));
        let idle = rig.cut();
        for i in 1..=3 {
            rig.finished(i, &idle).expect_whole(time(&idle["t1"]));
        }
        rig.ear.clear();
    }
}
