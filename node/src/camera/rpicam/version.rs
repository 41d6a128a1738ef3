//! Which `rpicam-vid` is there, and whether it can be held on the frame grid. Pure.

use super::sync::SLOWEST;
use crate::camera::{CameraSettings, Steering};

/// The version of rpicam-apps, 1.10.1 as (1, 10).
pub(super) type Version = (u32, u32);

/// The first that knows `--sync`.
const SYNC: Version = (1, 6);
/// The first that encodes every frame of fast cameras: libcamera judges 30 frames a second, and older programs left out
/// the frames between, as those said nothing of being ready.
const FAST_SYNC: Version = (1, 12);
/// Faster cameras are not judged with each frame.
const FAST: f64 = 33.0;

/// The version in what `rpicam-vid --version` says, `rpicam-apps build: v1.10.1 28-11-2025 (16:40:26)`.
pub(super) fn version(said: &str) -> Option<Version> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("rpicam-apps build:"))?;
    let mut parts = line.trim().trim_start_matches('v').split(['.', ' ', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether a camera with these settings is held on the grid. `listens` says whether libcamera can hear a packet, `deaf`
/// whether it has failed to follow one before.
pub(super) fn steering(
    settings: &CameraSettings,
    version: Option<Version>,
    listens: Result<(), String>,
    deaf: bool,
) -> Steering {
    const UPDATE: &str = "update it: `sudo apt update && sudo apt full-upgrade`; or set `camera.sync = \"off\"`";
    let unable = |why: String, remedy| Steering::Unable { why, remedy };
    let named = version.map(|(major, minor)| format!("{major}.{minor}"));
    match (version, listens) {
        _ if !settings.sync => Steering::Free,
        (None, _) => unable("rpicam-vid does not tell its version".into(), UPDATE),
        (Some(old), _) if old < SYNC => {
            unable(format!("rpicam-vid {} knows no `--sync`, 1.6 is the first", named.unwrap_or_default()), UPDATE)
        }
        (Some(old), _) if old < FAST_SYNC && settings.fps > FAST => unable(
            format!(
                "rpicam-vid {} would lose frames at {} a second, 1.12 is the first that does not",
                named.unwrap_or_default(),
                settings.fps
            ),
            "update it: `sudo apt update && sudo apt full-upgrade`; or choose 30 frames a second",
        ),
        _ if settings.fps < SLOWEST => {
            unable(format!("{} frames a second are too few to be steered", settings.fps), "choose at least 8 a second")
        }
        (_, Err(why)) => unable(
            format!("libcamera cannot listen on this machine's network: {why}"),
            "connect a network; the camera is held again from its next start on",
        ),
        _ if deaf => unable(
            "rpicam-vid with `--sync client` sent no picture".into(),
            "see that nothing blocks UDP port 10000 on 127.0.0.1, then restart syncslate-node; or set `camera.sync = \"off\"`",
        ),
        _ => Steering::Grid,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wishes::tests::camera;

    #[test]
    fn versions_are_read() {
        let said = "rpicam-apps build: v1.10.1 28-11-2025 (16:40:26)\nlibcamera build: v0.6.0+rpt20251202\n";
        assert_eq!(version(said), Some((1, 10)));
        assert_eq!(version("rpicam-apps build: v1.5.0 f74361ee6a56 23-10-2024 (11:41:22)"), Some((1, 5)));
        assert_eq!(version("rpicam-apps build: 2.0-rc1"), Some((2, 0)));
        assert_eq!(version("libcamera-apps build: f74a3d1ef2f3"), None);
    }

    #[test]
    fn what_cannot_be_held_says_why() {
        let why = |fps, version, listens: Result<(), &str>, deaf| {
            let settings = CameraSettings { fps, ..camera("rpicam") };
            match steering(&settings, version, listens.map_err(str::to_owned), deaf) {
                Steering::Unable { why, .. } => why,
                other => format!("{other:?}"),
            }
        };
        assert_eq!(why(30.0, Some((1, 6)), Ok(()), false), "Grid");
        assert_eq!(why(120.0, Some((1, 12)), Ok(()), false), "Grid");
        assert_eq!(why(30.0, Some((1, 5)), Ok(()), false), "rpicam-vid 1.5 knows no `--sync`, 1.6 is the first");
        assert!(why(30.0, None, Ok(()), false).starts_with("rpicam-vid does not tell"));
        assert!(why(60.0, Some((1, 10)), Ok(()), false).starts_with("rpicam-vid 1.10 would lose frames at 60"));
        assert!(why(5.0, Some((1, 12)), Ok(()), false).starts_with("5 frames a second are too few"));
        assert!(why(30.0, Some((1, 12)), Err("No such device"), false).ends_with("No such device"));
        assert!(why(30.0, Some((1, 12)), Ok(()), true).ends_with("sent no picture"));
        let off = CameraSettings { sync: false, ..camera("rpicam") };
        assert_eq!(steering(&off, None, Err(String::new()), true), Steering::Free);
    }

    proptest! {
        #[test]
        fn no_word_makes_the_reader_panic(said in "(rpicam-apps build:)?\\PC{0,40}") {
            let _ = version(&said);
        }
    }
}
