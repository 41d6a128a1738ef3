//! Pictures of every page, on a desk and in a hand, light and dark, with no node, one, three, twelve and thirty:
//! `screenshots [FOLDER]`, `screenshots` unless told. A real controller; three nodes have simulated cameras, the many only
//! talk.

#![expect(clippy::print_stdout, reason = "it says what it made")]
#![expect(clippy::unwrap_used, reason = "without what it needs there are no pictures")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use syncslate_e2e::browser::Browser;
use syncslate_e2e::crowd::Crowd;
use syncslate_e2e::rig::Rig;

/// Takes pictures of the pages at `http` in all four ways.
fn shoot(folder: &Path, http: u16, pages: &[(&str, &str)], settled: &str) {
    for (form, browser) in [("desk", Browser::desktop()), ("hand", Browser::phone())] {
        for scheme in ["light", "dark"] {
            browser.system(scheme);
            for (name, path) in pages {
                browser.open(http, path);
                browser.see("main", settled);
                browser.pause(std::time::Duration::from_millis(1500));
                let file = folder.join(format!("{name}-{form}-{scheme}.png"));
                browser.long_picture(&file);
                println!("{}", file.display());
            }
        }
    }
}

/// A whole shoot with three cameras: before, while it rolls and after.
fn three(folder: &Path) {
    let rig = Rig::new().node("phase_ms=5").node("phase_ms=19").node("phase_ms=11").up("armed");
    shoot(folder, rig.http, &[("armed-3", "/")], "ARMED");
    rig.roll("scene_12_take_03");
    rig.recorded(1, 60);
    for note in ["he enters", "", "the glass falls: too early, look at the left camera"] {
        rig.ask("mark", note);
        rig.recorded(1, 90);
    }
    let node = format!("/nodes/{}", rig.ips()[0]);
    shoot(folder, rig.http, &[("rolling-3", "/"), ("node-rolling", &node)], "cam1");
    let idle = rig.cut();
    (1..=3).for_each(|i| drop(rig.finished(i, &idle)));
    rig.download("scene_12_take_03");
    rig.export("scene_12_take_03", &[]);
    let pages = [
        ("control-3", "/"),
        ("takes", "/takes"),
        ("take", "/takes/scene_12_take_03"),
        ("sync", "/takes/scene_12_take_03/sync"),
        ("play", "/takes/scene_12_take_03/play"),
        ("node", node.as_str()),
        ("cameras", "/cameras"),
        ("events", "/events"),
        ("about", "/about"),
        ("slate", "/slate"),
        ("refused", "/nowhere"),
    ];
    shoot(folder, rig.http, &pages, "");
}

fn main() {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("screenshots"), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    shoot(&folder, Rig::new().http, &[("standby-0", "/"), ("takes-none", "/takes")], "");
    for n in [1, 12, 30] {
        let rig = Rig::new();
        let crowd = Crowd::join(rig.mqtt, n);
        let topic = format!("status/{}", crowd.ips().last().unwrap());
        rig.ear.wait("the last node to be known", &topic, |_| Some(()));
        if n == 12 {
            let fault = json!({"code": "camera_lost", "message": "the camera gives no pictures since 3 s"});
            crowd.change(5, &json!({"state": "fault", "fault": fault}));
            crowd.change(7, &json!({"temp_c": 84.0, "throttled": true}));
        }
        if n == 30 {
            let take = rig.roll("thirty_cameras_001");
            (0..30).for_each(|i| {
                crowd.change(i, &json!({"state": "rolling", "take": take["id"], "frames": 1234, "segment": 0}));
            });
        }
        shoot(&folder, rig.http, &[(&format!("control-{n}"), "/")], "camera");
    }
    three(&folder);
}
