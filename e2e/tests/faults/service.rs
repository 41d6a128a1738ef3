//! A node as a service: what it tells systemd, and how it ends. And cameras that lose single frames.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncslate_e2e::process::{now, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_shared::manifest::DropSide;

use crate::{expect_others_whole, time};

#[test]
fn a_node_tells_systemd_how_it_does_and_ends_within_two_seconds_with_its_files_whole() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&said);
    // As systemd does: what is not read soon would be refused.
    std::thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok(n) = systemd.recv(&mut buffer) {
            all.lock().unwrap().push(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
    });
    let hear = |what: &str| wait_for(what, || said.lock().unwrap().iter().any(|line| line == what));
    let mut rig = Rig::new()
        .node("phase_ms=3")
        .node("phase_ms=14")
        .env("NOTIFY_SOCKET", &socket.display().to_string())
        .env("WATCHDOG_USEC", "900000")
        .node("phase_ms=25")
        .up("armed");
    hear("READY=1");
    hear("WATCHDOG=1");
    rig.roll("asked_to_end");
    rig.recorded(2, 200);
    let asked = now();
    assert_eq!(rig.at(2).process.as_mut().unwrap().stop(), Some(0));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    hear("STOPPING=1");
    rig.status(2, "to say goodbye", |s| (s["state"] == "offline").then_some(()));
    rig.ear.clear();
    rig.start_node(2);
    rig.recorded(2, 300);
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[2]);
    let footage = rig.finished(2, &idle);
    let holes = footage.expect_told(time(&idle["t1"]));
    let gaps: Vec<_> = holes.iter().filter(|hole| !hole.is_drop()).collect();
    let [hole] = &gaps[..] else { panic!("{holes:?}") };
    assert_eq!(hole.cause, "node_restarted");
}

#[test]
fn frames_that_a_camera_loses_are_counted_live_and_listed() {
    let rig = Rig::new().node("phase_ms=3").node("phase_ms=14,drop=300+301+350").node("phase_ms=25").up("armed");
    rig.roll("holes");
    let status = rig.status(2, "to count them", |s| (s["drops"]["camera"].as_u64() >= Some(3)).then(|| s.clone()));
    assert_eq!(status["dropped"].as_u64(), status["drops"]["camera"].as_u64());
    rig.recorded(2, 60);
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[2]);
    let footage = rig.finished(2, &idle);
    let holes = footage.expect_told(time(&idle["t1"]));
    assert_eq!(holes.iter().map(|hole| hole.missing).collect::<Vec<_>>(), [2, 1], "{holes:?}");
    let manifest = footage.manifest().unwrap();
    assert!(manifest.gaps.is_empty() && manifest.drops.iter().all(|drop| drop.by == DropSide::Camera), "{manifest:?}");
}
