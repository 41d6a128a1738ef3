//! The outcome as JSON, `<id>_light.json`. Pure.
//!
//! Fields are only ever added; what cannot be told is null. Offsets are in microseconds and positive when the node's
//! stamps are later than the light says.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;

/// The version of the file.
pub const VERSION: u32 = 1;

/// Whether stamps and light agree; the worst one last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// They agree as well as this light can tell.
    Agrees,
    /// The slate was not seen, or not together with others: nothing can be told.
    Unseen,
    /// They differ by more than the stamps claim.
    Doubtful,
    /// They differ by so much that the nearest frame of another camera may be the wrong one.
    Differs,
}

impl Verdict {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Unseen => "not seen",
            Self::Doubtful => "look",
            Self::Differs => "differs",
        }
    }
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Light {
    /// The version of the file.
    pub v: u32,
    /// The version of the program.
    pub version: String,
    /// The take.
    pub id: TakeId,
    /// When it was looked for.
    pub at: Wall,
    /// The worst of the nodes; `unseen` when the light compares no two of them.
    pub verdict: Verdict,
    /// The verdict in a sentence.
    pub summary: String,
    /// What to do about it; empty when nothing is to be done.
    pub hint: String,
    /// How much of the take was looked at: so many seconds from its begin and up to its end; null for all of it.
    pub window_s: Option<f64>,
    /// The nodes, by address.
    pub nodes: Vec<Node>,
    /// Each time the slate was held into the pictures.
    pub showings: Vec<Showing>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its name.
    pub name: String,
    /// Pictures that were searched.
    pub searched: u64,
    /// Pictures in which the slate was read.
    pub read: u64,
    /// Its stamps − light, against the middle of the fleet, in the showing that tells it best.
    pub offset_us: Option<f64>,
    /// How wrong that can be, either way.
    pub uncertainty_us: Option<f64>,
    /// How far from the true time its stamps may be by what the sync report knows: clock and source of the stamps.
    pub claim_us: Option<f64>,
    /// The worst of all showings.
    pub verdict: Verdict,
    /// What else is to be said; empty for nothing.
    pub note: String,
}

/// One time that the slate was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Showing {
    /// The first stamp of a frame that shows it.
    pub from: Wall,
    /// The last one.
    pub to: Wall,
    /// The display, by the number that its page drew.
    pub session: u8,
    /// The time between two of its refreshes.
    pub refresh_us: f64,
    /// The nodes that saw it often enough.
    pub nodes: Vec<Measured>,
}

/// One node in one showing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its address.
    pub ip: Ipv4Addr,
    /// Frames that were read.
    pub frames: u64,
    /// Of a hundred of them, how many agree on one offset.
    pub agree_percent: f64,
    /// Stamps − light, against the middle of the nodes of this showing; null when there is only one.
    pub offset_us: Option<f64>,
    /// How wrong that can be, either way: the sum of the parts.
    pub uncertainty_us: f64,
    /// What it is made of.
    pub parts: Parts,
}

/// Parts of an uncertainty, in microseconds. They are bounds of constants, so they are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// A display changes from refresh to refresh: what the frames leave open, of this node and of the middle of the others.
    pub refresh_us: f64,
    /// A rolling shutter exposes lower rows later: the slate's height in the picture against the others', at a frame
    /// period from top to bottom. Among sensors that differ, the whole height.
    pub rows_us: f64,
    /// Stamps tell the begin of an exposure, light its middle: half of the difference to the others' exposure. Null when
    /// exposures are not known; then each millisecond that they differ makes half a one here.
    pub exposure_us: Option<f64>,
    /// The display's own clock runs fast or slow while it is carried from camera to camera.
    pub display_us: f64,
}

impl Parts {
    /// All together.
    pub fn sum(&self) -> f64 {
        self.refresh_us + self.rows_us + self.exposure_us.unwrap_or(0.0) + self.display_us
    }
}

/// The name of the file in the take's folder.
pub fn file(id: &TakeId) -> String {
    format!("{id}_light.json")
}

/// The take of a file name; `None` for another file.
pub fn parse(file: &str) -> Option<TakeId> {
    TakeId::try_from(file.strip_suffix("_light.json")?.to_owned()).ok()
}
