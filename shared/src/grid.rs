//! The frame grid: the wall-clock instants that lie whole frame periods after 1970. Cameras that are locked to it expose
//! there, on all nodes alike and without a word between them. Pure.

use std::time::Duration;

use crate::protocol::GOP_MS;
use crate::time::{Wall, micros};

const SECOND_US: i128 = 1_000_000;

/// The frame grid of one frame rate. Kept as a fraction: 1.7 · 10⁹ seconds have passed since 1970, and a period rounded
/// to a nanosecond would be 17 s off by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    num: i128,
    den: i128,
}

impl Grid {
    /// The grid of `fps` frames a second, held within 1 frame in 100 s and 1000 a second; see [`fps_ratio`].
    pub fn of(fps: f64) -> Self {
        let (num, den) = fps_ratio(if fps.is_finite() { fps.clamp(0.01, 1000.0) } else { 1.0 });
        Self { num: num.into(), den: den.into() }
    }

    /// The time from one instant to the next.
    pub fn period(self) -> Duration {
        let ns = (self.den * 1000 * SECOND_US + self.num / 2) / self.num;
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// The instant nearest to `at`, rounded to the microsecond; of two equally near ones the later, so that all who ask
    /// get the same.
    pub fn nearest(self, at: Wall) -> Wall {
        self.instant((self.twice(at) + self.den * SECOND_US).div_euclid(2 * self.den * SECOND_US))
    }

    /// The last instant at or before `at`.
    pub fn at_or_before(self, at: Wall) -> Wall {
        self.instant(self.twice(at).div_euclid(2 * self.den * SECOND_US))
    }

    /// How long after the nearest instant `at` lies in microseconds, from −½ to ½ of a period.
    pub fn off_us(self, at: Wall) -> i64 {
        at.since_us(self.nearest(at))
    }

    /// Whether every multiple of `step` since 1970 is an instant of the grid.
    pub fn meets(self, step: Duration) -> bool {
        i128::from(micros(step)) * self.num % (self.den * SECOND_US) == 0
    }

    /// What T0 must be a multiple of to be an instant of the grid: the distance of IDR frames ([`GOP_MS`]), or twice as
    /// much; `None` when neither does (29.97 frames a second meet 500 ms every eight minutes).
    pub fn step(self) -> Option<Duration> {
        [1, 2].map(|n| Duration::from_millis(GOP_MS * n)).into_iter().find(|step| self.meets(*step))
    }

    /// Frames in a length of time, rounded.
    pub fn frames_in(self, length: Duration) -> u64 {
        let twice = 2 * i128::from(micros(length)) * self.num;
        u64::try_from((twice + self.den * SECOND_US) / (2 * self.den * SECOND_US)).unwrap_or(0)
    }

    /// Twice the numerator of frames since 1970; the denominator is `den` · 10⁶.
    fn twice(self, at: Wall) -> i128 {
        2 * i128::from(at.micros()) * self.num
    }

    fn instant(self, frame: i128) -> Wall {
        let us = (2 * frame * self.den * SECOND_US + self.num).div_euclid(2 * self.num);
        Wall::from_micros(i64::try_from(us).unwrap_or(i64::MAX))
    }
}

/// The whole rate n of an NTSC rate, which means n·1000/1001 frames a second, as cameras and editors do: 30 for 29.97;
/// `None` for another rate.
pub fn ntsc(fps: f64) -> Option<u32> {
    let whole = (fps * 1.001).round();
    let is_ntsc = (whole / 1.001 - fps).abs() < 0.004 && (fps - fps.round()).abs() > 1e-6;
    is_ntsc.then_some(whole as u32)
}

/// Frames a second as a fraction: the NTSC rates ([`ntsc`]) as n·1000/1001, others to a thousandth.
pub fn fps_ratio(fps: f64) -> (u32, u32) {
    match ntsc(fps) {
        Some(whole) => (whole * 1000, 1001),
        None if (fps - fps.round()).abs() < 1e-6 => (fps.round() as u32, 1),
        None => ((fps * 1000.0).round() as u32, 1000),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T0: Wall = Wall::from_micros(1_761_220_930_500_000);

    #[test]
    fn half_seconds_lie_on_the_grid_of_even_rates() {
        let step = |fps| Grid::of(fps).step().map(|step| step.as_millis());
        assert_eq!([24.0, 30.0, 50.0, 60.0, 120.0].map(step), [Some(500); 5]);
        assert_eq!([25.0, 15.0, 5.0, 1.0].map(step), [Some(1000); 4]);
        assert_eq!([29.97, 23.976, 12.5].map(step), [None; 3]);
        assert_eq!(Grid::of(30.0).nearest(T0), T0);
        assert_eq!(Grid::of(30.0).nearest(T0.offset_us(-1)), T0);
        assert_eq!(Grid::of(30.0).at_or_before(T0.offset_us(-1)), T0.offset_us(-33_333));
        assert_eq!(Grid::of(25.0).nearest(T0), T0.offset_us(20_000), "half-way: the later one");
        assert_eq!((Grid::of(30.0).off_us(T0.offset_us(-57)), Grid::of(30.0).off_us(T0.offset_us(57))), (-57, 57));
    }

    #[test]
    fn lengths_are_counted_in_frames() {
        assert_eq!(Grid::of(30.0).period(), Duration::from_nanos(33_333_333));
        assert_eq!(Grid::of(29.97).period(), Duration::from_nanos(33_366_667));
        let half = Duration::from_millis(500);
        assert_eq!([30.0, 29.97, 25.0, 0.5].map(|fps| Grid::of(fps).frames_in(half)), [15, 15, 13, 0]);
        assert_eq!(Grid::of(f64::NAN), Grid::of(1.0));
    }

    proptest! {
        #[test]
        fn no_instant_is_further_than_half_a_period(us in 0i64..4_000_000_000_000_000, fps in 0.5f64..240.0) {
            let (grid, at) = (Grid::of(fps), Wall::from_micros(us + 3_000_000));
            let half = micros(grid.period()) / 2 + 1;
            prop_assert!(grid.off_us(at).abs() <= half);
            let before = grid.at_or_before(at);
            // Rounded to the microsecond it may lie one after.
            prop_assert!(at.since_us(before) >= -1 && at.since_us(before) <= 2 * half);
            prop_assert_eq!(grid.nearest(before), before);
            if let Some(step) = grid.step() {
                prop_assert_eq!(grid.off_us(at.floor_to(step)), 0);
            }
        }
    }
}
