//! `GET /metrics`: the snapshot in the text format of Prometheus. Pure.

use std::fmt::{Display, Write as _};

use syncslate_shared::protocol::{DownloadState, NodeState, NodeStatus, TakeState};
use syncslate_shared::time::Wall;

use crate::embedded::Figures;
use crate::snapshot::Snapshot;

/// The content type of the text format.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const NODE_STATES: [NodeState; 6] = [
    NodeState::Offline,
    NodeState::Starting,
    NodeState::Standby,
    NodeState::Armed,
    NodeState::Rolling,
    NodeState::Fault,
];

/// A gauge of a node: its name, what it tells, and its value where the node tells one.
type NodeGauge = (&'static str, &'static str, fn(&NodeStatus) -> Option<f64>);

const NODE_GAUGES: [NodeGauge; 12] = [
    ("frames", "Frames kept of the take", |s| Some(s.frames as f64)),
    ("dropped_frames", "Frames of the take that are known to be missing", |s| Some(s.dropped as f64)),
    ("fps", "Frames a second over the last seconds", |s| Some(s.fps)),
    ("bytes", "Bytes of footage kept of the take", |s| Some(s.bytes as f64)),
    ("skew_seconds", "First kept frame minus T0", |s| s.skew_us.map(seconds)),
    ("clock_offset_seconds", "Clock minus reference", |s| s.clock.as_ref()?.offset_us.map(seconds)),
    ("clock_error_seconds", "Bound of the clock offset's error", |s| s.clock.as_ref()?.error_us.map(seconds)),
    ("clock_synced", "Whether the clock is synchronised", |s| Some(flag(s.clock.as_ref()?.synced))),
    ("disk_free_bytes", "Free bytes for footage", |s| Some(s.disk.as_ref()?.free_bytes as f64)),
    ("record_seconds_left", "Seconds that can still be recorded", |s| Some(s.disk.as_ref()?.record_s_left? as f64)),
    ("temperature_celsius", "Temperature of the processor", |s| s.temp_c),
    ("throttled", "Whether the processor is slowed down by heat or low voltage", |s| s.throttled.map(flag)),
];

/// All metrics.
pub(super) fn text(snapshot: &Snapshot, now: Wall, broker: Option<Figures>) -> String {
    let mut out = String::with_capacity(8 * 1024);
    head(&mut out, "build_info", "The version of the controller");
    line(&mut out, "build_info", &[("version", snapshot.version)], 1);
    let rolling = snapshot.take.state == TakeState::Rolling;
    head(&mut out, "rolling", "Whether a take is being recorded");
    line(&mut out, "rolling", &[], u8::from(rolling));
    head(&mut out, "take_seconds", "Running time of the take, 0 when none is being recorded");
    let running = snapshot.take.t0.filter(|_| rolling).map_or(0.0, |t0| seconds(now.since_us(t0)).max(0.0));
    line(&mut out, "take_seconds", &[], running);
    head(&mut out, "marks", "Marks of the take");
    line(&mut out, "marks", &[], snapshot.marks.marks.len());
    head(&mut out, "takes", "Takes in the downloads folder");
    line(&mut out, "takes", &[], snapshot.takes.len());
    head(&mut out, "takes_bytes", "Bytes of all takes in the downloads folder");
    line(&mut out, "takes_bytes", &[], snapshot.takes.iter().map(|take| take.bytes).sum::<u64>());
    downloads(&mut out, snapshot);
    nodes(&mut out, snapshot);
    if let Some(figures) = broker {
        embedded(&mut out, &figures);
    }
    out
}

fn embedded(out: &mut String, figures: &Figures) {
    if let Some(stats) = figures.stats {
        let gauges = [
            ("broker_connections", "Clients connected to the broker", stats.connections),
            ("broker_sessions", "Client ids in use, by clients and by sessions that wait for theirs", stats.sessions),
            ("broker_retained", "Retained messages", stats.retained),
        ];
        for (name, help, value) in gauges {
            head(out, name, help);
            line(out, name, &[], value);
        }
    }
    let counters = [
        (
            "broker_restarts_total",
            "Times that a dead or stuck part of the broker was replaced",
            figures.stats.map_or(0, |s| s.restarts),
        ),
        ("broker_denied_total", "Publishes and subscriptions that an account may not do", figures.denied),
        ("broker_refused_total", "Clients that were not let in", figures.refused),
        ("broker_slow_total", "Times that a client did not keep up with its messages", figures.slow),
    ];
    for (name, help, value) in counters {
        describe(out, name, help, "counter");
        line(out, name, &[], value);
    }
}

fn downloads(out: &mut String, snapshot: &Snapshot) {
    use DownloadState::{Done, Failed, Queued, Running};
    head(out, "downloads", "Downloads by their state");
    for (state, word) in [(Queued, "queued"), (Running, "running"), (Done, "done"), (Failed, "failed")] {
        let count = snapshot.downloads.iter().filter(|download| download.state == state).count();
        line(out, "downloads", &[("state", word)], count);
    }
}

fn nodes(out: &mut String, snapshot: &Snapshot) {
    head(out, "nodes", "Nodes by their state");
    for state in NODE_STATES {
        let count = snapshot.nodes.iter().filter(|node| node.state == state).count();
        line(out, "nodes", &[("state", state.as_str())], count);
    }
    head(out, "node_up", "Whether the node is reachable");
    for node in &snapshot.nodes {
        let name = node.status.as_ref().map_or("", |status| status.name.as_str());
        let up = u8::from(node.state != NodeState::Offline);
        line(out, "node_up", &[("node", &node.ip.to_string()), ("name", name)], up);
    }
    for (name, help, value) in NODE_GAUGES {
        let name = format!("node_{name}");
        head(out, &name, help);
        // What a node that is gone said last is not so any more.
        for node in snapshot.nodes.iter().filter(|node| node.state != NodeState::Offline) {
            if let Some((status, value)) = node.status.as_ref().and_then(|status| Some((status, value(status)?))) {
                line(out, &name, &[("node", &node.ip.to_string()), ("name", &status.name)], value);
            }
        }
    }
}

fn head(out: &mut String, name: &str, help: &str) {
    describe(out, name, help, "gauge");
}

fn describe(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP syncslate_{name} {help}.\n# TYPE syncslate_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(out, "syncslate_{name}{labels} {value}");
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}
