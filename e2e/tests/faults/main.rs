//! "Nothing stops a take": each fault on three nodes, the take judged by its pictures and by what the manifests say.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

mod clock;
mod controller;
mod disk;
mod kill;
mod network;
mod operators;
mod power;
mod service;

use serde_json::Value;
use syncslate_e2e::rig::Rig;
use syncslate_shared::time::Wall;

fn time(value: &Value) -> Wall {
    Wall::parse(value.as_str().unwrap()).unwrap()
}

fn three() -> Rig {
    Rig::new().node("phase_ms=3").node("phase_ms=14").node("phase_ms=25")
}

/// The words of a status' findings.
fn codes(status: &Value) -> Vec<&str> {
    status["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect()
}

/// All nodes but these have every frame of the take.
fn expect_others_whole(rig: &Rig, idle: &Value, but: &[usize]) {
    for i in (1..=3).filter(|i| !but.contains(i)) {
        rig.finished(i, idle).expect_whole(time(&idle["t1"]));
    }
}
