//! Footage of real nodes in custody: while they record, and when a node's program dies.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use serde_json::Value;
use syncslate_e2e::process::wait_for;
use syncslate_e2e::rig::Rig;
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::protocol::{CurrentTake, read};

/// A file of the take `current` of node `i`, as it lies here.
fn here(rig: &Rig, i: usize, current: &Value, kind: Kind) -> PathBuf {
    let current: CurrentTake = read(current.to_string().as_bytes()).unwrap();
    let base = Base { id: current.id.unwrap(), ip: rig.ips()[i - 1] };
    rig.downloads().join(base.id.name.as_str()).join(base.ip.to_string()).join(base.file(kind))
}

/// Waits until the download of `take` is in `state`; gives it.
fn until(rig: &Rig, take: &str, state: &str) -> Value {
    rig.ear.wait(&format!("the download to be {state}"), &format!("download/{take}"), |download| {
        (download["state"] == state).then(|| download.clone())
    })
}

#[test]
fn a_take_comes_while_it_rolls_and_its_recording_does_not_notice() {
    let settings = "[download]\nwhile_rolling = true\nreserve = '0'\n";
    let rig = Rig::with_settings(settings).node("phase_ms=5").node("phase_ms=9").up("armed");
    let rolling = rig.roll("A");
    for segment in [0, 1] {
        for i in [1, 2] {
            wait_for("a closed file to come", || here(&rig, i, &rolling, Kind::Segment(segment)).exists());
        }
    }
    let status = rig.ear.wait("the node to record still", &format!("status/{}", rig.ips()[0]), |status| {
        (status["state"] == "rolling" && status["segment"].as_u64() >= Some(2)).then(|| status.clone())
    });
    assert_eq!(status["dropped"], 0, "{status}");
    assert!(!here(&rig, 1, &rolling, Kind::Manifest).exists(), "what grows comes later");
    let current = rig.cut();
    let footage = [1, 2].map(|i| rig.finished(i, &current));
    let done = until(&rig, "A", "done");
    for (i, footage) in footage.iter().enumerate() {
        let manifest = footage.manifest().unwrap();
        assert_eq!(manifest.gaps, [], "the recording did not notice");
        let part = &done["nodes"][rig.ips()[i].to_string()];
        assert_eq!(part["verified"].as_u64(), Some(manifest.segments.len() as u64), "{part}");
        for segment in &manifest.segments {
            let file = here(&rig, i + 1, &current, Kind::Manifest).with_file_name(&segment.file);
            assert_eq!(
                std::fs::read(file).unwrap(),
                std::fs::read(footage.path(Kind::Manifest).with_file_name(&segment.file)).unwrap()
            );
        }
    }
}

#[test]
fn a_node_whose_program_dies_in_a_download_is_fetched_all_the_same() {
    let settings = "[download]\nlimit = '300k'\nparallel = 1\nreserve = '0'\n";
    let mut rig = Rig::with_settings(settings).node("phase_ms=5").up("armed");
    rig.roll("A");
    rig.recorded(1, 240);
    let current = rig.cut();
    let footage = rig.finished(1, &current);
    rig.ask("download", "A");
    let ip = rig.ips()[0].to_string();
    rig.ear.wait("bytes to come", "download/A", |download| {
        let part = &download["nodes"][&ip];
        (download["state"] == "running" && part["bytes"].as_u64() > Some(0)).then_some(())
    });
    rig.at(1).process.as_mut().unwrap().kill();
    rig.expect_state(1, "offline");
    let done = until(&rig, "A", "done");
    let manifest = footage.manifest().unwrap();
    assert_eq!(done["nodes"][&ip]["verified"].as_u64(), Some(manifest.segments.len() as u64), "{done}");
    // It is back, takes its place, and what it has still is what was proven.
    rig.start_node(1);
    rig.expect_state(1, "armed");
    rig.ear.clear();
    rig.ask("download", "A");
    let again = until(&rig, "A", "done");
    assert_eq!(again["nodes"][&ip]["error"], Value::Null, "{again}");
}
