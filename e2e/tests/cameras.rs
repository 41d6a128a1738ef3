//! Cameras that are set from the controller: real nodes with simulated cameras, judged by what they record.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use std::time::Duration;

use serde_json::{Value, json};
use syncslate_e2e::browser::Browser;
use syncslate_e2e::judge::Footage;
use syncslate_e2e::process::{command, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_shared::files::Kind;

/// The page takes two presses closer together than 0.7 s for one.
const TWO_PRESSES: Duration = Duration::from_millis(900);

fn two() -> Rig {
    Rig::new().node("phase_ms=5").node("phase_ms=19").up("armed")
}

/// Waits until node `i` is armed with a camera that has all of this; only what it says from now on counts.
fn expect_camera(rig: &Rig, i: usize, actual: &Value) -> Value {
    rig.status(i, &format!("to have {actual}"), |status| {
        let has = |(key, value): (&String, &Value)| status["camera"]["actual"][key] == *value;
        let all = actual.as_object().unwrap().iter().all(has);
        (all && status["state"] == "armed").then(|| status["camera"].clone())
    })
}

/// Width, height and rate of a footage file, as ffprobe finds them in the stream.
fn probed(footage: &Footage, segment: u32) -> (u64, u64, String) {
    let mut probe = command("ffprobe");
    probe.args(["-v", "error", "-of", "json", "-show_entries", "stream=width,height,avg_frame_rate"]);
    let output = probe.arg(footage.path(Kind::Segment(segment))).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = &json["streams"][0];
    let rate = stream["avg_frame_rate"].as_str().unwrap().to_owned();
    (stream["width"].as_u64().unwrap(), stream["height"].as_u64().unwrap(), rate)
}

fn set(rig: &Rig, wish: &Value) -> Value {
    let answer = rig.ask("camera", wish.to_string());
    assert_eq!(answer["ok"], json!(true), "{answer}");
    answer
}

#[test]
fn a_camera_is_set_and_stays_so_over_every_restart() {
    let mut rig = two();
    let first = rig.ips()[0];
    let wished = json!({"width": 320, "height": 240, "fps": 25, "bitrate": 500_000, "exposure_us": 20_000});
    rig.ear.clear();
    let answer = set(&rig, &json!({"nodes": [first], "settings": wished}));
    assert!(answer["done"][0].as_str().unwrap().starts_with("cam1 (127."), "{answer}");
    let camera = expect_camera(&rig, 1, &wished);
    assert_eq!((&camera["wished"], &camera["pending"]), (&wished, &json!(false)));
    rig.expect_state(1, "armed");

    let take = rig.roll("set_01");
    rig.recorded(1, 30);
    let refused = rig.ask("camera", r#"{"settings":{"fps":30}}"#);
    assert_eq!(refused["error"]["code"], "already_rolling", "{refused}");
    // A node that dies in the middle of the take comes back with the same pictures.
    rig.at(1).process.as_mut().unwrap().kill();
    rig.ear.clear();
    rig.start_node(1);
    rig.recorded(1, 120);
    let idle = rig.cut();
    assert_eq!(idle["id"], take["id"]);
    let footage = rig.finished(1, &idle);
    let manifest = footage.manifest().unwrap();
    let camera = manifest.camera.unwrap();
    assert_eq!((camera.width, camera.height, camera.fps, camera.bitrate), (320, 240, 25.0, Some(500_000)));
    assert!(manifest.segments.len() >= 2, "{:?}", manifest.segments);
    for segment in &manifest.segments {
        assert_eq!(probed(&footage, segment.index), (320, 240, "25/1".into()));
    }
    assert_eq!(probed(&rig.finished(2, &idle), 0), (640, 360, "30/1".into()));

    // An empty disk, and a controller that was away.
    rig.at(1).process.as_mut().unwrap().kill();
    rig.kill_controller();
    std::fs::remove_dir_all(rig.videos(first)).unwrap();
    rig.restart_controller();
    rig.ear.wait("what is wished to be said again", &format!("camera/{first}"), |said| {
        (said["settings"] == wished).then_some(())
    });
    rig.ear.clear();
    rig.start_node(1);
    expect_camera(&rig, 1, &wished);

    // And back to its own settings.
    rig.ear.clear();
    set(&rig, &json!({"nodes": [first], "settings": {"width": null, "height": null, "fps": null, "bitrate": null}}));
    let camera = expect_camera(&rig, 1, &json!({"width": 640, "height": 360, "fps": 30, "bitrate": 1_000_000}));
    assert_eq!(camera["wished"], json!({"exposure_us": 20_000}));
}

#[test]
fn what_is_heard_in_the_middle_of_a_take_waits_for_its_end() {
    let rig = two();
    let ip = rig.ips()[1];
    rig.roll("waits_01");
    rig.recorded(2, 30);
    let wishes = json!({"v": 1, "ip": ip, "settings": {"fps": 25}, "at": "2025-10-23T12:02:10.000000Z"});
    rig.publish(&format!("camera/{ip}"), wishes.to_string().as_bytes(), &["-r"]);
    rig.status(2, "to wait", |status| {
        let told = status["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == "settings_pending");
        (status["camera"]["pending"] == true && status["state"] == "rolling" && told).then_some(())
    });
    rig.recorded(2, 60);
    let idle = rig.cut();
    let footage = rig.finished(2, &idle);
    footage.expect_whole(syncslate_shared::time::Wall::parse(idle["t1"].as_str().unwrap()).unwrap());
    assert_eq!(footage.manifest().unwrap().camera.unwrap().fps, 30.0);
    let camera = expect_camera(&rig, 2, &json!({"fps": 25}));
    assert_eq!(camera["pending"], json!(false));
}

#[test]
fn all_are_set_and_matched_on_the_page() {
    let rig = two();
    let browser = Browser::desktop();
    browser.open(rig.http, "/cameras");
    browser.see("#rows tr:first-child [data-text=size]", "640 × 360");
    browser.see(".differing", "All cameras that are on are set alike");
    browser.fill("#width", "320");
    browser.fill("#height", "241");
    browser.press("#set");
    browser.see("#answer", "`height`: 241 is no even number of pixels");
    browser.fill("#height", "240");
    browser.press("#set");
    browser.see("#answer", "cam2 (127.");
    for row in ["first", "last"] {
        browser.see(&format!("#rows tr:{row}-child [data-text=size]"), "320 × 240");
    }

    // One of them differs: it is said in words, and all are matched to it.
    browser.press("#rows tr:first-child [name=node]");
    browser.see("#chosen", "cam2");
    browser.run(
        "const how = document.getElementById('how-exposure_us'); how.value = 'fixed'; how.dispatchEvent(new Event('change', {bubbles: true}))",
    );
    browser.fill("#exposure_us", "20000");
    browser.press("#set");
    browser.see("#rows tr:last-child [data-text=exposure]", "1/50 s");
    browser.see(".differing", "differ in: exposure");
    browser.press("#rows tr:last-child [data-match]");
    browser.see("#rows tr:last-child [data-match]", "Press again");
    browser.pause(TWO_PRESSES);
    browser.press("#rows tr:last-child [data-match]");
    browser.see("#answer", "exposure 1/50 s (20000 µs)");
    browser.see("#rows tr:first-child [data-text=exposure]", "1/50 s");
    browser.see(".differing", "set alike");
    for i in 1..=2 {
        rig.status(i, "to have it", |status| {
            let actual = &status["camera"]["actual"];
            (actual["width"] == 320 && actual["exposure_us"] == 20_000).then_some(())
        });
    }

    browser.fill("#segment_s", "7");
    browser.enter();
    browser.see("#segments-answer", "last 7 s");
    let take = rig.roll("page_01");
    assert_eq!(take["segment_s"], json!(7));
    browser.see("#locked", "page_01 is rolling");
    assert_eq!(browser.run("return document.getElementById('fields').disabled"), json!(true));
    let phone = Browser::phone();
    phone.open(rig.http, "/cameras");
    phone.see("#locked", "page_01 is rolling");
    let wide = phone.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(wide, json!(0), "nothing lies beside the screen");
    rig.cut();
    wait_for("the form to be open again", || {
        browser.run("return document.getElementById('fields').disabled") == json!(false)
    });
}
