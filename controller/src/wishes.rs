//! What is wished of cameras and takes, as it is kept over a restart. Plain data.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use syncslate_shared::camera::CameraWishes;

/// What must survive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    /// What is wished of each node's camera.
    pub wishes: BTreeMap<Ipv4Addr, CameraWishes>,
    /// The length of segments in seconds, from 1 to 3600; `None` for the one in the settings.
    pub segment_s: Option<u32>,
}
