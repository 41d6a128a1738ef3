//! Disks that fill, and disks that turn read-only in the middle of a take. Judged by the pictures and the manifests.

use std::path::Path;

use serde_json::{Value, json};
use syncslate_e2e::disk::Disk;
use syncslate_e2e::process::now;
use syncslate_e2e::rig::Rig;

use crate::{codes, expect_others_whole, time};

/// Recording pauses with less than this.
const RESERVE: u64 = 4_000_000;

/// Three nodes, the second one on the disk that `make` gives it.
fn on_disk(make: impl Fn(&Path, &Path) -> Disk) -> (Rig, Disk) {
    let rig =
        Rig::new().node("phase_ms=3").node("phase_ms=14").with("[capture]\nreserve = \"4M\"\n").node("phase_ms=25");
    let videos = rig.videos(rig.ips()[1]);
    let disk = make(&videos, &videos.with_extension("img"));
    (rig, disk)
}

#[test]
fn a_disk_that_fills_pauses_its_node_and_the_take_goes_on_when_there_is_room() {
    let (rig, disk) = on_disk(|videos, _| Disk::in_memory(videos, "24m"));
    let rig = rig.up("armed");
    disk.fill_up_to(RESERVE + 600_000);
    // It warns before the take: half an hour does not fit.
    rig.status(2, "to warn of a short disk", |status| {
        (codes(status).contains(&"disk_short") && status["disk"]["record_s_left"].as_u64()? < 30).then_some(())
    });
    rig.roll("full");
    let full = rig.status(2, "to pause", |s| (s["fault"]["code"] == "disk_full").then(|| s.clone()));
    assert_eq!((&full["state"], &full["disk"]["record_s_left"]), (&json!("fault"), &json!(0)));
    assert!(full["findings"][0]["remedy"].as_str().unwrap().contains("make room"), "{full}");
    assert!(disk.free() > RESERVE / 2, "{} bytes are left of the reserve", disk.free());
    // Longer than the memory reaches back.
    let since = |status: &Value| time(&status["at"]).since_us(time(&full["at"]));
    let paused = |s: &Value| (s["fault"]["code"] == "disk_full" && since(s) > 6_000_000).then(|| s.clone());
    let still = rig.status(2, "to stay paused", paused);
    disk.make_room();
    let frames = still["frames"].as_u64().unwrap() + 60;
    rig.status(2, "to go on", |s| (s["state"] == "rolling" && s["frames"].as_u64() > Some(frames)).then_some(()));
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[2]);
    let holes = rig.finished(2, &idle).expect_told(time(&idle["t1"]));
    let gaps: Vec<_> = holes.iter().filter(|hole| !hole.is_drop()).collect();
    let [hole] = &gaps[..] else { panic!("{holes:?}") };
    assert_eq!(hole.cause, "disk_full");
    // What the memory still held when there was room again is not missing.
    let paused = since(&still) as f64 / 1e6;
    assert!((1.0..paused - 1.0).contains(&hole.length_s()), "{hole:?}, paused for {paused} s or more");
}

#[test]
fn a_disk_that_turns_read_only_is_told_and_its_take_is_closed_once_it_is_mended() {
    let (rig, disk) = on_disk(|videos, image| Disk::in_file(videos, image, 24));
    let mut rig = rig.up("armed");
    rig.roll("dying");
    rig.recorded(2, 200);
    let before = now();
    disk.break_down();
    let fault = rig.status(2, "to tell", |s| (s["fault"]["code"] == "disk_read_only").then(|| s.clone()));
    let told = before.elapsed().as_secs_f64();
    assert!(told < 3.0, "told after {told} s");
    assert!(fault["fault"]["message"].as_str().unwrap().contains("hint: a card that turned read-only is dying"));
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[2]);
    // Somebody takes the node off, mends its disk and starts it again.
    assert_eq!(rig.at(2).process.as_mut().unwrap().stop(), Some(0));
    disk.mend();
    rig.start_node(2);
    let holes = rig.finished(2, &idle).expect_told(time(&idle["t1"]));
    let gaps: Vec<_> = holes.iter().filter(|hole| !hole.is_drop()).collect();
    let [hole] = &gaps[..] else { panic!("{holes:?}") };
    assert_eq!(hole.to, time(&idle["t1"]));
}
