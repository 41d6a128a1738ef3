//! The stamps of a USB camera's pictures, out of ffmpeg's index. Pure.
//!
//! A video driver stamps with the monotonic clock, a few old ones with the wall clock; nothing tells which but the
//! number itself.

use syncslate_shared::time::Wall;

use crate::framecrc::Line;

/// Above this a stamp in microseconds is a wall clock: it is September 2001, and 31 years after a boot.
const WALL_FROM: i64 = 1_000_000_000_000_000;

/// A picture that the index announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// When it was exposed, as well as the driver knows.
    pub(super) time: Wall,
    /// Its length.
    pub(super) bytes: usize,
}

/// Reads a line; `None` for a comment. `mono_to_wall_us` is sampled for each picture, so that the wall clock may step.
pub(super) fn entry(line: &str, mono_to_wall_us: impl FnOnce() -> i64) -> Result<Option<Entry>, String> {
    match line.parse()? {
        // The stream's unit, which is the driver's. In another one stamps would have been rounded.
        Line::Comment if line.starts_with("#tb ") && !line.ends_with(": 1/1000000") => {
            Err(format!("ffmpeg passes the camera's stamps on as `{line}`, microseconds were asked for"))
        }
        Line::Comment => Ok(None),
        Line::Packet(packet) => {
            let us = if packet.pts >= WALL_FROM { packet.pts } else { packet.pts.saturating_add(mono_to_wall_us()) };
            Ok(Some(Entry { time: Wall::from_micros(us), bytes: packet.bytes }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: i64 = 1_761_213_011_500_000;

    #[test]
    fn either_clock_is_known_by_its_size() {
        let of = |pts: i64| entry(&format!("0, {pts}, {pts}, 1, 345600, 0x1"), || OFFSET).unwrap().unwrap();
        assert_eq!(of(7_919_000_003).time, Wall::from_micros(OFFSET + 7_919_000_003));
        assert_eq!(of(1_761_220_930_500_003).time, Wall::from_micros(1_761_220_930_500_003));
        assert_eq!(of(0).bytes, 345_600);
    }

    #[test]
    fn stamps_that_were_rounded_are_refused() {
        assert_eq!(entry("#tb 0: 1/1000000", || 0), Ok(None));
        assert_eq!(
            entry("#tb 0: 1/30", || 0).unwrap_err(),
            "ffmpeg passes the camera's stamps on as `#tb 0: 1/30`, microseconds were asked for"
        );
    }
}
