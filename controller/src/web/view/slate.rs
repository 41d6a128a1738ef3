//! The slate: the one large state, its clock and the name proposed for the next take. Pure.

use serde::Serialize;
use syncslate_shared::protocol::{CurrentTake, NodeState, TakeState};
use syncslate_shared::time::Wall;

use super::words;
use crate::snapshot::{NodeView, Snapshot};

/// What stands largest on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Slate {
    /// `standby`, `armed` or `rolling`, for the style.
    pub(super) kind: &'static str,
    /// The same, for people.
    pub(super) word: &'static str,
    /// How many cameras do what, in a sentence.
    pub(super) detail: String,
    /// `ok`, `warn` or `quiet`: how that sentence is to be taken.
    pub(super) detail_kind: &'static str,
    /// What the clock below counts: the take's name with the word for it.
    pub(super) caption: String,
    /// T0 in microseconds since 1970 while rolling: the page counts from it.
    pub(super) t0_us: Option<i64>,
    /// The length of the last take, for the clock when nothing rolls.
    pub(super) length: String,
    /// A name for the next take.
    pub(super) proposal: String,
}

impl Slate {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let rolling = snapshot.take.state == TakeState::Rolling;
        let armed = snapshot.nodes.iter().any(|node| matches!(node.state, NodeState::Armed | NodeState::Rolling));
        let (kind, word) = match (rolling, armed) {
            (true, _) => ("rolling", "ROLLING"),
            (false, true) => ("armed", "ARMED"),
            (false, false) => ("standby", "STANDBY"),
        };
        let (detail_kind, detail) = if rolling { rolling_detail(snapshot) } else { idle_detail(&snapshot.nodes) };
        let take = snapshot.take.take.as_ref();
        let caption = match take {
            Some(take) if rolling => take.to_string(),
            Some(take) => format!("Last take {take}"),
            None => "No take yet".into(),
        };
        Self {
            kind,
            word,
            detail,
            detail_kind,
            caption,
            t0_us: snapshot.take.t0.filter(|_| rolling).map(Wall::micros),
            length: words::take_time(length_us(&snapshot.take), 1),
            proposal: snapshot.proposal.to_string(),
        }
    }
}

/// The page `/slate`, which cameras film.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct SlatePage {
    kind: &'static str,
    caption: String,
    clock: String,
}

impl SlatePage {
    pub(in crate::web) fn of(snapshot: &Snapshot, now: Wall) -> Self {
        let Slate { kind, caption, .. } = Slate::of(snapshot);
        Self { kind, caption, clock: clock(&snapshot.take, now) }
    }
}

/// The big clock: running from T0, or the last take's length.
pub(super) fn clock(take: &CurrentTake, now: Wall) -> String {
    match (take.state, take.t0) {
        (TakeState::Rolling, Some(t0)) => words::take_time(now.since_us(t0), 1),
        _ => words::take_time(length_us(take), 1),
    }
}

fn length_us(take: &CurrentTake) -> i64 {
    take.t0.zip(take.t1).map_or(0, |(t0, t1)| t1.since_us(t0))
}

fn rolling_detail(snapshot: &Snapshot) -> (&'static str, String) {
    let roster = snapshot.take.nodes.as_deref().unwrap_or_default();
    let records = |node: &&NodeView| node.state == NodeState::Rolling && roster.contains(&node.ip);
    let recording = snapshot.nodes.iter().filter(records).count();
    match (recording, roster.len()) {
        (1, 1) => ("ok", "the camera is recording".into()),
        (recording, all) if recording == all => ("ok", format!("all {all} cameras are recording")),
        (recording, all) => ("warn", format!("{recording} of {all} cameras are recording")),
    }
}

fn idle_detail(nodes: &[NodeView]) -> (&'static str, String) {
    let of = |state| nodes.iter().filter(|node| node.state == state).count();
    let reachable = nodes.len() - of(NodeState::Offline);
    if nodes.is_empty() {
        return ("quiet", "no camera has been heard of yet".into());
    }
    if reachable == 0 {
        return ("warn", "no camera is reachable".into());
    }
    let counts = [
        (of(NodeState::Armed), "armed"),
        (of(NodeState::Starting), "starting"),
        (of(NodeState::Standby), "in standby"),
        (of(NodeState::Rolling), "still closing a take"),
        (of(NodeState::Fault), "in fault"),
        (of(NodeState::Offline), "offline"),
    ];
    if of(NodeState::Armed) == nodes.len() {
        let text = if nodes.len() == 1 {
            "the camera is ready".into()
        } else {
            format!("all {} cameras are ready", nodes.len())
        };
        return ("ok", text);
    }
    let parts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    (if of(NodeState::Fault) > 0 { "warn" } else { "quiet" }, parts.join(" · "))
}
