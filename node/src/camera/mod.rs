//! Cameras: each kind starts its children and yields access units of H.264 with the wall clock of their exposure.
//!
//! A kind never decides what is kept; the session does. Kinds whose pictures come raw are encoded by [`crate::encoder`].

pub mod command;
pub mod raw;
pub mod rpicam;
pub mod test;
pub mod v4l2;

use std::path::PathBuf;
use std::str::FromStr;

use bytes::Bytes;
use syncslate_shared::camera::{Can, Key, Milli, Range, Settings};
use syncslate_shared::grid::Grid;
pub use syncslate_shared::grid::fps_ratio;
use syncslate_shared::manifest::StampSource;
use syncslate_shared::settings::Bitrate;
use syncslate_shared::time::Wall;
use tokio::sync::mpsc;

/// One coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// The wall clock of its exposure.
    pub time: Wall,
    /// Whether it is an IDR picture.
    pub key: bool,
    /// Its bytes, Annex B, all NAL units of the picture.
    pub data: Bytes,
}

/// What a camera tells the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraEvent {
    /// Camera and encoder are being started.
    Starting,
    /// The children run; pictures follow.
    Up(CameraFacts),
    /// It told what it has to set.
    Can(Can),
    /// It told what it is set to, beside size and rate: once a second at most.
    Set(Settings),
    /// A picture.
    Unit(AccessUnit),
    /// The encoder took so many pictures and gave nothing for them, before the one that follows.
    Swallowed(u64),
    /// The encoder is slower than the camera, or has caught up again.
    Behind(bool),
    /// It ended, whatever its exit code; it is started again after a pause.
    Down {
        /// A word for programs: `camera_exited`, `camera_stalled`, `encoder_exited`, `camera_not_found`.
        code: &'static str,
        /// A sentence with the evidence: command, exit status, last lines of standard error.
        message: String,
    },
}

/// What is known of a camera once it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraFacts {
    /// What the camera calls itself.
    pub model: Option<String>,
    /// What makes the H.264: `libx264`, `h264_v4l2m2m`, or `camera`.
    pub encoder: String,
    /// Where the stamps come from.
    pub stamps: StampSource,
    /// Whether its frames are held on the frame grid.
    pub steering: Steering,
}

/// Whether a camera is held on the frame grid of the wall clock ([`Grid`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steering {
    /// It runs free, as its kind does or as it was told.
    Free,
    /// It is told where the grid lies and follows it.
    Grid,
    /// It would be, but cannot.
    Unable {
        /// Why, in a sentence.
        why: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

/// Where a camera's events go.
pub type Sink = mpsc::Sender<CameraEvent>;

/// Why a camera ended: the `code` and `message` of [`CameraEvent::Down`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraEnd {
    /// A word for programs.
    pub code: &'static str,
    /// A sentence with the evidence.
    pub message: String,
}

/// Which camera.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The Pi's CSI camera, through `rpicam-vid`.
    Rpicam,
    /// A USB camera.
    V4l2(PathBuf),
    /// The simulated camera that this program brings along, with its options (`phase_ms=11,ppm=-80`).
    Test(String),
    /// A program that writes IVF to its standard output.
    Command(Vec<String>),
}

impl Kind {
    /// The word in the status: `rpicam`, `v4l2`, `test`, `command`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rpicam => "rpicam",
            Self::V4l2(_) => "v4l2",
            Self::Test(_) => "test",
            Self::Command(_) => "command",
        }
    }

    /// What a camera of this kind has to set; `None` where the camera itself must tell.
    pub fn can(&self) -> Option<Can> {
        let mut can = Can::widest(&[Key::Width, Key::Height, Key::Fps, Key::Bitrate]);
        match self {
            Self::Rpicam => return None,
            Self::V4l2(_) | Self::Command(_) => {}
            Self::Test(_) => {
                can.0.extend(Can::widest(&[Key::ExposureUs, Key::Gain]).0);
                for (key, smallest) in [(Key::Width, 160), (Key::Height, 90)] {
                    can.0.insert(key, Range { from: Milli::whole(smallest), ..key.range() });
                }
            }
        }
        Some(can)
    }

    /// Milliseconds from start to first frame that this kind usually needs, until it was measured.
    pub fn usual_start_ms(&self) -> u64 {
        match self {
            Self::Rpicam => 2500,
            Self::V4l2(_) => 2000,
            Self::Test(_) | Self::Command(_) => 2000,
        }
    }
}

impl FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        match (word, rest) {
            ("rpicam", "") => Ok(Self::Rpicam),
            ("v4l2", "") => Ok(Self::V4l2("/dev/video0".into())),
            ("v4l2", device) => Ok(Self::V4l2(device.into())),
            ("test", options) => Ok(Self::Test(options.to_owned())),
            ("command", line) if !line.trim().is_empty() => {
                Ok(Self::Command(line.split_whitespace().map(str::to_owned).collect()))
            }
            ("command", _) => Err("a camera `command:` needs a program, such as command:/usr/bin/mycam --fast".into()),
            _ => Err(format!(
                "`{}` is no camera: rpicam, v4l2:/dev/video0, test and command:PROGRAM are known",
                text.escape_debug()
            )),
        }
    }
}

/// Which program encodes raw pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderChoice {
    /// The Pi's hardware where it is there, else libx264.
    Auto,
    /// libx264, in software.
    Libx264,
    /// The hardware encoder of Pi 3 and 4.
    V4l2m2m,
}

/// What a camera is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSettings {
    /// Which camera.
    pub kind: Kind,
    /// The node's name, which the test camera draws into its pictures.
    pub name: String,
    /// The node's address as a number, which the test camera writes into its machine-readable blocks.
    pub ip: std::net::Ipv4Addr,
    /// Picture width in pixels, even.
    pub width: u32,
    /// Picture height in pixels, even.
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
    /// Bits a second.
    pub bitrate: Bitrate,
    /// The wall-clock grid of IDR frames, in milliseconds.
    pub gop_ms: u64,
    /// Which encoder for raw pictures.
    pub encoder: EncoderChoice,
    /// What is fixed of exposure, gain, white balance and focus; the rest is automatic.
    pub controls: Settings,
    /// Whether a camera that can be is held on the frame grid.
    pub sync: bool,
}

impl CameraSettings {
    /// Frames a second as a fraction, see [`fps_ratio`].
    pub fn fps_ratio(&self) -> (u32, u32) {
        fps_ratio(self.fps)
    }

    /// The frame grid of its rate.
    pub fn grid(&self) -> Grid {
        Grid::of(self.fps)
    }
}

impl CameraEnd {
    fn not_found(message: String) -> Self {
        Self { code: "camera_not_found", message }
    }

    fn exited(message: String) -> Self {
        Self { code: "camera_exited", message }
    }
}
