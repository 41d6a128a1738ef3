//! One camera's own page: everything that is known of it, in words. Pure.

use serde::Serialize;
use syncslate_shared::protocol::{NodeState, NodeStatus, Phase, PhaseState};

use super::tile::{self, Fact, Tile};
use super::words;
use crate::snapshot::{NodeView, Snapshot};

/// The page of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::web) struct NodePage {
    #[serde(flatten)]
    tile: Tile,
    /// The controller's.
    version: &'static str,
}

impl NodePage {
    /// The page of `node`.
    pub(in crate::web) fn of(node: &NodeView, snapshot: &Snapshot) -> Self {
        let mut tile = tile::tile(node, snapshot);
        tile.facts = node.status.as_ref().map(|status| facts(node, status)).unwrap_or_default();
        Self { tile, version: snapshot.version }
    }

    /// What people call it.
    pub(in crate::web) fn name(&self) -> &str {
        &self.tile.name
    }
}

/// A node that is gone shows what it said last, but for what is only true of the moment.
fn facts(node: &NodeView, status: &NodeStatus) -> Vec<Fact> {
    let there = node.state != NodeState::Offline;
    let moving = if there { moving(status) } else { Vec::new() };
    let mut facts: Vec<Fact> = moving.into_iter().chain(lasting(status)).collect();
    for fact in &mut facts {
        if node.findings.iter().any(|finding| tile::shown_in(&finding.code) == fact.key) {
            fact.kind = "warn";
        }
    }
    facts
}

fn fact(key: &'static str, label: &'static str, value: Option<String>) -> Option<Fact> {
    value.map(|value| Fact { key, label, value, kind: "" })
}

/// Where frames lie: `on the frame grid, −23 µs`.
fn phase(phase: Phase) -> String {
    let off = match phase.error_us {
        0 => "0 µs".to_owned(),
        us @ -999..0 => format!("−{} µs", us.unsigned_abs()),
        us @ 1..1000 => format!("+{us} µs"),
        us => format!("{} ms", words::signed(us)),
    };
    match phase.state {
        PhaseState::Locked => format!("on the frame grid, {off}"),
        PhaseState::Seeking => format!("{off} off the frame grid, on their way there"),
        PhaseState::Lost => format!("{off} off the frame grid, where they should be"),
        PhaseState::Free => format!("free, {off} off the frame grid"),
    }
}

/// What is true of the moment.
fn moving(status: &NodeStatus) -> Vec<Fact> {
    let (camera, drops) = (&status.camera, status.drops);
    let taking = status.take.is_some();
    let missing = match status.dropped {
        0 => "none".to_owned(),
        all => format!("{all}: camera {}, encoder {}, gaps {}", drops.camera, drops.encoder, drops.gaps),
    };
    let disk = status.disk.as_ref();
    let free = disk.map(|disk| format!("{}, {} free", words::disk(disk), words::bytes(disk.free_bytes)));
    let source = status.clock.as_ref().map(|clock| {
        let by = clock.source.as_deref().map(|source| format!(" by {source}")).unwrap_or_default();
        format!("{}{by}", words::clock(clock))
    });
    let power = |slowed| if slowed { "slowed down by heat or low voltage" } else { "in order" }.to_owned();
    let facts = [
        fact("take", "Take", Some(status.take.as_ref().map_or_else(|| "none".into(), |take| take.name.to_string()))),
        fact("frames", "Frames", taking.then(|| status.frames.to_string())),
        fact("dropped", "Missing frames", taking.then_some(missing)),
        fact("segment", "File", status.segment.map(|segment| format!("number {}", segment + 1))),
        fact("bytes", "Written", taking.then(|| words::bytes(status.bytes))),
        fact("skew", "First frame", status.skew_us.map(|us| format!("T0 {} ms", words::signed(us)))),
        fact("fps", "Rate", Some(format!("{:.2} of {} fps", status.fps, tile::rate(camera.fps)))),
        fact("phase", "Frames lie", camera.phase.map(phase)),
        fact("ring", "In memory", Some(format!("{:.1} s", camera.ring_s))),
        fact("clock", "Clock", source),
        fact("disk", "Disk", free),
        fact("slowest", "Slowest write", disk.and_then(|disk| disk.slowest_ms).map(|ms| format!("{ms} ms"))),
        fact("waiting", "Waits for the disk", disk.and_then(|disk| disk.waiting_bytes).map(words::bytes)),
        fact("temp", "Temperature", status.temp_c.map(|temp| format!("{temp:.0} °C"))),
        fact("power", "Power", status.throttled.map(power)),
    ];
    facts.into_iter().flatten().collect()
}

/// What stays true.
fn lasting(status: &NodeStatus) -> Vec<Fact> {
    let camera = &status.camera;
    let model = camera.model.as_ref().map(|model| format!("{model} ({})", camera.kind));
    let facts = [
        fact("model", "Camera", Some(model.unwrap_or_else(|| camera.kind.clone()))),
        fact("size", "Picture", Some(format!("{}×{} at {} fps", camera.width, camera.height, tile::rate(camera.fps)))),
        fact("start", "Camera starts in", Some(format!("{:.1} s", camera.start_ms as f64 / 1000.0))),
        fact("ip", "Address", Some(status.ip.to_string())),
        fact("version", "Version", Some(status.version.clone())),
        fact("booted", "Runs since", Some(words::instant(status.booted))),
    ];
    facts.into_iter().flatten().collect()
}
