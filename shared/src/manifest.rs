//! `<base>_take.json`: what a node knows about its part of a take. Pure.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::protocol::{CameraReport, ClockReading};
use crate::take::{Mark, Stamp, TakeId, TakeName};
use crate::time::Wall;

/// Where a camera's time stamps come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StampSource {
    /// The sensor's own instant of exposure.
    Sensor,
    /// The camera driver's stamp, taken when the picture's transfer began or ended.
    Driver,
    /// The arrival of the picture: it carries an unknown latency.
    Arrival,
}

/// A footage file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEntry {
    /// Its index, as in its name.
    pub index: u32,
    /// Its name.
    pub file: String,
    /// The number of its first frame.
    pub first_frame: u64,
    /// How many frames it holds.
    pub frames: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The exposure of its first frame.
    pub start: Wall,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A stretch of the take that this camera does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last kept frame before it, or T0.
    pub from: Wall,
    /// The first kept frame after it, or T1.
    pub to: Wall,
    /// Why, in a word: `joined_late`, `camera_lost`, `camera_off`, `node_restarted`, `clock_stepped`, `disk_full`,
    /// `disk_read_only`, `disk_slow`, `disk_error`, `never_rolled`.
    pub cause: String,
    /// The evidence, in a sentence.
    pub detail: String,
}

/// Who lost a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DropSide {
    /// The camera did not deliver it.
    Camera,
    /// The encoder took it and gave nothing, or was so slow that the camera had to leave it out.
    Encoder,
}

/// Single frames that are missing while all parts ran; those that follow within a second are told together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The last kept frame before the first one that is missing, or T0.
    pub from: Wall,
    /// The first kept frame after the last one that is missing.
    pub to: Wall,
    /// How many are missing.
    pub frames: u64,
    /// Who lost them.
    pub by: DropSide,
}

/// Nothing is being kept for now, though the take rolls. When recording goes on, or the take ends, it becomes a [`Gap`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The last kept frame; null when none was kept.
    pub from: Option<Wall>,
    /// Why, in one of the words of [`Gap::cause`].
    pub cause: String,
    /// The evidence, in a sentence.
    pub detail: String,
}

/// A reading of the node's clock while the take rolls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimedReading {
    /// The exposure of the frame at which it was noted; the clock was read up to some seconds before.
    pub at: Wall,
    /// The clock.
    #[serde(flatten)]
    pub clock: ClockReading,
}

/// A mark and where it lies on this camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedMark {
    /// The mark.
    #[serde(flatten)]
    pub mark: Mark,
    /// The last frame exposed at or before it (the first one of the take when none was); `None` while none is kept.
    pub frame: Option<u64>,
    /// The segment of that frame.
    pub segment: Option<u32>,
}

/// The manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this file, 1.
    pub v: u32,
    /// The take's name.
    pub take: TakeName,
    /// The take's id.
    pub id: TakeId,
    /// The stamp in the file names.
    pub stamp: Stamp,
    /// The node.
    pub ip: Ipv4Addr,
    /// The name people gave the node.
    pub name: String,
    /// The common instant of the roll.
    pub t0: Wall,
    /// The common instant of the cut; null while rolling.
    pub t1: Option<Wall>,
    /// The length of a segment in seconds.
    pub segment_s: u32,
    /// The camera and its settings; null when it never came up during the take.
    pub camera: Option<CameraReport>,
    /// What made the H.264: `libx264`, `h264_v4l2m2m`, `camera`.
    pub encoder: Option<String>,
    /// Where the stamps come from.
    pub stamps: Option<StampSource>,
    /// The clock when the take was rolled.
    pub clock_at_roll: Option<ClockReading>,
    /// The clock when it was cut.
    pub clock_at_cut: Option<ClockReading>,
    /// The clock about once a minute in between.
    #[serde(default)]
    pub clock_readings: Vec<TimedReading>,
    /// First kept frame minus T0 in microseconds.
    pub skew_us: Option<i64>,
    /// Frames kept before T0, because this camera's pictures can only be played from an earlier IDR.
    pub lead_in_frames: u64,
    /// Frames kept.
    pub frames: u64,
    /// The files that are closed.
    pub segments: Vec<SegmentEntry>,
    /// What is missing and why.
    pub gaps: Vec<Gap>,
    /// Single frames that are missing.
    #[serde(default)]
    pub drops: Vec<Drop>,
    /// Why nothing is being kept now; null while recording, and when the take is finished.
    #[serde(default)]
    pub paused: Option<Pause>,
    /// The marks.
    pub marks: Vec<PlacedMark>,
    /// Whether nothing more will be added.
    pub finished: bool,
    /// The node program's version.
    pub version: String,
}
