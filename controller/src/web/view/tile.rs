//! A camera's tile: its state, its figures, and what is wrong with it in words. Pure.

use std::net::Ipv4Addr;

use serde::Serialize;
use syncslate_shared::protocol::{Level, NodeState, NodeStatus, TakeState};

use super::{Line, words};
use crate::snapshot::{NodeView, Snapshot};

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
    /// The address of its own page.
    pub(super) href: String,
    /// What is to be seen there, for those who cannot see it.
    pub(super) view: String,
    /// The size of its pictures in pixels, so that there is room before the first one comes.
    pub(super) width: u32,
    pub(super) height: u32,
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

pub(super) fn tile(node: &NodeView, snapshot: &Snapshot) -> Tile {
    let missing = is_missing(node, snapshot);
    let status = node.status.as_ref();
    let mut findings = Vec::new();
    if missing && !node.findings.iter().any(|finding| finding.code == "missing") {
        let text = if node.state == NodeState::Offline {
            "not reachable in the middle of the take"
        } else {
            "not recording the take that is rolling"
        };
        findings.push(Line { key: "missing".into(), text: text.into() });
    }
    let there = status.filter(|_| node.state != NodeState::Offline);
    findings.extend(troubles(node));
    let fault = node.state == NodeState::Fault || node.findings.iter().any(|finding| finding.level == Level::Error);
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
    let name = status.map(|s| s.name.clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| node.ip.to_string());
    let (width, height) = status.map_or((16, 9), |status| (status.camera.width, status.camera.height));
    Tile {
        key: node.ip,
        ip: node.ip.to_string(),
        href: format!("/nodes/{}", node.ip),
        view: format!("Live picture of {}", words::isolated(&name)),
        width,
        height,
        name,
        kind: node.state.as_str(),
        word: word(node.state),
        rank,
        camera,
        facts: there.map(|status| facts(status, &findings)).unwrap_or_default(),
        findings,
    }
}

/// Whether it should be recording and is not. A node that is only starting up is on its way.
fn is_missing(node: &NodeView, snapshot: &Snapshot) -> bool {
    let roster = snapshot.take.nodes.as_deref().unwrap_or_default();
    snapshot.take.state == TakeState::Rolling
        && roster.contains(&node.ip)
        && matches!(node.state, NodeState::Offline | NodeState::Standby | NodeState::Fault)
}

pub(super) fn word(state: NodeState) -> &'static str {
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
pub(super) fn rate(fps: f64) -> String {
    format!("{fps:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is wrong with a node, in words; what is only good to know stays off the tile.
fn troubles(node: &NodeView) -> Vec<Line> {
    let wrong = node.findings.iter().filter(|finding| finding.level > Level::Info);
    let mut found: Vec<Line> = wrong
        .map(|finding| {
            let text = match finding.remedy.as_str() {
                "" => finding.message.clone(),
                remedy => format!("{}: {remedy}", finding.message),
            };
            Line { key: finding.code.clone(), text }
        })
        .collect();
    if let Some(status) = node.status.as_ref().filter(|status| is_slow(status) && node.state != NodeState::Offline) {
        let text = format!("only {} of {} frames a second", rate(status.fps), rate(status.camera.fps));
        found.push(Line { key: "fps".into(), text });
    }
    found
}

/// The fact that a finding shows in, where there is one.
pub(super) fn shown_in(code: &str) -> &str {
    match code {
        "disk_full" | "disk_short" | "disk_slow" | "disk_read_only" | "disk_error" => "disk",
        "clock_unsynced" | "clock_off" | "clock_stepped" => "clock",
        "hot" | "throttled" | "under_voltage" => "temp",
        "frames_dropped" | "gap" => "dropped",
        code => code,
    }
}

fn is_slow(status: &NodeStatus) -> bool {
    matches!(status.state, NodeState::Armed | NodeState::Rolling) && status.fps < status.camera.fps * SLOW
}

fn facts(status: &NodeStatus, wrong: &[Line]) -> Vec<Fact> {
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
