//! What was read, put on one line: the display's refreshes, and between which of them each frame was exposed. Pure.

use std::collections::BTreeSet;

use crate::finder::{Sight, apart};
use crate::layout::CYCLE_MS;
use crate::overlap::median;

/// A display of sixty refreshes a second, when nothing tells better.
const USUAL_US: f64 = 1e6 / 60.0;
/// Between two refreshes that were both seen lie at most so many periods; where more do, one in between was not seen.
const HELD: f64 = 3.5;

/// A frame that shows the slate.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its stamp, microseconds since 1970.
    pub stamp_us: i64,
    /// What it shows.
    pub sight: Sight,
}

/// A frame beside the light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its stamp, microseconds since 1970.
    pub stamp_us: i64,
    /// The middle of its exposure by the display's clock, microseconds since 1970: not before this …
    pub from_us: i64,
    /// … and not after this.
    pub to_us: i64,
    /// The slate's height in the picture, 0 at the top, 1 at the bottom.
    pub row: f64,
}

/// A display's refreshes, as far as any camera saw them.
#[derive(Clone, Debug)]
pub struct Refreshes {
    /// Their times, milliseconds since 1970.
    times: Vec<i64>,
    /// The usual time between two, in microseconds.
    pub period_us: f64,
}

/// The time on the slate nearest to a stamp, in milliseconds since 1970: the slate itself tells it but for whole cycles.
fn whole(ms: u32, stamp_us: i64) -> i64 {
    let stamp = stamp_us.div_euclid(1000);
    stamp + apart(ms, stamp.rem_euclid(CYCLE_MS) as u32)
}

impl Seen {
    /// When its newest field was drawn, milliseconds since 1970; `None` when no field was read.
    pub fn shown_ms(&self) -> Option<i64> {
        self.sight.newest().map(|(_, ms)| whole(ms, self.stamp_us))
    }
}

impl Refreshes {
    /// The refreshes that these frames show.
    pub fn of<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Self {
        let (mut times, mut between) = (BTreeSet::new(), Vec::new());
        for Seen { stamp_us, sight } in seen {
            let mut drawn: Vec<i64> = sight.fields.iter().flatten().map(|ms| whole(*ms, *stamp_us)).collect();
            drawn.sort_unstable();
            // All fields in view: they were drawn one refresh after the other.
            if drawn.len() == sight.fields.len() {
                between.extend(drawn.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * 1000.0));
            }
            times.extend(drawn);
        }
        let times: Vec<i64> = times.into_iter().collect();
        let seldom = || times.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * 1000.0).filter(|us| *us < 50_000.0);
        // Whole milliseconds are shown: their mean about the median is nearer to the truth than the median.
        let typical = if between.is_empty() { seldom().collect() } else { between };
        let middle = median(typical.iter().copied()).unwrap_or(USUAL_US);
        let near: Vec<f64> = typical.into_iter().filter(|us| (us - middle).abs() <= 1500.0).collect();
        let period_us = if near.is_empty() { USUAL_US } else { near.iter().sum::<f64>() / near.len() as f64 };
        Self { times, period_us: period_us.max(1000.0) }
    }

    /// The time of the refresh `n` refreshes after the one at `ms`, in microseconds since 1970.
    fn after(&self, ms: i64, n: usize) -> i64 {
        let mut at = ms * 1000;
        for _ in 0..n {
            let next = self.times.get(self.times.partition_point(|time| time * 1000 <= at)).map(|time| time * 1000);
            let near = next.filter(|next| (next - at) as f64 <= HELD * self.period_us);
            at = near.unwrap_or(at + self.period_us.round() as i64);
        }
        at
    }

    /// Between which refreshes a frame was exposed.
    ///
    /// A display shows a refresh until the next one, so the middle of the exposure lies between the newest field's time
    /// and the next. Where fields due next could not be read they were changing during the exposure, and it went on
    /// beyond them.
    pub fn reading(&self, seen: &Seen) -> Option<Reading> {
        let from = seen.shown_ms()?;
        let to_us = self.after(from, seen.sight.changing() + 1);
        Some(Reading { stamp_us: seen.stamp_us, from_us: from * 1000, to_us, row: seen.sight.middle[1] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(stamp_us: i64, fields: [Option<u32>; 4]) -> Seen {
        Seen { stamp_us, sight: Sight { session: 1, fields, middle: [0.5, 0.25], module_px: 4.0 } }
    }

    const NOW: i64 = 1_761_220_930_500_000;

    fn ms(after: i64) -> u32 {
        (NOW / 1000 + after).rem_euclid(CYCLE_MS) as u32
    }

    #[test]
    fn a_frame_lies_between_its_refresh_and_the_next() {
        let frames = [
            seen(NOW + 55_000, [Some(ms(0)), Some(ms(17)), Some(ms(33)), Some(ms(50))]),
            // A refresh that the display left out: 67 is missing, the field of 50 stayed.
            seen(NOW + 90_000, [Some(ms(83)), Some(ms(17)), Some(ms(33)), Some(ms(50))]),
            seen(NOW + 101_000, [Some(ms(83)), None, Some(ms(33)), Some(ms(50))]),
        ];
        let refreshes = Refreshes::of(&frames);
        assert!((refreshes.period_us - 16_667.0).abs() < 400.0, "{}", refreshes.period_us);
        let span = |seen| refreshes.reading(seen).map(|r| (r.from_us - NOW, (r.to_us - NOW) / 1000)).unwrap();
        assert_eq!(span(&frames[0]), (50_000, 83));
        assert_eq!(span(&frames[1]), (83_000, 99));
        assert_eq!(span(&frames[2]), (83_000, 116));
    }

    #[test]
    fn cycles_are_told_by_the_stamp() {
        for hours in [-2, -1, 0, 1, 2] {
            let at = NOW + hours * 3_600_000_000;
            assert_eq!(seen(at, [None, Some(ms(40)), None, None]).shown_ms(), Some(NOW / 1000 + 40));
        }
        assert_eq!(seen(NOW, [None; 4]).shown_ms(), None);
    }
}
