//! The sync report of real files: made by itself when they are here, and true.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::{Value, json};
use syncslate_e2e::process::{command, ours, send, wait_for};
use syncslate_e2e::rig::Rig;
use tempfile::TempDir;

/// A `chronyc` that says of this machine's clock what chrony would: all nodes here share it.
fn clock() -> TempDir {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("chronyc");
    let line =
        "7F000001,127.0.0.1,11,1761220930.1,0.000012,0.000003,0.00001,-12.3,0.01,0.2,0.000060,0.000041,16.2,Normal";
    std::fs::write(&file, format!("#!/bin/sh\necho '{line}'\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Three cameras of known phases and drifts, on machines with chrony.
fn three(clock: &TempDir) -> Rig {
    let path = format!("{}:{}", clock.path().display(), std::env::var("PATH").unwrap());
    let cameras = ["phase_ms=3,ppm=-80", "phase_ms=14", "phase_ms=25.5,ppm=120"];
    cameras.into_iter().fold(Rig::new(), |rig, camera| rig.node(camera).env("PATH", &path)).up("armed")
}

/// Fetches the take and waits for its report.
fn report(rig: &Rig, idle: &Value) -> Value {
    let (take, id) = (idle["take"].as_str().unwrap(), idle["id"].as_str().unwrap());
    for i in 1..=3 {
        rig.finished(i, idle);
    }
    rig.download(take);
    let path = rig.downloads().join(take).join(format!("{id}_sync.json"));
    let read = || serde_json::from_slice::<Value>(&std::fs::read(&path).ok()?).ok();
    wait_for("the sync report", || read().is_some_and(|report| report["complete"] == true));
    assert!(path.with_extension("html").is_file());
    read().unwrap()
}

/// The exit code of `syncslate-controller report`.
fn told(rig: &Rig, take: &str) -> (Option<i32>, String) {
    let mut program = command(ours("syncslate-controller"));
    program.args(["report", take]).arg("--downloads").arg(rig.downloads()).arg("--state").arg(rig.state());
    let out = program.output().unwrap();
    (out.status.code(), String::from_utf8(out.stdout).unwrap())
}

#[test]
fn a_take_of_three_cameras_is_green_and_its_figures_are_theirs() {
    let clock = clock();
    let rig = three(&clock);
    rig.roll("even");
    for i in 1..=3 {
        rig.recorded(i, 400);
    }
    let report = report(&rig, &rig.cut());
    assert_eq!(
        (&report["verdict"], &report["fleet"]["missing"]),
        (&json!("green"), &json!(0)),
        "{}",
        report["reasons"]
    );
    for (node, ppm) in report["nodes"].as_array().unwrap().iter().zip([-80.0, 0.0, 120.0]) {
        let found = node["drift_ppm"].as_f64().unwrap();
        // The cameras were running before the take, and this machine's clock may be steered a little.
        assert!((found - ppm).abs() < 20.0, "{found} ppm, not {ppm}");
        assert_eq!(node["clock"]["bound_us"], json!(83), "{}", node["clock"]);
        assert!(node["jitter"]["p99_us"].as_f64() < Some(2_000.0), "{}", node["jitter"]);
    }
    let worst = report["fleet"]["nearest"]["worst_us"].as_u64().unwrap();
    assert!((9_000..16_700).contains(&worst), "{worst} µs");
    let (code, said) = told(&rig, "even");
    assert!(code == Some(0) && said.contains("in sync (green)"), "{code:?}: {said}");
}

#[test]
fn a_camera_that_was_killed_has_its_gap_in_the_report() {
    let clock = clock();
    let mut rig = three(&clock);
    rig.roll("killed");
    rig.recorded(2, 120);
    let before = rig.status(2, "to roll", |status| status["frames"].as_u64());
    send(rig.at(2).process.as_ref().unwrap().child("syncslate-node").unwrap(), Signal::KILL);
    rig.recorded(2, before + 300);
    rig.recorded(1, 400);
    let report = report(&rig, &rig.cut());
    let nodes = report["nodes"].as_array().unwrap();
    let gaps: Vec<_> = nodes.iter().map(|node| node["gaps"].as_array().unwrap().len()).collect();
    assert_eq!(gaps, [0, 1, 0], "{}", report["reasons"]);
    let gap = &nodes[1]["gaps"][0];
    assert_eq!((&gap["cause"], &gap["seen"]), (&json!("camera_lost"), &json!(true)), "{gap}");
    assert!(gap["frames"].as_u64() > Some(0), "{gap}");
    let reasons = report["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["code"] == "gap" && reason["node"] == "127.0.1.102"));
    assert!(!reasons.iter().any(|reason| reason["code"] == "gap_unexplained"), "{}", report["reasons"]);
}
