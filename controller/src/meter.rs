//! How fast bytes come, and how long the rest will take. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use syncslate_shared::protocol::NodeDownload;
use syncslate_shared::time::{Mono, micros};

/// The rate is that of the last so many seconds; after so long without a byte there is none.
const WINDOW: Duration = Duration::from_secs(5);
/// A figure over less time than this would leap about: the first files are small ones.
const SHORTEST: Duration = Duration::from_secs(2);
/// Readings closer together than this tell nothing new.
const APART: Duration = Duration::from_millis(100);

/// What has come, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meter(VecDeque<(Mono, u64)>);

impl Meter {
    /// Takes a reading: all bytes that are here by now.
    pub(crate) fn read(&mut self, now: Mono, bytes: u64) {
        if self.0.back().is_some_and(|(_, before)| bytes < *before) {
            // Begun anew: what came before tells nothing of this.
            self.0.clear();
        }
        // The first reading stays: the rate is measured from it.
        let first = self.0.len() <= 1;
        match self.0.back_mut().filter(|(at, _)| !first && now.since(*at) < APART) {
            Some((_, last)) => *last = bytes,
            None => self.0.push_back((now, bytes)),
        }
        // One older than the window stays, so that the window is full.
        while self.0.get(1).is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.0.pop_front();
        }
    }

    /// Bytes a second over the last [`WINDOW`]; `None` while there is no figure, or nothing comes.
    pub(crate) fn rate(&self, now: Mono) -> Option<u64> {
        let (_, last) = self.0.back()?;
        let (at, before) = self.0.iter().rev().find(|(at, _)| now.since(*at) >= WINDOW).or(self.0.front())?;
        let span = now.since(*at);
        let came = last.saturating_sub(*before);
        if span < SHORTEST || came == 0 {
            return None;
        }
        let us = u128::try_from(micros(span)).ok()?;
        u64::try_from(u128::from(came) * 1_000_000 / us.max(1)).ok().filter(|rate| *rate > 0)
    }
}

/// Seconds for so many bytes, rounded up: it is never said to be over before it is.
pub(crate) fn left_s(bytes: u64, rate: u64) -> u64 {
    bytes.div_ceil(rate.max(1))
}

/// The figures of a whole download from its parts: all rates together, and when the last byte of the last node comes.
pub(crate) fn together<'a>(parts: impl Iterator<Item = &'a NodeDownload>, open: u64) -> (Option<u64>, Option<u64>) {
    let (mut rate, mut longest) = (None, None);
    for part in parts {
        rate = rate.into_iter().chain(part.rate_bytes_s).reduce(|a: u64, b| a.saturating_add(b));
        longest = longest.max(part.left_s);
    }
    (rate, rate.map(|rate| left_s(open, rate)).max(longest).filter(|_| rate.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Mono {
        Mono::from_micros(ms * 1000)
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut meter = Meter::default();
        assert_eq!(meter.rate(at(0)), None);
        for step in 0..=97 {
            meter.read(at(step * 103), u64::try_from(step).unwrap() * 1_030_000);
            if step >= 20 {
                let rate = meter.rate(at(step * 103)).unwrap();
                assert!((9_600_000..=10_400_000).contains(&rate), "{rate} at {step}");
            }
        }
        let last = 97 * 103_i64;
        let rate = |ms: i64| meter.rate(at(last + ms));
        assert!(rate(2_500).unwrap() < 7_000_000, "nothing comes, it falls: {:?}", rate(2_500));
        assert_eq!(rate(6_000), None, "nothing came for the whole window");
        assert!(meter.0.len() < 60, "{} readings are kept", meter.0.len());
    }

    #[test]
    fn a_transfer_that_begins_anew_has_no_rate_of_before() {
        let mut meter = Meter::default();
        meter.read(at(0), 7_000_000);
        meter.read(at(1_000), 9_000_000);
        assert_eq!(meter.rate(at(1_000)), None, "too early to tell");
        meter.read(at(2_000), 11_000_000);
        assert_eq!(meter.rate(at(2_000)), Some(2_000_000));
        meter.read(at(2_100), 100);
        assert_eq!(meter.rate(at(4_700)), None);
    }

    #[test]
    fn a_whole_ends_with_its_last_part() {
        let part = |rate, left| NodeDownload {
            rate_bytes_s: rate,
            left_s: left,
            ..NodeDownload::new(syncslate_shared::protocol::DownloadState::Running, 1, 1)
        };
        let parts = [part(Some(7), Some(90)), part(None, None), part(Some(13), Some(11))];
        assert_eq!(together(parts.iter(), 773), (Some(20), Some(90)), "the slow node is the last one");
        assert_eq!(together(parts.iter(), 7_730), (Some(20), Some(387)), "others wait for their turn");
        assert_eq!(together(parts[1..2].iter(), 773), (None, None));
        assert_eq!(left_s(21, 20), 2);
    }
}
