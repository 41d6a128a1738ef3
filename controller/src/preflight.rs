//! Whether the fleet is ready: what the nodes find of themselves, and what only shows when they are seen together. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::protocol::{CameraReport, Finding, Level, NodeState, NodeStatus};

use crate::snapshot::NodeView;

/// A message takes part of a second through a bad network; a clock that is further off is wrong, in microseconds.
const APART_US: i64 = 2_000_000;
/// So many reasons stand in an answer; the page has all.
const REASONS: usize = 6;

/// What is known of a node besides its own words.
#[derive(Clone, Debug, Default)]
pub struct Seen<'a> {
    /// The node's words; `None` when it is not there.
    pub status: Option<&'a NodeStatus>,
    /// How far its clock lay from the controller's when its last word arrived, in microseconds.
    pub apart_us: Option<i64>,
    /// Whether the settings name it as one of the set.
    pub expected: bool,
}

/// All findings of each node, the worst first.
pub fn look(nodes: &BTreeMap<Ipv4Addr, Seen<'_>>, version: &str) -> BTreeMap<Ipv4Addr, Vec<Finding>> {
    let there: Vec<&NodeStatus> = nodes.values().filter_map(|seen| seen.status).collect();
    let usual = usual(&there);
    let of = |seen: &Seen<'_>| {
        let Some(status) = seen.status else { return seen.expected.then(missing).into_iter().collect() };
        let mut found = status.findings.clone();
        found.extend(differs(status, usual.as_ref()));
        found.extend(seen.apart_us.filter(|us| us.abs() > APART_US).map(apart));
        found.extend((status.version != version).then(|| other_version(&status.version, version)));
        found.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        found
    };
    nodes.iter().map(|(ip, seen)| (*ip, of(seen))).collect()
}

/// What speaks against a START now, a sentence each.
pub fn reasons(nodes: &[NodeView]) -> Vec<String> {
    let mut all = Vec::new();
    for node in nodes {
        let name = node.status.as_ref().map(|status| status.name.as_str()).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| node.ip.to_string(), |name| format!("{name} ({})", node.ip));
        let findings = node.findings.iter().filter(|finding| finding.level > Level::Info);
        all.extend(findings.map(|finding| format!("{name}: {}", finding.message)));
        // A fault without words of its own is one all the same.
        if node.state == NodeState::Fault && node.findings.is_empty() {
            all.push(format!("{name}: it has a fault"));
        }
    }
    all
}

/// The refusal of a START for these reasons.
pub fn refusal(reasons: &[String]) -> Refusal {
    let more = reasons.len().saturating_sub(REASONS);
    let more = if more > 0 { format!("; and {more} more, which the page shows") } else { String::new() };
    let shown: Vec<&str> = reasons.iter().take(REASONS).map(String::as_str).collect();
    Refusal::new(
        ErrorCode::NotReady,
        format!("the set is not ready: {}{more}. `\"force\":true` rolls all the same", shown.join("; ")),
    )
}

fn missing() -> Finding {
    finding(
        Level::Error,
        "missing",
        "it belongs to the set, and is not reachable".into(),
        "look at its power and its cable, or take it out of `takes.roster`",
    )
}

fn apart(us: i64) -> Finding {
    let message = format!("its clock is {:+.1} s from the Control Pi's", us as f64 / 1e6);
    finding(Level::Warning, "clock_apart", message, "see that chrony on it follows the Control Pi: `chronyc sources`")
}

fn other_version(its: &str, ours: &str) -> Finding {
    let message = format!("its program is version {its}, the controller's is {ours}");
    finding(Level::Warning, "version_differs", message, "bring the set to one version when nothing rolls")
}

/// What pictures are like: cameras of one take should agree in it.
#[derive(Clone, Debug, PartialEq)]
struct Picture {
    width: u32,
    height: u32,
    fps: f64,
}

impl Picture {
    fn of(camera: &CameraReport) -> Self {
        Self { width: camera.width, height: camera.height, fps: camera.fps }
    }

    fn agrees(&self, other: &Self) -> bool {
        // USB cameras round: 29.97 is not 30, 30.000030 is.
        self.width == other.width && self.height == other.height && (self.fps - other.fps).abs() < 0.005
    }

    fn words(&self) -> String {
        format!("{}×{} at {} fps", self.width, self.height, (self.fps * 100.0).round() / 100.0)
    }
}

/// What most cameras are set to; of two halves that of the first node.
fn usual(there: &[&NodeStatus]) -> Option<Picture> {
    let mut votes: Vec<(Picture, usize)> = Vec::new();
    for picture in there.iter().map(|status| Picture::of(&status.camera)) {
        match votes.iter_mut().find(|(other, _)| picture.agrees(other)) {
            Some((_, count)) => *count += 1,
            None => votes.push((picture, 1)),
        }
    }
    let most = votes.iter().map(|(_, count)| *count).max()?;
    votes.into_iter().find(|(_, count)| *count == most).map(|(picture, _)| picture)
}

fn differs(status: &NodeStatus, usual: Option<&Picture>) -> Option<Finding> {
    let own = Picture::of(&status.camera);
    let usual = usual.filter(|usual| !own.agrees(usual))?;
    let message = format!("its camera is set to {}, the others to {}", own.words(), usual.words());
    let remedy = "set all cameras alike, or their footage cannot be laid together frame by frame";
    Some(finding(Level::Warning, "settings_differ", message, remedy))
}

fn finding(level: Level, code: &str, message: String, remedy: &str) -> Finding {
    Finding { level, code: code.into(), message, remedy: remedy.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use syncslate_shared::protocol::StatusMessage;
    use syncslate_shared::time::Wall;

    use super::*;
    use crate::kit::{ip, status};

    fn words(n: u8) -> NodeStatus {
        let json = status(n, "armed", 900, 4.0, Wall::from_micros(0), &Value::Null).to_string();
        match StatusMessage::read(json.as_bytes()).unwrap() {
            StatusMessage::Node(status) => *status,
            StatusMessage::Departed(_) => panic!("it is there"),
        }
    }

    fn codes(all: &[(NodeStatus, Option<i64>)]) -> Vec<Vec<String>> {
        let seen = all
            .iter()
            .map(|(status, apart_us)| (status.ip, Seen { status: Some(status), apart_us: *apart_us, expected: false }));
        let codes = |found: Vec<Finding>| found.into_iter().map(|f| f.code).collect();
        look(&seen.collect(), "0.1.0").into_values().map(codes).collect()
    }

    #[test]
    fn cameras_alike_with_right_clocks_have_no_findings() {
        let mut other = words(2);
        other.camera.fps = 30.000_03;
        assert_eq!(codes(&[(words(1), Some(400_000)), (other, None)]), [vec![], Vec::<String>::new()]);
    }

    #[test]
    fn the_odd_one_out_is_named() {
        let mut odd = words(1);
        (odd.camera.width, odd.camera.height) = (1920, 1080);
        let set = [(odd, None), (words(2), None), (words(3), None)];
        assert_eq!(codes(&set), [vec!["settings_differ"], vec![], vec![]]);
        let seen = set.iter().map(|(s, _)| (s.ip, Seen { status: Some(s), ..Seen::default() })).collect();
        assert_eq!(
            look(&seen, "0.1.0")[&ip(1)][0].message,
            "its camera is set to 1920×1080 at 30 fps, the others to 640×360 at 30 fps"
        );
    }

    #[test]
    fn own_findings_come_with_those_of_the_set() {
        let mut old = words(1);
        old.version = "0.0.9".into();
        old.findings = vec![finding(Level::Error, "camera_exited", "no camera".into(), "")];
        assert_eq!(codes(&[(old, Some(-2_000_001))]), [["camera_exited", "clock_apart", "version_differs"]]);
    }

    #[test]
    fn only_nodes_of_the_set_are_missed() {
        let gone = |expected| Seen { status: None, apart_us: None, expected };
        let found = look(&[(ip(1), gone(true)), (ip(2), gone(false))].into(), "0.1.0");
        assert_eq!((found[&ip(1)][0].code.as_str(), found[&ip(2)].len()), ("missing", 0));
    }

    #[test]
    fn a_refusal_names_some_reasons_and_counts_the_rest() {
        let reasons: Vec<String> = (1..=8).map(|n| format!("cam{n}: hot")).collect();
        let refusal = refusal(&reasons);
        assert_eq!(refusal.code, ErrorCode::NotReady);
        assert!(refusal.message.contains("cam6: hot; and 2 more") && !refusal.message.contains("cam7"), "{refusal}");
    }
}
