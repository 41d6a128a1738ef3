//! A camera's tile: its state, its figures, and what is wrong with it in words. Pure.

use std::net::Ipv4Addr;

use serde::Serialize;
use syncslate_shared::protocol::{Level, NodeState, NodeStatus, TakeState};

use super::{Line, words};
use crate::snapshot::{NodeView, Snapshot};

/// Less than this much room is a finding, in seconds.
const LITTLE_ROOM_S: u64 = 15 * 60;
/// A clock further off than this is a finding, in microseconds: a quarter of a frame at 60 fps.
const FAR_OFF_US: i64 = 4_000;
/// The processor slows itself down at 80 °C.
const HOT_C: f64 = 78.0;
/// A rate further below the one asked for than this is a finding.
const SLOW: f64 = 0.95;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Tile {
    pub(super) key: Ipv4Addr,
    pub(super) ip: String,
    pub(super) name: String,
    /// The state's word on the wire, for the style.
    pub(super) kind: &'static str,
    /// The state for people.
    pub(super) word: &'static str,
    /// `bad`, `warn`, `ok` or `gone`: how much it wants to be looked at.
    pub(super) rank: &'static str,
    /// The camera and how it is set.
    pub(super) camera: String,
    /// What is wrong, worst first.
    pub(super) findings: Vec<Line>,
    pub(super) facts: Vec<Fact>,
}

/// A figure with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    /// `warn` when it is one of the findings.
    pub(super) kind: &'static str,
}

/// All tiles, trouble first, then by address.
pub(super) fn tiles(snapshot: &Snapshot) -> Vec<Tile> {
    let mut tiles: Vec<Tile> = snapshot.nodes.iter().map(|node| tile(node, snapshot)).collect();
    let place = |tile: &Tile| ["bad", "warn", "ok", "gone"].iter().position(|rank| *rank == tile.rank);
    tiles.sort_by_key(|tile| (place(tile), tile.key));
    tiles
}

fn tile(node: &NodeView, snapshot: &Snapshot) -> Tile {
    let missing = is_missing(node, snapshot);
    let status = node.status.as_ref();
    let mut findings = Vec::new();
    if missing {
        let text = if node.state == NodeState::Offline {
            "not reachable in the middle of the take"
        } else {
            "not recording the take that is rolling"
        };
        findings.push(Line { key: "missing".into(), text: text.into() });
    }
    let there = status.filter(|_| node.state != NodeState::Offline);
    if let Some(status) = there {
        findings.extend(troubles(status));
    }
    let fault = there.is_some_and(|status| status.fault.is_some()) || node.state == NodeState::Fault;
    let rank = match node.state {
        _ if missing || fault => "bad",
        NodeState::Offline => "gone",
        _ if findings.is_empty() => "ok",
        _ => "warn",
    };
    let camera = match (status, there) {
        (Some(status), None) => format!("last heard {}", words::instant(status.at)),
        (Some(status), Some(_)) => camera(status),
        (None, _) => "never heard while this controller runs".into(),
    };
    Tile {
        key: node.ip,
        ip: node.ip.to_string(),
        name: status.map(|s| s.name.clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| node.ip.to_string()),
        kind: node.state.as_str(),
        word: word(node.state),
        rank,
        camera,
        findings,
        facts: there.map(facts).unwrap_or_default(),
    }
}

/// Whether it should be recording and is not. A node that is only starting up is on its way.
fn is_missing(node: &NodeView, snapshot: &Snapshot) -> bool {
    let roster = snapshot.take.nodes.as_deref().unwrap_or_default();
    snapshot.take.state == TakeState::Rolling
        && roster.contains(&node.ip)
        && matches!(node.state, NodeState::Offline | NodeState::Standby | NodeState::Fault)
}

fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Offline => "offline",
        NodeState::Starting => "starting",
        NodeState::Standby => "standby",
        NodeState::Armed => "armed",
        NodeState::Rolling => "rolling",
        NodeState::Fault => "fault",
    }
}

fn camera(status: &NodeStatus) -> String {
    let camera = &status.camera;
    let model = camera.model.as_deref().unwrap_or(&camera.kind);
    format!("{model} · {}×{} · {} fps", camera.width, camera.height, rate(camera.fps))
}

/// A rate without useless zeros: `30`, `29.97`.
fn rate(fps: f64) -> String {
    format!("{fps:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is wrong with a node that is there, as (key, sentence); the key is the fact it shows in, where there is one.
fn troubles(status: &NodeStatus) -> Vec<Line> {
    if !status.findings.is_empty() {
        return told(status);
    }
    let mut found = Vec::new();
    let mut say = |key: &str, text: String| found.push(Line { key: key.into(), text });
    if let Some(fault) = &status.fault {
        say("fault", fault.message.clone());
    }
    if status.dropped > 0 {
        say("dropped", format!("{} missing in this take", words::count(status.dropped, "frame is", "frames are")));
    }
    if let Some(left) = status.disk.as_ref().and_then(|disk| disk.record_s_left).filter(|left| *left < LITTLE_ROOM_S) {
        say("disk", format!("the disk is full in {}", words::length(left)));
    }
    match &status.clock {
        Some(clock) if !clock.synced => say("clock", "the clock is not synchronised".into()),
        Some(clock) if clock.offset_us.is_some_and(|us| us.abs() > FAR_OFF_US) => {
            say("clock", format!("the clock is {} ms off", words::signed(clock.offset_us.unwrap_or_default())));
        }
        _ => {}
    }
    if status.throttled == Some(true) {
        say("temp", "the processor is slowed down by heat or low voltage".into());
    } else if let Some(temp) = status.temp_c.filter(|temp| *temp >= HOT_C) {
        say("temp", format!("the processor is hot, {temp:.0} °C"));
    }
    if is_slow(status) {
        say("fps", slow(status));
    }
    found
}

/// The node's own findings, in its words; what is only good to know stays off the tile.
fn told(status: &NodeStatus) -> Vec<Line> {
    let mut found = Vec::new();
    for finding in status.findings.iter().filter(|finding| finding.level > Level::Info) {
        let text = match finding.remedy.as_str() {
            "" => finding.message.clone(),
            remedy => format!("{}: {remedy}", finding.message),
        };
        found.push(Line { key: finding.code.clone(), text });
    }
    if is_slow(status) {
        found.push(Line { key: "fps".into(), text: slow(status) });
    }
    found
}

/// The fact that a finding shows in, where there is one.
fn shown_in(code: &str) -> &str {
    match code {
        "disk_full" | "disk_short" | "disk_slow" | "disk_read_only" | "disk_error" => "disk",
        "clock_unsynced" | "clock_off" | "clock_stepped" => "clock",
        "hot" | "throttled" | "under_voltage" => "temp",
        "frames_dropped" | "gap" => "dropped",
        code => code,
    }
}

fn slow(status: &NodeStatus) -> String {
    format!("only {} of {} frames a second", rate(status.fps), rate(status.camera.fps))
}

fn is_slow(status: &NodeStatus) -> bool {
    matches!(status.state, NodeState::Armed | NodeState::Rolling) && status.fps < status.camera.fps * SLOW
}

fn facts(status: &NodeStatus) -> Vec<Fact> {
    let wrong = troubles(status);
    let fact = |key: &'static str, label, value: Option<String>| {
        let kind = if wrong.iter().any(|line| shown_in(&line.key) == key) { "warn" } else { "" };
        value.map(|value| Fact { key, label, value, kind })
    };
    let running = status.take.is_some();
    [
        fact("frames", "Frames", running.then(|| status.frames.to_string())),
        fact("dropped", "Dropped", running.then(|| status.dropped.to_string())),
        fact("fps", "Rate", Some(format!("{:.1} fps", status.fps))),
        fact("clock", "Clock", status.clock.as_ref().map(words::clock)),
        fact("disk", "Disk", status.disk.as_ref().map(words::disk)),
        fact("temp", "Temperature", status.temp_c.map(|temp| format!("{temp:.0} °C"))),
        fact("skew", "First frame", status.skew_us.map(|us| format!("T0 {} ms", words::signed(us)))),
    ]
    .into_iter()
    .flatten()
    .collect()
}
