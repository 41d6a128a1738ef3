//! Choosing T0, the common instant of the roll. Pure.

use std::net::Ipv4Addr;
use std::time::Duration;

use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::grid::Grid;
use syncslate_shared::protocol::{CameraReport, GOP_MS, Phase, PhaseState};
use syncslate_shared::time::Wall;

/// T0 lies on the grid on which all nodes have their IDR frames.
pub const GRID: Duration = Duration::from_millis(GOP_MS);

/// What is added to what a node needs: the message's way to it over a busy Wi-Fi and through its queues, and the
/// scatter of a camera's start. A node that misses T0 loses footage; a third of a second later costs nothing.
pub const MARGIN: Duration = Duration::from_millis(300);

/// No camera takes longer to start than this; one that claims to would hold up everybody.
const SLOWEST_START: Duration = Duration::from_secs(30);

/// What is further ahead is a slip of the pen (or of a clock), not a wish.
const FURTHEST: Duration = Duration::from_secs(24 * 3600);

/// A node of the roster and how soon it can record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub ip: Ipv4Addr,
    /// How soon.
    pub readiness: Readiness,
    /// What T0 must be a multiple of for this node: [`GRID`], or more where the frames of a camera on the frame grid fall on
    /// every second instant only (25 a second). Whole multiples of [`GRID`].
    pub step: Duration,
}

/// How soon a node can record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Its camera runs; it holds footage of this length in memory.
    Holds(Duration),
    /// Its camera needs this long to start.
    Needs(Duration),
    /// It has a fault: it belongs to the take, as it may come back, but holds nothing up.
    Fault,
}

impl Readiness {
    /// The earliest instant that it can record from.
    fn earliest(self, now: Wall) -> Option<Wall> {
        match self {
            Self::Holds(ring) => Some(now - ring + MARGIN),
            Self::Needs(start) => Some(now + start.min(SLOWEST_START) + MARGIN),
            Self::Fault => None,
        }
    }
}

/// What T0 is a multiple of, so that it is an instant of the frame grid of every camera that is held there.
pub fn step(roster: &[Candidate]) -> Duration {
    roster.iter().map(|node| node.step).fold(GRID, Duration::max)
}

/// What T0 must be a multiple of for a node with this camera.
pub fn step_of(camera: &CameraReport) -> Duration {
    let held = |phase: Phase| matches!(phase.state, PhaseState::Locked | PhaseState::Seeking);
    // Where no multiple of 500 ms or 1 s fits (29.97 a second), all cameras begin with the frame next to T0.
    camera.phase.filter(|phase| held(*phase)).and_then(|_| Grid::of(camera.fps).step()).unwrap_or(GRID)
}

/// Chooses T0 for a command that arrived `now` and asks for the instant `at`, if for any; not before `not_before`,
/// where the last take ended.
///
/// # Errors
/// Why there can be no such T0.
pub fn choose_t0(now: Wall, at: Option<Wall>, roster: &[Candidate], not_before: Option<Wall>) -> Result<Wall, Refusal> {
    if roster.is_empty() {
        return Err(Refusal::new(ErrorCode::NoNodes, "no node is reachable: nothing would record"));
    }
    let slowest = roster.iter().filter_map(|node| node.readiness.earliest(now)).max();
    let Some(slowest) = slowest else {
        return Err(Refusal::new(
            ErrorCode::NotReady,
            "every reachable node has a fault, so nothing would record: see the nodes' own words",
        ));
    };
    let earliest = not_before.map_or(slowest, |bound| slowest.max(bound));
    if let Some(at) = at.filter(|at| *at > now + FURTHEST) {
        return Err(Refusal::new(
            ErrorCode::Malformed,
            format!("field `at`: {at} is more than a day ahead of the shared clock, {now}"),
        ));
    }
    let grid = step(roster);
    let wished = at.unwrap_or(now).floor_to(grid);
    if wished >= earliest {
        return Ok(wished);
    }
    match at {
        Some(at) if at < now => Err(Refusal::new(
            ErrorCode::TooLate,
            format!(
                "{at} lies behind what the cameras hold in memory: the earliest start is {}",
                earliest.ceil_to(grid)
            ),
        )),
        _ => Ok(earliest.ceil_to(grid)),
    }
}

#[cfg(test)]
#[path = "roll_tests.rs"]
mod tests;
