//! How long the disk lasts, and when recording has to pause so that its files stay whole. Pure.
//!
//! What lies below the reserve is not for footage: segments are closed, digests and manifests written there, and what
//! waits in memory for a slow disk still finds room.

use syncslate_shared::protocol::Fault;
use syncslate_shared::size::Size;

/// A line of the frame table and its part of everything else that is written beside a picture, in bytes.
const BESIDE_FRAME: f64 = 64.0;
/// So many seconds of footage must fit again before a pause ends, or each deleted file would make a segment of a second.
const WORTH_RESUMING_S: f64 = 20.0;

/// What is known of the disk's room.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    reserve: u64,
    free: Option<u64>,
    /// Bytes a second, the last that was measured.
    rate: Option<f64>,
    full: bool,
}

impl Space {
    /// Nothing is known yet; recording pauses with less than `reserve` bytes free.
    pub fn new(reserve: u64) -> Self {
        Self { reserve, free: None, rate: None, full: false }
    }

    /// The disk was read: `free` bytes are there for us. `rate` is the footage's, in bytes a second, `fps` its frames a
    /// second. What cannot be read now leaves what was known.
    pub fn read(&mut self, free: Option<u64>, rate: Option<f64>, fps: f64) {
        if let Some(rate) = rate.filter(|rate| *rate > 0.0) {
            self.rate = Some(rate + fps.max(0.0) * BESIDE_FRAME);
        }
        let Some(free) = free else { return };
        self.free = Some(free);
        let worth = self.rate.map_or(0, |rate| (rate * WORTH_RESUMING_S) as u64);
        self.full = free < self.reserve.saturating_add(if self.full { worth } else { 0 });
    }

    /// Seconds that can be recorded until the reserve is reached; `None` before room and rate are known.
    pub fn seconds_left(&self) -> Option<u64> {
        let (free, rate) = (self.free?, self.rate?);
        Some(if self.full { 0 } else { (free.saturating_sub(self.reserve) as f64 / rate) as u64 })
    }

    /// Set while recording has to pause.
    pub fn fault(&self) -> Option<Fault> {
        let free = self.free.filter(|_| self.full)?;
        let message = format!(
            "the disk is full: {} are free, and {} stay free so that the files stay whole\n\nhint: make room on the \
             node, such as by `syncslate-controller cleanup`; recording goes on by itself",
            Size(free),
            Size(self.reserve)
        );
        Some(Fault { code: "disk_full".into(), message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    #[test]
    fn the_disk_lasts_until_the_reserve() {
        let mut space = Space::new(100 * MB);
        assert_eq!(space.seconds_left(), None);
        space.read(Some(3_700 * MB), None, 0.0);
        assert_eq!(space.seconds_left(), None, "no rate yet");
        space.read(Some(3_700 * MB), Some(998_080.0), 30.0);
        assert_eq!(space.seconds_left(), Some(3_600));
        // Without a camera the last rate still tells how long it would last.
        space.read(Some(1_900 * MB), None, 0.0);
        assert_eq!((space.seconds_left(), space.fault()), (Some(1_800), None));
    }

    #[test]
    fn it_pauses_before_the_end_and_goes_on_when_it_is_worth_it() {
        let mut space = Space::new(100 * MB);
        let mut free = 103 * MB;
        space.read(Some(free), Some(1e6), 0.0);
        while space.fault().is_none() {
            free -= MB;
            space.read(Some(free), Some(1e6), 0.0);
        }
        assert_eq!((free, space.seconds_left()), (99 * MB, Some(0)));
        let fault = space.fault().unwrap();
        assert_eq!(fault.code, "disk_full");
        assert!(fault.message.starts_with("the disk is full: 99.0 MB are free, and 100.0 MB stay free"), "{fault:?}");
        for (free, full) in [(101 * MB, true), (119 * MB, true), (120 * MB, false), (101 * MB, false)] {
            space.read(Some(free), None, 0.0);
            assert_eq!(space.fault().is_some(), full, "{free}");
        }
        space.read(None, None, 0.0);
        assert_eq!(space.seconds_left(), Some(1));
    }
}
