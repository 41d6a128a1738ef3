//! The clock of one node is set in the middle of a take; libfaketime sets it for that node alone.

use std::path::Path;

use syncslate_e2e::judge::Frame;
use syncslate_e2e::rig::Rig;
use syncslate_shared::manifest::{Gap, Manifest};

use crate::{codes, expect_others_whole, time};

/// Rolls a take of three nodes, sets the second one's clock (`+2s`), and gives that one's manifest and frames.
fn step(offset: &str, name: &str) -> (Manifest, Vec<Frame>) {
    let set = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(set.path(), "+0s").unwrap();
    let faketime = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    assert!(Path::new(&faketime).exists(), "the package faketime is not installed");
    let rig = Rig::new()
        .node("phase_ms=3")
        .node("phase_ms=14")
        .env("LD_PRELOAD", &faketime)
        .env("FAKETIME_TIMESTAMP_FILE", &set.path().display().to_string())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .node("phase_ms=25")
        .up("armed");
    rig.roll(name);
    rig.recorded(2, 90);
    // Whole: a file that is half written would be another time.
    let new = set.path().with_extension("new");
    std::fs::write(&new, offset).unwrap();
    std::fs::rename(&new, set.path()).unwrap();
    rig.status(2, "to see that its clock was set", |s| codes(s).contains(&"clock_stepped").then_some(()));
    rig.ear.clear();
    rig.status(2, "to have its gap and go on", |s| {
        (s["state"] == "rolling" && codes(s).contains(&"gap") && s["frames"].as_u64() > Some(240)).then_some(())
    });
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[2]);
    assert!(idle["t1"].is_string() && time(&idle["t1"]) > time(&idle["t0"]));
    let footage = rig.finished(2, &idle);
    (footage.manifest().unwrap(), footage.frames())
}

/// Where the camera's count does not go on.
fn breaks(frames: &[Frame]) -> usize {
    frames.windows(2).filter(|pair| pair[1].counter != pair[0].counter + 1).count()
}

/// The gap lies between two frames that follow each other. Stamps of before a step back come again after it.
fn joins(frames: &[Frame], gap: &Gap) -> bool {
    frames.windows(2).any(|pair| pair[0].row.time == gap.from && pair[1].row.time == gap.to)
}

#[test]
fn a_clock_that_is_set_forward_loses_no_frame_and_is_told() {
    let (manifest, frames) = step("+2s", "forward");
    let [gap] = &manifest.gaps[..] else { panic!("{:?}", manifest.gaps) };
    assert_eq!(gap.cause, "clock_stepped");
    assert!(gap.detail.contains("set forward by 2.0"), "{gap:?}");
    assert_eq!((breaks(&frames), manifest.drops.len()), (0, 0), "{:?}", manifest.drops);
    assert!(joins(&frames, gap), "{gap:?}");
}

#[test]
fn a_clock_that_is_set_back_costs_one_start_of_the_camera_and_is_told() {
    let (manifest, frames) = step("-2s", "back");
    let [gap] = &manifest.gaps[..] else { panic!("{:?}", manifest.gaps) };
    assert_eq!(gap.cause, "clock_stepped");
    assert!(gap.detail.contains("set back by 2.0") || gap.detail.contains("set back by 1.9"), "{gap:?}");
    assert_eq!(breaks(&frames), 1);
    assert!(joins(&frames, gap), "{gap:?}");
}
