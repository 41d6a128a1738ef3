//! Timelines read back by OpenTimelineIO, as editors that build on it do.
//!
//! It is looked for in the folder that `SYNCSLATE_CLIENTS` names, where `.ci/clients` puts it. `make test` does both;
//! without it this test is ignored.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "files/kit.rs"]
#[allow(dead_code, reason = "the tests of files use the rest")]
mod kit;

use std::path::{Path, PathBuf};

use kit::{Camera, ID, Take, done, job, program, run, times};
use serde_json::{Value, json};
use syncslate_shared::take::Mark;
use syncslate_shared::time::Wall;

fn judged(folder: &Path, rate: &str) -> Value {
    let clients = std::env::var_os("SYNCSLATE_CLIENTS").map(PathBuf::from).expect("SYNCSLATE_CLIENTS names the folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/others.py");
    let mut python = program("python3");
    python.env("PYTHONPATH", clients.join("python")).arg(script).arg(folder).args([ID, rate]);
    serde_json::from_slice(&done(&mut python).stdout).unwrap()
}

fn three(take: &Take, fps: f64, period: f64) {
    let mut holed = times(60, 11_000, period);
    holed.extend(times(90, 4_004_000 + 11_000, period));
    for (n, name, times) in [
        (1, "left", times(210, 0, period)),
        (2, "<right> & \"co\"", holed),
        // It joined two seconds late.
        (3, "late", times(150, 2_002_000, period)),
    ] {
        take.record(&Camera { ip: [10, 0, 0, n].into(), name, fps, times, ..Camera::default() }, 7_007_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what .ci/clients installs"]
async fn every_timeline_says_the_same_to_opentimelineio() {
    let take = Take::new();
    three(&take, 29.97, 1_001_000.0 / 30.0);
    let mark = |n, us: i64, note: &str| Mark { n, at: Wall::from_micros(kit::T0 + us), note: note.into() };
    let note = "</note>\u{1}\nhe laughs & \"waits\"";
    let mut job = job(&take, false);
    job.marks = vec![mark(1, 1_001_000, note), mark(2, 5_000_000, "")];
    let outcome = run(job.clone()).await.unwrap();
    assert_eq!(outcome.problems, []);
    let told = judged(&job.to, "29.97002997");

    let film = |n: u8| json!(format!("A_10_0_0_{n}_20251023_140210.mp4"));
    let bare = |timeline: &Value, track: usize| -> Vec<Value> {
        let children = timeline["tracks"][track]["children"].as_array().unwrap().iter();
        children.map(|child| json!([child["kind"], child["start"], child["frames"]])).collect()
    };
    let otio = &told["otio"];
    assert_eq!((&otio["start"], &otio["name"]), (&json!("12:02:10:15"), &json!(ID)));
    let names: Vec<_> = otio["tracks"].as_array().unwrap().iter().map(|track| &track["name"]).collect();
    assert_eq!(names, ["left", "<right> & \"co\"", "late"]);
    let wanted = [
        vec![json!(["clip", 0, 210])],
        vec![json!(["clip", 0, 60]), json!(["gap", 60, 60]), json!(["clip", 120, 90])],
        vec![json!(["gap", 0, 60]), json!(["clip", 60, 150])],
    ];
    for (track, wanted) in wanted.iter().enumerate() {
        assert_eq!(bare(otio, track), *wanted, "{otio:#}");
        assert_eq!(bare(&told["xmeml"], track), *wanted, "{:#}", told["xmeml"]);
    }
    assert_eq!(otio["tracks"][1]["children"][2]["url"], film(2));
    assert_eq!(told["xmeml"]["tracks"][2]["children"][1]["url"], film(3));
    // 12:02:10:15 at 30 frames to the counted second, and 120 frames on.
    assert_eq!(otio["tracks"][1]["children"][2]["source"], json!(1_299_915 + 120));
    let comments: Vec<_> =
        otio["marks"].as_array().unwrap().iter().map(|mark| (&mark["frame"], &mark["comment"])).collect();
    assert_eq!(comments, [(&json!(30), &json!(note)), (&json!(149), &json!(""))]);
    let marks: Vec<_> = told["xmeml"]["marks"].as_array().unwrap().iter().map(|mark| &mark["frame"]).collect();
    assert_eq!(marks, [&json!(30), &json!(149)]);
    assert_eq!(told["xmeml"]["marks"][0]["name"], json!("</note>\u{fffd}\nhe laughs & \"waits\""));
    let edl = &told["edl"];
    assert_eq!(edl["tracks"][0]["children"][0]["frames"], json!(210), "{edl:#}");
    let marks: Vec<_> = edl["marks"].as_array().unwrap().iter().map(|mark| &mark["name"]).collect();
    assert_eq!(marks, ["</note> he laughs & \"waits\"", "mark 2"]);
}
