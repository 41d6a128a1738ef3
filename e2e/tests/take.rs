//! One take, end to end, driven by the Mosquitto clients alone and judged by its pictures.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use serde_json::{Value, json};
use syncslate_e2e::judge::Footage;
use syncslate_e2e::mqtt::publish;
use syncslate_e2e::process::wait_for;
use syncslate_e2e::rig::Rig;
use syncslate_shared::time::Wall;

fn time(value: &Value) -> Wall {
    Wall::parse(value.as_str().unwrap()).unwrap()
}

/// Three cameras out of phase, none of them right on the grid: there a stamp that is a microsecond early, which stamps may
/// be, puts a frame before the boundary.
fn three() -> Rig {
    Rig::new().node("phase_ms=1").node("phase_ms=11").node("phase_ms=22.5")
}

#[test]
fn three_cameras_roll_on_one_instant_and_the_footage_lands_sorted() {
    let rig = three().up("armed");
    let rolling = rig.roll("test_001_windy");
    let t0 = time(&rolling["t0"]);
    // The take starts when the operator pressed, not later: T0 lies on the grid, less than one step before.
    assert_eq!(t0.micros() % 500_000, 0);
    let answered = rig.ear.all().into_iter().find(|h| h.topic == "cmd/result").unwrap().json;
    let before = time(&answered["at"]).since_us(t0);
    assert!((0..600_000).contains(&before), "T0 lies {before} µs before the answer");

    rig.recorded(1, 60);
    assert_eq!(rig.ask("mark", "he laughs")["ok"], json!(true));
    rig.recorded(2, 200);
    assert_eq!(rig.ask("mark", r#"{"note":"tab\there","id":"m2"}"#)["id"], json!("m2"));
    rig.recorded(3, 355);
    let idle = rig.cut();
    let t1 = time(&idle["t1"]);
    let marks =
        rig.ear.wait("two marks", "take/marks", |m| (m["marks"].as_array()?.len() == 2).then(|| m["marks"].clone()));

    let footage: Vec<_> = (1..=3).map(|i| rig.finished(i, &idle)).collect();
    let firsts: Vec<_> = footage.iter().map(|f| f.expect_whole(t1)).collect();
    // Free-running cameras: as far apart as their phases are, and no further.
    for (first, phase) in firsts.iter().zip([1_000, 11_000, 22_500]) {
        let off = (first - phase).rem_euclid(33_333);
        assert!(off.min(33_333 - off) <= 100, "first pictures {firsts:?} µs after T0");
    }
    for footage in &footage {
        expect_marks(footage, &marks);
        let manifest = footage.manifest().unwrap();
        assert!(manifest.segments[0].frames == 150 && manifest.segments[1].frames == 150, "{manifest:?}");
    }

    rig.download("test_001_windy");
    for (i, ip) in rig.ips().into_iter().enumerate() {
        let folder = rig.downloads().join("test_001_windy").join(ip.to_string());
        let here = Footage::new(&folder, &idle, ip);
        assert_eq!(here.expect_whole(t1), firsts[i]);
        assert_eq!(here.marks(), footage[i].marks());
        let names = |path| {
            let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(folder), names(rig.videos(ip)));
    }
}

/// Every mark stands in the file with the number of the picture that was on camera at its instant, by the pictures.
fn expect_marks(footage: &Footage, marks: &Value) {
    let frames = footage.frames();
    let placed = footage.marks();
    assert_eq!(placed.len(), marks.as_array().unwrap().len());
    for (placed, mark) in placed.iter().zip(marks.as_array().unwrap()) {
        let at = time(&mark["at"]);
        assert_eq!((placed.mark.at, placed.mark.note.as_str()), (at, mark["note"].as_str().unwrap()));
        let on_camera = frames.iter().rposition(|f| f.truth_ns as i64 / 1000 <= at.micros()).unwrap();
        assert_eq!(placed.frame, Some(on_camera as u64));
        assert_eq!(placed.segment, Some(frames[on_camera].row.segment));
    }
}

#[test]
fn from_standby_the_take_starts_when_the_slowest_camera_can() {
    let standby = "[capture]\narm = \"on_start\"\n";
    let rig = Rig::new().node("phase_ms=3,start_ms=700").with(standby).node("phase_ms=17").with(standby).up("standby");
    let rolling = rig.roll("");
    let answered = rig.ear.all().into_iter().find(|h| h.topic == "cmd/result").unwrap().json;
    assert!(time(&rolling["t0"]) > time(&answered["at"]), "{rolling}");
    assert_eq!(rolling["take"], json!("take_001"));
    rig.recorded(1, 60);
    rig.recorded(2, 60);
    let idle = rig.cut();
    for i in 1..=2 {
        rig.finished(i, &idle).expect_whole(time(&idle["t1"]));
    }
}

#[test]
fn a_node_that_comes_late_joins_at_its_next_idr_and_says_what_it_missed() {
    let mut rig = Rig::new().node("phase_ms=5").up("armed").node("phase_ms=15");
    rig.roll("late");
    rig.recorded(1, 90);
    rig.start_node(2);
    rig.recorded(2, 60);
    let joined =
        rig.ear.wait("the roster to grow", "take/current", |t| (t["nodes"].as_array()?.len() == 2).then(|| t.clone()));
    assert_eq!(joined["state"], "rolling");
    let idle = rig.cut();
    rig.finished(1, &idle).expect_whole(time(&idle["t1"]));
    let late = rig.finished(2, &idle);
    let frames = late.frames();
    late.expect_stream(&frames);
    late.expect_last(&frames, time(&idle["t1"]));
    let manifest = late.manifest().unwrap();
    let [gap] = &manifest.gaps[..] else { panic!("{:?}", manifest.gaps) };
    assert_eq!((gap.from, gap.cause.as_str()), (late.t0(), "joined_late"));
    assert_eq!(gap.to, frames[0].row.time);
}

#[test]
fn a_node_that_missed_stop_is_cut_at_t1_when_it_is_back() {
    let mut rig = Rig::new().node("phase_ms=5").node("phase_ms=15").up("armed");
    rig.roll("cut_off");
    rig.recorded(2, 60);
    rig.at(2).cable.cut();
    rig.ear.wait("the last will", "status/127.0.1.102", |s| (s["state"] == "offline").then_some(()));
    let idle = rig.cut();
    let t1 = time(&idle["t1"]);
    rig.finished(1, &idle).expect_whole(t1);
    let away = Footage::new(&rig.videos(rig.ips()[1]), &idle, rig.ips()[1]);
    // It goes on recording, past T1 and past a segment's boundary.
    wait_for("the node that is cut off to go on", || away.manifest().unwrap().segments.len() >= 2);
    rig.at(2).cable.join();
    rig.finished(2, &idle).expect_whole(t1);
}

#[test]
fn the_controller_can_be_killed_and_the_take_goes_on() {
    let mut rig = Rig::new().node("phase_ms=5").node("phase_ms=25").up("armed");
    let rolling = rig.roll("orphan");
    assert_eq!(rig.ask("mark", "before")["ok"], json!(true));
    rig.recorded(1, 60);
    rig.kill_controller();
    rig.restart_controller();
    assert_eq!(rig.current("rolling", &rolling["id"])["t0"], rolling["t0"]);
    assert_eq!(rig.ask("start", "another")["error"]["code"], json!("already_rolling"));
    assert_eq!(rig.ask("mark", "after")["ok"], json!(true));
    rig.recorded(1, 200);
    rig.recorded(2, 200);
    let idle = rig.cut();
    for i in 1..=2 {
        let footage = rig.finished(i, &idle);
        footage.expect_whole(time(&idle["t1"]));
        assert_eq!(footage.marks().iter().map(|p| p.mark.note.as_str()).collect::<Vec<_>>(), ["before", "after"]);
    }
}

#[test]
fn a_node_that_is_killed_goes_on_with_the_next_index() {
    let mut rig = Rig::new().node("phase_ms=5").up("armed");
    rig.roll("killed");
    rig.recorded(1, 100);
    rig.at(1).process.as_mut().unwrap().kill();
    rig.start_node(1);
    wait_for("the node to record again", || {
        let all = rig.ear.all();
        let since = all.iter().rposition(|h| h.topic == "status/127.0.1.101" && h.json["state"] == "starting");
        since.is_some_and(|i| all[i..].iter().any(|h| h.json["frames"].as_u64() > Some(160)))
    });
    let idle = rig.cut();
    let footage = rig.finished(1, &idle);
    let frames = footage.frames();
    footage.expect_first(&frames);
    footage.expect_last(&frames, time(&idle["t1"]));
    let manifest = footage.manifest().unwrap();
    let [gap] = &manifest.gaps[..] else { panic!("{:?}", manifest.gaps) };
    assert_eq!(gap.cause, "node_restarted");
    assert!(manifest.segments.iter().map(|s| s.index).eq(0..manifest.segments.len() as u32));
    let before = frames.iter().position(|f| f.row.time == gap.to).unwrap();
    assert_eq!(frames[before - 1].row.time, gap.from);
    footage.expect_stream(&frames[..before]);
    footage.expect_stream(&frames[before..]);
}

#[test]
fn every_wrong_command_is_answered_and_changes_nothing() {
    let rig = Rig::new();
    let refuse = |rig: &Rig, word: &str, payload: &[u8], extra: &[&str], code: &str| {
        let take = rig.ear.all().into_iter().rfind(|h| h.topic == "take/current").map(|h| h.json);
        let answer = rig.ask_with(word, payload, extra);
        assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!(code)), "{word}: {answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|m| m.len() > 10), "{answer}");
        assert_eq!(rig.ear.all().into_iter().rfind(|h| h.topic == "take/current").map(|h| h.json), take);
    };
    let huge = vec![b'x'; 10_000_000];
    refuse(&rig, "start", b"A01", &[], "no_nodes");
    refuse(&rig, "stop", b"", &[], "not_rolling");
    refuse(&rig, "mark", b"nothing rolls", &[], "not_rolling");
    refuse(&rig, "download", b"never_rolled", &[], "no_nodes");
    let rig = rig.node("phase_ms=5").up("armed");
    let idle: [(&str, &[u8], &[&str], &str); 13] = [
        ("download", b"never_rolled", &[], "unknown_take"),
        ("start", b"two words", &[], "invalid_take_name"),
        ("start", b"../../etc/passwd", &[], "invalid_take_name"),
        ("start", b"-rf", &[], "invalid_take_name"),
        ("start", b"{\"take\":7}", &[], "malformed"),
        ("start", b"{\"at\":\"noon\"}", &[], "malformed"),
        ("start", b"{\"at\":\"2001-01-01T00:00:00Z\"}", &[], "too_late"),
        ("start", b"\xff\xfe", &[], "malformed"),
        ("start", &huge, &[], "malformed"),
        ("start", b"A01", &["-r"], "retained"),
        ("mark", b"", &[], "not_rolling"),
        ("dance", b"", &[], "malformed"),
        ("download", b"{\"nodes\":[\"cam1\"]}", &[], "malformed"),
    ];
    for (word, payload, extra, code) in idle {
        refuse(&rig, word, payload, extra, code);
    }
    rig.roll("A01");
    refuse(&rig, "start", b"A02", &[], "already_rolling");
    refuse(&rig, "stop", b"now", &[], "malformed");
    refuse(&rig, "mark", &vec![b'x'; 20_000], &[], "malformed");
    refuse(&rig, "download", b"A01", &[], "busy");
    let idle = rig.cut();
    rig.finished(1, &idle).expect_whole(time(&idle["t1"]));
    // Nothing of the retained command stayed for those who come later.
    publish(rig.mqtt, "cmd/result", b"{\"cmd\":\"sentinel\"}", &[]);
    assert!(!rig.ear.all().iter().any(|h| h.topic == "take/current" && h.json["take"] == "A02"));
}
