//! Frame rates as editors mean them, and the timecodes that count them. Pure.

use std::cmp::Ordering;
use std::fmt;

use chrono::{Local, Timelike as _};
use serde::{Deserialize, Serialize};
use syncslate_shared::grid::fps_ratio;
use syncslate_shared::time::Wall;

/// A rate of `frames` in `seconds`: 30/1, 30000/1001. Both are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// So many frames …
    pub frames: u32,
    /// … in so many seconds.
    pub seconds: u32,
}

/// Whose time of day a timecode is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zone {
    /// Universal time: the same everywhere, and never set back in autumn.
    #[default]
    Utc,
    /// The time zone of the machine that exports.
    Local,
}

/// Frames of a second that is cut into more than this do not fit a timecode track.
const MOST: f64 = 240.0;
const DAY_S: u64 = 86_400;

impl Rate {
    /// The rate of `fps` frames a second. The NTSC rates (29.97, 59.94, 23.976) mean n·1000/1001; others that are not
    /// whole are taken to a thousandth. `None` for what is no rate of a camera, or has no timecode (above 240).
    pub fn of(fps: f64) -> Option<Self> {
        if !(0.1..=MOST).contains(&fps) {
            return None;
        }
        let (frames, seconds) = fps_ratio(fps);
        // The NTSC rates keep their 1001, by which everybody knows them.
        let common = if seconds == 1001 { 1 } else { common_divisor(frames, seconds) };
        Some(Self { frames: frames / common, seconds: seconds / common })
    }

    /// Whole frames that a timecode counts as a second: 30 for 29.97.
    pub const fn base(self) -> u32 {
        self.frames.div_ceil(self.seconds)
    }

    /// Whether it is one of the NTSC rates.
    pub const fn is_ntsc(self) -> bool {
        self.seconds == 1001
    }

    /// As a number, frames a second.
    pub fn fps(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    /// The number of the tick nearest to `us` microseconds after tick 0; 0 for what lies before.
    pub fn nearest(self, us: i64) -> u64 {
        let us = u128::try_from(us).unwrap_or(0);
        let (frames, long) = (u128::from(self.frames), u128::from(self.seconds) * 1_000_000);
        u64::try_from((us * frames + long / 2) / long).unwrap_or(u64::MAX)
    }

    /// The number of the last tick at or before `us` microseconds after tick 0; 0 for what lies before.
    pub fn at_or_before(self, us: i64) -> u64 {
        let us = u128::try_from(us).unwrap_or(0);
        // A tick that lies between two microseconds is told by the later one.
        let n = us * u128::from(self.frames) / (u128::from(self.seconds) * 1_000_000);
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        let next = n.saturating_add(1);
        if u128::try_from(self.us(next)).is_ok_and(|at| at <= us) { next } else { n }
    }

    /// When tick `n` is, in microseconds after tick 0, to the nearest one.
    pub fn us(self, n: u64) -> i64 {
        let frames = u128::from(self.frames);
        let us = (u128::from(n) * u128::from(self.seconds) * 1_000_000 + frames / 2) / frames;
        i64::try_from(us).unwrap_or(i64::MAX)
    }

    /// The frame that the timecode of `at` counts, from midnight. It counts [`Rate::base`] frames to a second and drops
    /// none (non-drop), so with NTSC rates it falls behind the clock by 3.6 s an hour from `at` on.
    pub fn timecode(self, at: Wall, zone: Zone) -> u32 {
        let utc = at.utc();
        let second = match zone {
            Zone::Utc => utc.num_seconds_from_midnight(),
            Zone::Local => utc.with_timezone(&Local).num_seconds_from_midnight(),
        };
        let part = u64::try_from(at.micros().rem_euclid(1_000_000)).unwrap_or(0);
        let base = u64::from(self.base());
        u32::try_from(u64::from(second) * base + part * base / 1_000_000).unwrap_or(0)
    }

    /// Frame `n` as a timecode, `12:02:10:15`; past midnight it begins again.
    pub fn shown(self, n: u64) -> String {
        let base = u64::from(self.base());
        let (second, frame) = (n / base % DAY_S, n % base);
        format!("{:02}:{:02}:{:02}:{frame:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(f, "{}", self.frames),
            seconds => write!(f, "{}/{seconds}", self.frames),
        }
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) =
            (u64::from(self.frames) * u64::from(other.seconds), u64::from(other.frames) * u64::from(self.seconds));
        a.cmp(&b)
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NTSC: Rate = Rate { frames: 30_000, seconds: 1001 };

    #[test]
    fn rates_are_those_that_editors_mean() {
        for (fps, rate) in [
            (30.0, (30, 1)),
            (25.0, (25, 1)),
            (29.97, (30_000, 1001)),
            (23.976, (24_000, 1001)),
            (23.98, (24_000, 1001)),
            (59.94, (60_000, 1001)),
            (12.5, (25, 2)),
            (7.77, (777, 100)),
        ] {
            assert_eq!(Rate::of(fps), Some(Rate { frames: rate.0, seconds: rate.1 }), "{fps}");
        }
        for no_rate in [0.0, -25.0, f64::NAN, f64::INFINITY, 1000.0] {
            assert_eq!(Rate::of(no_rate), None, "{no_rate}");
        }
        assert_eq!((NTSC.base(), Rate { frames: 25, seconds: 2 }.base()), (30, 13));
    }

    #[test]
    fn a_timecode_is_the_time_of_day_and_its_frame() {
        let t0 = Wall::parse("2025-10-23T12:02:10.5Z").unwrap();
        for (rate, shown) in [(NTSC, "12:02:10:15"), (Rate { frames: 25, seconds: 1 }, "12:02:10:12")] {
            assert_eq!(rate.shown(rate.timecode(t0, Zone::Utc).into()), shown);
        }
        assert_eq!(NTSC.shown(u64::from(NTSC.timecode(t0, Zone::Utc)) + 15), "12:02:11:00");
        assert_eq!(NTSC.shown(30 * DAY_S - 1), "23:59:59:29");
        assert_eq!(NTSC.shown(30 * DAY_S), "00:00:00:00");
    }

    proptest! {
        #[test]
        fn ticks_and_microseconds_go_together(frames in 1u32..240_000, seconds in prop_oneof![Just(1u32), Just(1001)], n in 0u64..100_000_000) {
            let rate = Rate { frames, seconds };
            prop_assume!(rate.fps() <= MOST);
            prop_assert_eq!(rate.nearest(rate.us(n)), n);
            prop_assert_eq!(rate.at_or_before(rate.us(n)), n);
            if n > 0 {
                prop_assert_eq!(rate.at_or_before(rate.us(n) - 1), n - 1);
            }
        }
    }
}
