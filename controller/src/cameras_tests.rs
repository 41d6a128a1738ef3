//! Setting cameras through the desk, as any client does.

use serde_json::{Value, json};
use syncslate_shared::protocol::{CameraReport, read};

use super::*;
use crate::desk::{Desk, DeskSettings};
use crate::event::Event;
use crate::journal::Journal;
use crate::kit::{Rig, answer, ip, status};

/// A camera that has all there is to set.
fn full() -> Value {
    json!({"can": Can::widest(&Key::ALL), "bitrate": 8_000_000, "wished": {}, "pending": false,
        "actual": {"width": 640, "height": 360, "fps": 30, "bitrate": 8_000_000, "exposure_us": 9_979, "gain": 1.5,
            "awb": {"red": 1.58, "blue": 2.102}, "focus": 0.5}})
}

/// One without gains, balance and focus.
fn plain() -> Value {
    let keys = [Key::Width, Key::Height, Key::Fps, Key::Bitrate];
    json!({"can": Can::widest(&keys), "bitrate": 8_000_000, "wished": {}, "pending": false,
        "actual": {"width": 640, "height": 360, "fps": 30, "bitrate": 8_000_000}})
}

fn says(rig: &mut Rig, n: u8, camera: &Value) -> Vec<Effect> {
    let mut status = status(n, "armed", 900, 4.0, rig.now().wall, &Value::Null);
    for (key, value) in camera.as_object().unwrap() {
        status["camera"][key] = value.clone();
    }
    rig.message(&format!("status/{}", ip(n)), status.to_string(), false)
}

fn rig(cameras: &[Value]) -> Rig {
    let mut rig = Rig::new(0);
    for (n, camera) in (1..).zip(cameras) {
        says(&mut rig, n, camera);
    }
    rig
}

fn said(effects: &[Effect]) -> BTreeMap<Ipv4Addr, Value> {
    let one = |effect: &Effect| match effect {
        Effect::Say { topic: Topic::Camera(ip), payload } => {
            let wishes: CameraWishes = read(payload).unwrap();
            assert_eq!(wishes.ip, *ip);
            Some((*ip, serde_json::to_value(wishes.settings).unwrap()))
        }
        _ => None,
    };
    effects.iter().filter_map(one).collect()
}

fn kept(effects: &[Effect]) -> Option<Wishes> {
    // On the disk before anybody hears of it.
    let at = effects.iter().position(|effect| matches!(effect, Effect::KeepCameras(_)))?;
    assert_eq!(at, 0, "{effects:?}");
    match &effects[0] {
        Effect::KeepCameras(kept) => Some((**kept).clone()),
        _ => None,
    }
}

fn codes(rig: &Rig, n: u8) -> Vec<String> {
    let nodes = rig.desk.snapshot(rig.now().wall).nodes;
    let node = nodes.iter().find(|node| node.ip == ip(n)).unwrap();
    node.findings.iter().map(|finding| finding.code.clone()).filter(|code| code.starts_with("settings")).collect()
}

#[test]
fn values_are_kept_said_and_added_to() {
    let mut rig = rig(&[full(), full()]);
    let effects = rig.message("cmd/camera", r#"{"settings":{"width":1280,"height":720,"gain":2},"id":7}"#, false);
    assert_eq!(said(&effects), [1, 2].map(|n| (ip(n), json!({"width": 1280, "height": 720, "gain": 2}))).into());
    let result = answer(&effects);
    assert_eq!((result.id, result.ok, result.take), (Some(json!(7)), true, None));
    assert_eq!(result.done[0], "left (192.168.1.101): width 1280, height 720, gain 2");

    let one = json!({"nodes": [ip(2)], "settings": {"gain": null, "fps": 25, "awb": "daylight"}}).to_string();
    let effects = rig.message("cmd/camera", one, false);
    assert_eq!(said(&effects), [(ip(2), json!({"width": 1280, "height": 720, "fps": 25, "awb": "daylight"}))].into());
    assert_eq!(
        answer(&effects).done,
        ["left (192.168.1.102): frame rate 25 fps, gain automatic, white balance daylight"]
    );

    // What is wished already is said to nobody again.
    let effects = rig.message("cmd/camera", r#"{"settings":{"width":1280}}"#, false);
    assert_eq!((said(&effects), kept(&effects)), (BTreeMap::new(), None));
    assert!(answer(&effects).ok);
}

#[test]
fn a_restart_says_everything_again() {
    let mut rig = rig(&[full(), plain()]);
    let effects = rig.message("cmd/camera", r#"{"settings":{"fps":25},"segment_s":30}"#, false);
    let kept = kept(&effects).unwrap();
    let json = serde_json::to_vec(&kept).unwrap();
    let settings = DeskSettings { segment_s: 60, cameras: read(&json).unwrap(), ..DeskSettings::default() };
    let desk = Desk::new(Journal::default(), settings);
    assert_eq!(said(&desk.begin(rig.now())), said(&effects));
    assert_eq!(desk.snapshot(rig.now().wall).cameras.segment_s, 30);
}

#[test]
fn nothing_is_set_while_a_take_rolls() {
    let mut rig = rig(&[full()]);
    assert!(rig.command("start", "A01").ok);
    for payload in [r#"{"settings":{"fps":25}}"#, r#"{"segment_s":30}"#, r#"{"match":"192.168.1.101"}"#] {
        let (code, message) = rig.refused("camera", payload);
        assert_eq!(code, ErrorCode::AlreadyRolling);
        assert!(message.starts_with("the take A01_") && message.ends_with("is rolling: cameras are set after STOP"));
    }
    assert!(rig.command("stop", "").ok);
    assert!(rig.command("camera", r#"{"settings":{"fps":25}}"#).ok);
}

#[test]
fn what_cannot_be_changes_nothing() {
    let mut narrow = full();
    narrow["can"]["gain"] = json!({"from": 1, "to": 16});
    let mut rig = rig(&[full(), narrow, plain()]);
    let table = [
        (r#"{"settings":{"gain":20}}"#, "left (192.168.1.102): `gain`: 20 does not lie between 1 and 16"),
        (
            r#"{"settings":{"exposure_us":40000}}"#,
            "left (192.168.1.101): `exposure_us`: 40000 µs are longer than a frame lasts",
        ),
        (
            r#"{"settings":{"focus":1},"nodes":["192.168.1.103"]}"#,
            "nothing can be set: left (192.168.1.103) has no focus",
        ),
    ];
    for (payload, message) in table {
        let effects = rig.message("cmd/camera", payload, false);
        assert_eq!((said(&effects), kept(&effects)), (BTreeMap::new(), None), "{payload}");
        let error = answer(&effects).error.unwrap();
        assert_eq!(error.code, ErrorCode::InvalidSetting);
        assert!(error.message.starts_with(message), "{payload}: {}", error.message);
    }
    assert_eq!(rig.refused("camera", r#"{"settings":{"fps":25},"nodes":["10.0.0.7"]}"#).0, ErrorCode::NoNodes);
    assert_eq!(rig.refused("camera", r#"{"settings":{"fps":25},"nodes":[]}"#).0, ErrorCode::NoNodes);
    assert_eq!(Rig::new(0).refused("camera", r#"{"settings":{"fps":25}}"#).0, ErrorCode::NoNodes);
}

#[test]
fn who_lacks_a_setting_is_named_and_the_others_get_it() {
    let mut rig = rig(&[full(), plain()]);
    let effects = rig.message("cmd/camera", r#"{"settings":{"gain":2,"fps":25}}"#, false);
    assert_eq!(said(&effects), [(ip(1), json!({"fps": 25, "gain": 2})), (ip(2), json!({"fps": 25}))].into());
    assert_eq!(answer(&effects).warnings, ["left (192.168.1.102) has no gain"]);
}

#[test]
fn all_are_matched_to_one_as_far_as_they_can_be() {
    let mut narrow = full();
    narrow["can"]["gain"] = json!({"from": 2, "to": 16});
    let mut rig = rig(&[full(), narrow, plain()]);
    let effects = rig.message("cmd/camera", json!({"match": ip(1)}).to_string(), false);
    let all = full()["actual"].clone();
    let without_gain = {
        let mut all = all.clone();
        all.as_object_mut().unwrap().remove("gain");
        all
    };
    // Itself too: what was automatic there would go on changing.
    assert_eq!(said(&effects), [(ip(1), all), (ip(2), without_gain), (ip(3), plain()["actual"].clone())].into());
    let result = answer(&effects);
    assert_eq!(
        result.warnings,
        [
            "left (192.168.1.102): `gain`: 1.5 does not lie between 2 and 16",
            "left (192.168.1.103) has no exposure, gain, white balance, focus"
        ]
    );
    assert_eq!(result.done[2], "left (192.168.1.103): width 640, height 360, frame rate 30 fps, bit rate 8 Mbit/s");
}

#[test]
fn only_a_camera_that_tells_its_values_can_be_matched() {
    let mut rig = rig(&[json!({"can": null}), full()]);
    let (code, message) = rig.refused("camera", &json!({"match": ip(1)}).to_string());
    assert_eq!(code, ErrorCode::NotReady);
    assert!(message.contains("it must be armed to be matched"), "{message}");
    assert_eq!(rig.refused("camera", &json!({"match": ip(9)}).to_string()).0, ErrorCode::NoNodes);
    let effects = rig.message("cmd/camera", json!({"match": ip(2)}).to_string(), false);
    assert_eq!(said(&effects).into_keys().collect::<Vec<_>>(), [ip(2)]);
    assert!(answer(&effects).warnings[0].contains("does not say what it has to set"));
}

#[test]
fn a_camera_that_does_not_follow_is_a_finding() {
    let mut rig = rig(&[full(), json!({})]);
    rig.command("camera", r#"{"settings":{"exposure_us":10000,"fps":30}}"#);
    let mut camera = full();
    camera["wished"] = json!({"exposure_us": 10_000, "fps": 30});
    says(&mut rig, 1, &camera);
    says(&mut rig, 2, &json!({}));
    assert_eq!((codes(&rig, 1), codes(&rig, 2)), (vec![], vec![]), "it takes a moment");
    rig.pass(3_100);
    says(&mut rig, 1, &camera);
    says(&mut rig, 2, &json!({}));
    assert_eq!((codes(&rig, 1), codes(&rig, 2)), (vec![], vec!["settings_not_heard".to_owned()]));
    camera["actual"]["exposure_us"] = json!(20_000);
    says(&mut rig, 1, &camera);
    assert_eq!(codes(&rig, 1), ["settings_missed"]);
    let warnings = rig.command("start", "A01").warnings;
    let message = "left (192.168.1.101): its exposure is 1/50 s (20000 µs), wished is 1/100 s (10000 µs)";
    assert!(warnings.iter().any(|warning| warning == message), "{warnings:?}");
    camera["pending"] = json!(true);
    says(&mut rig, 1, &camera);
    assert_eq!(codes(&rig, 1), Vec::<String>::new());
}

#[test]
fn the_length_of_segments_holds_from_the_next_take() {
    let mut rig = rig(&[full()]);
    let result = rig.command("camera", r#"{"segment_s":7}"#);
    assert_eq!(result.done, ["segments of the next take last 7 s"]);
    rig.command("start", "A01");
    assert_eq!(rig.take().segment_s, Some(7));
    rig.command("stop", "");
    rig.command("camera", r#"{"segment_s":null}"#);
    rig.command("start", "A02");
    assert_eq!(rig.take().segment_s, Some(60));
}

#[test]
fn a_disk_that_does_not_keep_them_is_told() {
    let mut rig = rig(&[full()]);
    rig.on(Event::NotKept("cameras.json cannot be written: no room".into()));
    assert!(rig.desk.snapshot(rig.now().wall).notices[0].ends_with("cameras.json cannot be written: no room"));
}

#[test]
fn an_older_node_tells_nothing_and_is_read_all_the_same() {
    let camera: CameraReport =
        read(br#"{"kind":"test","model":null,"width":640,"height":360,"fps":30.0,"start_ms":900,"ring_s":4.0}"#)
            .unwrap();
    assert_eq!((camera.can, camera.actual, camera.wished, camera.pending), (None, None, None, false));
}
