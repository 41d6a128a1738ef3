//! Operators in a hurry.

use std::time::Duration;

use serde_json::json;
use syncslate_e2e::mqtt::publish;
use syncslate_e2e::process::{now, wait_for};
use syncslate_shared::time::Wall;

use crate::{three, time};

#[test]
fn fifty_takes_in_a_row_one_a_second() {
    let rig = three().up("armed");
    let mut takes = Vec::new();
    for _ in 0..50 {
        let begin = now();
        rig.roll("");
        std::thread::sleep(Duration::from_millis(600).saturating_sub(begin.elapsed()));
        takes.push(rig.cut());
        rig.ear.clear();
        std::thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed()));
    }
    for idle in &takes {
        for i in 1..=3 {
            rig.finished(i, idle).expect_whole(time(&idle["t1"]));
        }
    }
    // No two takes share an instant.
    let spans: Vec<(Wall, Wall)> = takes.iter().map(|idle| (time(&idle["t0"]), time(&idle["t1"]))).collect();
    assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
}

#[test]
fn two_operators_press_start_at_the_same_moment() {
    let rig = three().up("armed");
    for round in 0..5 {
        rig.ear.clear();
        let port = rig.mqtt;
        let press = |name: String| {
            let payload = json!({"take": name, "id": name}).to_string();
            std::thread::spawn(move || publish(port, "cmd/start", payload.as_bytes(), &[]))
        };
        let hands = [press(format!("left_{round}")), press(format!("right_{round}"))];
        hands.into_iter().for_each(|hand| hand.join().unwrap());
        let answers = || {
            let all = rig.ear.all().into_iter().filter(|h| h.topic == "cmd/result" && h.json["cmd"] == "start");
            all.map(|h| h.json).collect::<Vec<_>>()
        };
        wait_for("both answers", || answers().len() == 2);
        let answers = answers();
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer["ok"] == json!(true));
        assert_eq!((won.len(), &lost[0]["error"]["code"]), (1, &json!("already_rolling")), "{answers:?}");
        rig.current("rolling", &won[0]["take"]);
        for i in 1..=3 {
            rig.recorded(i, 20);
        }
        let idle = rig.cut();
        for i in 1..=3 {
            rig.finished(i, &idle).expect_whole(time(&idle["t1"]));
        }
    }
}

#[test]
fn a_hundred_marks_in_ten_seconds() {
    let rig = three().up("armed");
    rig.roll("marked");
    rig.recorded(1, 30);
    for n in 0..100 {
        let begin = now();
        publish(rig.mqtt, "cmd/mark", format!("mark {n}").as_bytes(), &[]);
        std::thread::sleep(Duration::from_millis(100).saturating_sub(begin.elapsed()));
    }
    rig.ear.wait("all marks", "take/marks", |m| (m["marks"].as_array()?.len() == 100).then_some(()));
    let idle = rig.cut();
    for i in 1..=3 {
        let footage = rig.finished(i, &idle);
        footage.expect_whole(time(&idle["t1"]));
        let marks = footage.marks();
        assert!(marks.iter().map(|p| p.mark.note.clone()).eq((0..100).map(|n| format!("mark {n}"))), "cam{i}");
        assert!(marks.iter().all(|placed| placed.frame.is_some()), "cam{i}");
        assert!(marks.windows(2).all(|pair| pair[0].frame <= pair[1].frame), "cam{i}");
    }
}
