//! The payloads of the state topics; the only place that knows their JSON. Pure.
//!
//! Readers ignore fields they do not know; a missing field and an unknown enum word are errors that name the field.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::camera::{Can, Settings};
use crate::take::{Mark, Stamp, TakeId, TakeName};
use crate::time::Wall;

/// The version of the payloads, their field `v`.
pub const VERSION: u32 = 1;

/// The grid on which IDR frames and T0 lie, in milliseconds, unless the settings say otherwise.
pub const GOP_MS: u64 = 500;

/// Reads a JSON payload.
///
/// # Errors
/// What is wrong and at which field.
pub fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        if path == "." { e.inner().to_string() } else { format!("field `{path}`: {}", e.inner()) }
    })?;
    json.end().map_err(|e| e.to_string())?;
    Ok(value)
}

/// Writes a JSON payload.
pub fn write<T: Serialize>(value: &T) -> Vec<u8> {
    // Our payload types hold nothing that JSON cannot say: no map with other keys than text.
    serde_json::to_vec(value).unwrap_or_default()
}

/// For a field that may be null but must stand there: serde would take a missing `Option` for null.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Whether cameras record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TakeState {
    /// Nothing is being recorded.
    Idle,
    /// A take is being recorded.
    Rolling,
}

/// `take/current`: the one truth that nodes act on. Before the first take everything but `v` and `state` is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentTake {
    /// [`VERSION`].
    pub v: u32,
    /// Rolling, or idle with the last take's fields.
    pub state: TakeState,
    /// The take's name.
    #[serde(deserialize_with = "nullable")]
    pub take: Option<TakeName>,
    /// The take's id.
    #[serde(deserialize_with = "nullable")]
    pub id: Option<TakeId>,
    /// T0 in the Control Pi's local time.
    #[serde(deserialize_with = "nullable")]
    pub stamp: Option<Stamp>,
    /// The common instant of the roll.
    #[serde(deserialize_with = "nullable")]
    pub t0: Option<Wall>,
    /// The common instant of the cut; null while rolling.
    #[serde(deserialize_with = "nullable")]
    pub t1: Option<Wall>,
    /// The length of a segment in seconds, from 1.
    #[serde(deserialize_with = "nullable")]
    pub segment_s: Option<u32>,
    /// The roster: who records this take.
    #[serde(deserialize_with = "nullable")]
    pub nodes: Option<Vec<Ipv4Addr>>,
}

/// A take with all its fields, as [`CurrentTake`] bears it after the first START.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Name and stamp.
    pub id: TakeId,
    /// The common instant of the roll.
    pub t0: Wall,
    /// The common instant of the cut; `None` while rolling.
    pub t1: Option<Wall>,
    /// The length of a segment in seconds, from 1.
    pub segment_s: u32,
    /// The roster.
    pub nodes: Vec<Ipv4Addr>,
}

impl Take {
    /// Whether this take is being recorded.
    pub fn rolling(&self) -> bool {
        self.t1.is_none()
    }
}

impl CurrentTake {
    /// What is said of `take`, or that there was none yet.
    pub fn of(take: Option<&Take>) -> Self {
        let state = if take.is_some_and(Take::rolling) { TakeState::Rolling } else { TakeState::Idle };
        Self {
            v: VERSION,
            state,
            take: take.map(|t| t.id.name.clone()),
            id: take.map(|t| t.id.clone()),
            stamp: take.map(|t| t.id.stamp.clone()),
            t0: take.map(|t| t.t0),
            t1: take.and_then(|t| t.t1),
            segment_s: take.map(|t| t.segment_s),
            nodes: take.map(|t| t.nodes.clone()),
        }
    }

    /// The take that is spoken of; `None` before the first one.
    ///
    /// # Errors
    /// What is contradictory: a rolling take without a T0, a T1 before T0, an id that is not name and stamp.
    pub fn take(&self) -> Result<Option<Take>, String> {
        if self.v != VERSION {
            return Err(format!("field `v`: version {} is not {VERSION}", self.v));
        }
        let Some(id) = self.id.clone() else {
            return match self.state {
                TakeState::Idle => Ok(None),
                TakeState::Rolling => Err("field `id`: a rolling take has one".into()),
            };
        };
        let missing = |field: &str| format!("field `{field}`: a take has one");
        let t0 = self.t0.ok_or_else(|| missing("t0"))?;
        let segment_s = self.segment_s.ok_or_else(|| missing("segment_s"))?;
        if self.take.as_ref() != Some(&id.name) || self.stamp.as_ref() != Some(&id.stamp) {
            return Err(format!("field `id`: {id} is not the fields `take` and `stamp`"));
        }
        if segment_s == 0 {
            return Err("field `segment_s`: a segment lasts at least 1 s".into());
        }
        let t1 = match (self.state, self.t1) {
            (TakeState::Rolling, Some(_)) => return Err("field `t1`: a rolling take has none yet".into()),
            (TakeState::Idle, None) => return Err("field `t1`: a take that ended has one".into()),
            (_, Some(t1)) if t1 < t0 => return Err(format!("field `t1`: {t1} lies before T0 {t0}")),
            (_, t1) => t1,
        };
        Ok(Some(Take { id, t0, t1, segment_s, nodes: self.nodes.clone().ok_or_else(|| missing("nodes"))? }))
    }
}

/// `take/marks`: all marks of the take, the whole list each time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The take they belong to; null before the first one.
    #[serde(deserialize_with = "nullable")]
    pub id: Option<TakeId>,
    /// In the order of their numbers.
    pub marks: Vec<Mark>,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Not reachable.
    Offline,
    /// The camera is being started.
    Starting,
    /// Reachable, the camera does not run.
    Standby,
    /// Camera and encoder run, nothing is kept but the pre-roll.
    Armed,
    /// Recording.
    Rolling,
    /// It cannot record; see the fault.
    Fault,
}

impl NodeState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Starting => "starting",
            Self::Standby => "standby",
            Self::Armed => "armed",
            Self::Rolling => "rolling",
            Self::Fault => "fault",
        }
    }
}

/// A reading of a node's clock against the Control Pi's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockReading {
    /// Who disciplines the clock: `chrony`, `timesyncd`; null when nobody is known to.
    #[serde(deserialize_with = "nullable")]
    pub source: Option<String>,
    /// Whether that source calls the clock synchronised.
    pub synced: bool,
    /// Clock minus reference in microseconds; null when the source does not tell.
    #[serde(deserialize_with = "nullable")]
    pub offset_us: Option<i64>,
    /// The bound of that figure's error in microseconds; null when the source does not tell.
    #[serde(deserialize_with = "nullable")]
    pub error_us: Option<i64>,
}

/// Room on the disk that holds the videos.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskReading {
    /// Free bytes for this program.
    pub free_bytes: u64,
    /// How many seconds can be recorded at the present rate, until the reserve is reached; null before a rate is known.
    #[serde(deserialize_with = "nullable")]
    pub record_s_left: Option<u64>,
    /// The slowest write or sync of the last seconds in milliseconds; null when the node does not say.
    #[serde(default)]
    pub slowest_ms: Option<u64>,
    /// Bytes of footage that wait in memory to be written; null when the node does not say.
    #[serde(default)]
    pub waiting_bytes: Option<u64>,
}

/// A camera and how it is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraReport {
    /// `rpicam`, `v4l2`, `test`, `command`.
    pub kind: String,
    /// What the camera calls itself; null when it does not say.
    #[serde(deserialize_with = "nullable")]
    pub model: Option<String>,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// Frames a second that the camera was asked for.
    pub fps: f64,
    /// Milliseconds from the wish to record to the first frame: measured, or what this kind usually needs.
    pub start_ms: u64,
    /// Seconds of footage that are held in memory now.
    pub ring_s: f64,
    /// Bits a second that the encoder was asked for; null when the node does not say.
    #[serde(default)]
    pub bitrate: Option<u64>,
    /// What can be set from the controller, and from what to what; null when that is not known.
    #[serde(default)]
    pub can: Option<Can>,
    /// What the camera has now, as far as it tells: a frame rate within 1 % of the one asked for is told as that one.
    /// Null while it sends no pictures.
    #[serde(default)]
    pub actual: Option<Settings>,
    /// What of `camera/<ip>` holds; null when nothing was heard there.
    #[serde(default)]
    pub wished: Option<Settings>,
    /// Whether wishes wait for the end of the take.
    #[serde(default)]
    pub pending: bool,
    /// Where its frames lie against the frame grid; null while it sends no pictures, and when the node does not say.
    #[serde(default)]
    pub phase: Option<Phase>,
}

/// Where a camera's frames lie against the frame grid of the wall clock ([`crate::grid::Grid`]), by the stamps of the
/// last half second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Whether it is held there.
    pub state: PhaseState,
    /// The median of the frames' distances from the nearest instant of the grid in microseconds, from −½ to ½ of a
    /// period; positive is later.
    pub error_us: i64,
    /// The largest of those distances, without its sign.
    pub worst_us: i64,
}

/// Whether a camera is held on the frame grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseState {
    /// It runs free; its frames lie where they happen to, up to one period from those of others.
    Free,
    /// It is on its way there.
    Seeking,
    /// Its frames lie there.
    Locked,
    /// It should be there and is not.
    Lost,
}

/// Why a node cannot record, or not as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A word for programs, `camera_exited`.
    pub code: String,
    /// A sentence for people, with the evidence.
    pub message: String,
}

/// Frames of a take that are missing, by who lost them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// The camera did not deliver them.
    pub camera: u64,
    /// The encoder took them and gave nothing, or was so slow that the camera had to leave them out.
    pub encoder: u64,
    /// They lie in gaps: camera or encoder were being started again, the disk could not be written, the node was away.
    pub gaps: u64,
}

impl Drops {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.camera + self.encoder + self.gaps
    }
}

/// How much a finding wants to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Info,
    /// The take is at risk, or its timing.
    Warning,
    /// Footage is being lost, or would be.
    Error,
}

/// Something about a node that people should know, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// A word for programs, `disk_short`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What to do about it; empty when there is nothing to do.
    pub remedy: String,
}

/// `status/<ip>`: a node that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// [`VERSION`].
    pub v: u32,
    /// Who speaks.
    pub ip: Ipv4Addr,
    /// The name people gave it.
    pub name: String,
    /// What it is doing.
    pub state: NodeState,
    /// The take it records; null when it records none.
    #[serde(deserialize_with = "nullable")]
    pub take: Option<TakeId>,
    /// Frames kept of that take.
    pub frames: u64,
    /// Frames of that take that are known to be missing.
    pub dropped: u64,
    /// The same by who lost them.
    #[serde(default)]
    pub drops: Drops,
    /// Frames a second over the last seconds.
    pub fps: f64,
    /// The index of the segment being written; null when none is.
    #[serde(deserialize_with = "nullable")]
    pub segment: Option<u32>,
    /// Bytes of footage kept of that take.
    pub bytes: u64,
    /// First kept frame minus T0 in microseconds; null before there is one.
    #[serde(deserialize_with = "nullable")]
    pub skew_us: Option<i64>,
    /// The clock; null when nothing on the machine tells.
    #[serde(deserialize_with = "nullable")]
    pub clock: Option<ClockReading>,
    /// The disk; null when it cannot be asked.
    #[serde(deserialize_with = "nullable")]
    pub disk: Option<DiskReading>,
    /// Temperature of the processor in °C; null without a thermometer.
    #[serde(deserialize_with = "nullable")]
    pub temp_c: Option<f64>,
    /// Whether the processor is slowed down by heat or low voltage now; null when the machine cannot tell.
    #[serde(deserialize_with = "nullable")]
    pub throttled: Option<bool>,
    /// Whether the processor has instructions for AES ([`crate::processor::has_aes`]).
    #[serde(default)]
    pub aes: bool,
    /// The camera.
    pub camera: CameraReport,
    /// What is wrong; null when nothing is.
    #[serde(deserialize_with = "nullable")]
    pub fault: Option<Fault>,
    /// All that people should know of it, the worst first; none from nodes of version 0.1.0 and before.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The node program's version.
    pub version: String,
    /// When the program started.
    pub booted: Wall,
    /// When this was said.
    pub at: Wall,
}

/// The last will on `status/<ip>`: only `v`, `ip` and `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departed {
    /// [`VERSION`].
    pub v: u32,
    /// Who is gone.
    pub ip: Ipv4Addr,
    /// Always `offline`.
    pub state: NodeState,
}

impl Departed {
    /// The last will of the node at `ip`.
    pub fn of(ip: Ipv4Addr) -> Self {
        Self { v: VERSION, ip, state: NodeState::Offline }
    }
}

/// What can stand on `status/<ip>`.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusMessage {
    /// The node is gone.
    Departed(Departed),
    /// The node is there.
    Node(Box<NodeStatus>),
}

impl StatusMessage {
    /// Reads a payload of `status/<ip>`.
    ///
    /// # Errors
    /// What is wrong and at which field.
    pub fn read(payload: &[u8]) -> Result<Self, String> {
        let departed: Departed = read(payload)?;
        match departed.state {
            NodeState::Offline => Ok(Self::Departed(departed)),
            _ => read(payload).map(Self::Node),
        }
    }

    /// Who is spoken of.
    pub fn ip(&self) -> Ipv4Addr {
        match self {
            Self::Departed(departed) => departed.ip,
            Self::Node(node) => node.ip,
        }
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DownloadState {
    /// It waits for its turn.
    Queued,
    /// Files are on their way.
    Running,
    /// All is here.
    Done,
    /// Something did not arrive; the error says what.
    Failed,
}

/// One node's part of a download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDownload {
    /// How far it is.
    pub state: DownloadState,
    /// How many files it has.
    pub files: u64,
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes that will be here.
    pub total_bytes: u64,
    /// Files whose SHA-256 was found equal here.
    pub verified: u64,
    /// What went wrong; null when nothing did.
    #[serde(deserialize_with = "nullable")]
    pub error: Option<String>,
    /// Bytes a second over the last seconds; null when nothing comes or no figure is known yet.
    #[serde(default)]
    pub rate_bytes_s: Option<u64>,
    /// Seconds until the last byte is here, at that rate; null when there is no rate.
    #[serde(default)]
    pub left_s: Option<u64>,
    /// Whether it was broken off by a command: then the state is [`DownloadState::Failed`], as older readers know it.
    #[serde(default)]
    pub cancelled: bool,
}

impl NodeDownload {
    /// One of which nothing has come yet.
    pub fn new(state: DownloadState, files: u64, total_bytes: u64) -> Self {
        Self {
            state,
            files,
            bytes: 0,
            total_bytes,
            verified: 0,
            error: None,
            rate_bytes_s: None,
            left_s: None,
            cancelled: false,
        }
    }
}

/// `download/<take>`: a download's progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// The take's name.
    pub take: TakeName,
    /// The whole of it.
    pub state: DownloadState,
    /// Each node's part.
    pub nodes: BTreeMap<Ipv4Addr, NodeDownload>,
    /// Bytes a second of all nodes together; null when nothing comes.
    #[serde(default)]
    pub rate_bytes_s: Option<u64>,
    /// Seconds until the last byte of the last node is here; null when there is no rate.
    #[serde(default)]
    pub left_s: Option<u64>,
}

/// Whether the controller is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It is.
    Online,
    /// It is not.
    Offline,
}

/// `controller`: its presence and, as last will, its absence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerStatus {
    /// Whether it is there.
    pub state: Presence,
    /// Its version.
    pub version: String,
    /// When this was said (of a last will: when the connection was made).
    pub at: Wall,
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
