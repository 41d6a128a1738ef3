//! The report as data: `<id>_sync.json`. Fields are only ever added. Pure.
//!
//! Lengths of time are microseconds, rates of change ppm, instants of a take microseconds since T0. What cannot be told
//! is null, never a guess.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use syncslate_shared::manifest::{DropSide, StampSource, TimedReading};
use syncslate_shared::protocol::ClockReading;
use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use crate::limits::Limits;

/// The version of the file; a report of an older one is made anew.
pub const VERSION: u32 = 1;
/// Lists of drops, gaps and reasons hold so many entries; what was cut off stands in the counts.
pub const MOST: usize = 500;

/// How good a take's sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing speaks against it.
    Green,
    /// It can be used; look at the reasons first.
    Amber,
    /// The frames do not lie together as they should.
    Red,
}

/// How much a reason weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Good to know.
    Info,
    /// It makes the verdict amber.
    Amber,
    /// It makes the verdict red.
    Red,
}

/// Why the verdict is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// How much it weighs.
    pub weight: Weight,
    /// A word for programs, `frames_missing`.
    pub code: String,
    /// The node it is about; null when it is about several.
    pub node: Option<Ipv4Addr>,
    /// A sentence for people.
    pub text: String,
}

/// A file that the report was made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// Its place in the take's folder, `192.168.1.101/…_frames.csv`.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: u64,
}

/// How far apart frames of two cameras lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// The largest distance.
    pub worst_us: u64,
    /// Where, since T0.
    pub worst_at_us: i64,
    /// The median.
    pub median_us: u64,
}

/// The frame from which on frames of the same number are not the nearest ones any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffByOne {
    /// Its number, counted from each camera's first frame of the take.
    pub frame: u32,
    /// When, since T0.
    pub at_us: i64,
}

/// Two cameras.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// One, by address the lower.
    pub a: Ipv4Addr,
    /// The other.
    pub b: Ipv4Addr,
    /// Frames of `a` that have a partner in `b`.
    pub paired: u64,
    /// Frames of `a` that have none while both cameras recorded: `b` lost it, or has a gap.
    pub unpaired: u64,
    /// How far apart frames lie that are paired by nearest time; null when none are.
    pub nearest: Option<Apart>,
    /// How far apart frames of the same number lie; null when none are, or the cameras have different frame rates.
    pub by_number: Option<Apart>,
    /// From where on pairing by number is wrong by a frame; null when it never is.
    pub off_by_one: Option<OffByOne>,
    /// How many frames pairing by number is wrong by at the end.
    pub off_at_end: i64,
    /// How fast `b` runs away from `a`, in ppm; null when it cannot be told.
    pub drift_ppm: Option<f64>,
    /// The bound of the difference of their clocks; null when a clock's bound is not known.
    pub clock_us: Option<u64>,
    /// That, and how true the stamps are: the bound of how wrong the distances above can be.
    pub uncertainty_us: Option<u64>,
}

/// The worst pair of something.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// One camera.
    pub a: Ipv4Addr,
    /// The other.
    pub b: Ipv4Addr,
    /// The largest distance.
    pub worst_us: u64,
    /// Where, since T0.
    pub worst_at_us: i64,
    /// The median over all pairs of their medians.
    pub median_us: u64,
}

/// The pair that is first off by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstOff {
    /// One camera.
    pub a: Ipv4Addr,
    /// The other.
    pub b: Ipv4Addr,
    /// The frame number.
    pub frame: u32,
    /// When, since T0.
    pub at_us: i64,
}

/// All cameras together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// How many cameras.
    pub cameras: u64,
    /// All their frames.
    pub frames: u64,
    /// Frames that are missing, in drops and gaps.
    pub missing: u64,
    /// The period of the common frame grid, which begins at T0; null when no camera tells its frame rate.
    pub grid_us: Option<f64>,
    /// The take's skew: the largest minus the smallest of the cameras'.
    pub skew_us: Option<i64>,
    /// Frames paired by nearest time.
    pub nearest: Option<Worst>,
    /// Frames paired by number.
    pub by_number: Option<Worst>,
    /// The pair that is first off by one.
    pub off_by_one: Option<FirstOff>,
    /// The largest bound of the difference of two clocks; null when one is not known.
    pub clock_us: Option<u64>,
    /// The largest uncertainty of a pair; null when one is not known.
    pub uncertainty_us: Option<u64>,
}

/// Variation of the intervals between frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jitter {
    /// The median of |interval − period|.
    pub median_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
    /// The largest.
    pub max_us: f64,
    /// The number of the frame at the end of that interval.
    pub max_frame: u32,
}

/// Frames that are missing one after another while all parts ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The number of the last frame before; null when it is told by the manifest alone.
    pub after_frame: Option<u32>,
    /// When the first of them should have come, since T0.
    pub at_us: i64,
    /// How many.
    pub frames: u64,
    /// Who lost them, as the node tells it; null when it does not.
    pub by: Option<DropSide>,
}

/// A stretch that a camera does not have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hole {
    /// The last frame before it, or T0; since T0.
    pub from_us: i64,
    /// The first frame after it, or T1; since T0. Before `from_us` when the clock was set back.
    pub to_us: i64,
    /// How many frames are missing; null when the clock was set, and so nobody can tell by the stamps.
    pub frames: Option<u64>,
    /// Why, in the words of the manifest, or `unexplained`.
    pub cause: String,
    /// The evidence, in a sentence.
    pub detail: String,
    /// Whether the frame table shows it; null without a table.
    pub seen: Option<bool>,
}

/// A node's clock against its reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// At the roll; null when the node could not tell.
    pub roll: Option<ClockReading>,
    /// During the take, about once a minute.
    pub readings: Vec<TimedReading>,
    /// At the cut.
    pub cut: Option<ClockReading>,
    /// The largest bound of all readings; null when one at roll or cut has none.
    pub bound_us: Option<u64>,
}

/// One camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its name.
    pub name: String,
    /// The camera's model, or its kind.
    pub camera: Option<String>,
    /// Frames a second that it was asked for.
    pub fps: Option<f64>,
    /// Where the stamps come from.
    pub stamps: Option<StampSource>,
    /// How wrong stamps from there can be.
    pub stamp_error_us: Option<u64>,
    /// Whether its frame table is here, and was used.
    pub table: bool,
    /// Whether manifest and table are final and agree.
    pub whole: bool,
    /// Frames kept.
    pub frames: u64,
    /// Kept before the take's first frame: lead-in and pre-roll.
    pub before: u64,
    /// First frame of the take minus T0.
    pub skew_us: Option<i64>,
    /// Last frame minus T1.
    pub end_us: Option<i64>,
    /// The period found, by the wall clock.
    pub period_us: Option<f64>,
    /// How much longer that is than the one that was asked for, in ppm: the sensor's clock against the wall clock.
    pub drift_ppm: Option<f64>,
    /// The uncertainty of `drift_ppm`, two standard errors.
    pub drift_error_ppm: Option<f64>,
    /// Phase against the fleet's grid at the first frame.
    pub phase_us: Option<f64>,
    /// The same at the last frame.
    pub phase_end_us: Option<f64>,
    /// Phase over time, a list of points `[seconds since T0, phase in µs]` for each stretch between gaps.
    pub curve: Vec<Vec<[f64; 2]>>,
    /// Jitter of the intervals.
    pub jitter: Option<Jitter>,
    /// All frames that are missing, in drops and gaps.
    pub missing: u64,
    /// Those in drops.
    pub dropped: u64,
    /// Each of them, up to [`MOST`].
    pub drops: Vec<Dropped>,
    /// Gaps, up to [`MOST`].
    pub gaps: Vec<Hole>,
    /// The clock.
    pub clock: Clock,
    /// Lines of the frame table that could not be used.
    pub damaged: u64,
    /// The first of them, each with its line number.
    pub damage: Vec<String>,
    /// Why nothing could be told of this node; null when something could.
    pub problem: Option<String>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`].
    pub v: u32,
    /// The take.
    pub id: TakeId,
    /// The name that it has here, which is the folder's.
    pub name: String,
    /// The roll.
    pub t0: Wall,
    /// The cut; null while no manifest tells it.
    pub t1: Option<Wall>,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether manifests and frame tables of all nodes are here and final. Else the verdict may change.
    pub complete: bool,
    /// The verdict in a sentence.
    pub summary: String,
    /// Why, the weightiest first, up to [`MOST`].
    pub reasons: Vec<Reason>,
    /// The thresholds that were used.
    pub limits: Limits,
    /// All cameras together.
    pub fleet: Fleet,
    /// Each camera, by address.
    pub nodes: Vec<Node>,
    /// Each two cameras.
    pub pairs: Vec<Pair>,
    /// The take's marks.
    pub marks: Vec<Mark>,
    /// The files that it was made of, by name.
    pub sources: Vec<Source>,
    /// The version of the program that made it.
    pub version: String,
}

impl Report {
    /// An instant of the take in microseconds since T0.
    pub fn since_t0(&self, at: Wall) -> i64 {
        at.since_us(self.t0)
    }

    /// The node of this address as people call it.
    pub fn name_of(&self, ip: Ipv4Addr) -> String {
        self.nodes.iter().find(|node| node.ip == ip).map_or_else(|| ip.to_string(), |node| node.name.clone())
    }
}
