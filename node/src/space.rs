//! How long the disk lasts, and when recording has to pause so that its files stay whole. Pure.
//!
//! What lies below the reserve is not for footage: segments are closed, digests and manifests written there, and what
//! waits in memory for a slow disk still finds room.

use syncslate_shared::protocol::Fault;
use syncslate_shared::size::Size;

use crate::ring::Break;

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
    read_only: bool,
}

impl Space {
    /// Nothing is known yet; recording pauses with less than `reserve` bytes free.
    pub fn new(reserve: u64) -> Self {
        Self { reserve, free: None, rate: None, full: false, read_only: false }
    }

    /// The disk was read. `rate` is the footage's, in bytes a second, `fps` its frames a
    /// second. What cannot be read now leaves what was known.
    pub fn read(&mut self, disk: Option<Room>, rate: Option<f64>, fps: f64) {
        if let Some(rate) = rate.filter(|rate| *rate > 0.0) {
            self.rate = Some(rate + fps.max(0.0) * BESIDE_FRAME);
        }
        let Some(Room { free, read_only }) = disk else { return };
        (self.free, self.read_only) = (Some(free), read_only);
        let worth = self.rate.map_or(0, |rate| (rate * WORTH_RESUMING_S) as u64);
        self.full = free < self.reserve.saturating_add(if self.full { worth } else { 0 });
    }

    /// Seconds that can be recorded until the reserve is reached; `None` before room and rate are known.
    pub fn seconds_left(&self) -> Option<u64> {
        let (free, rate) = (self.free?, self.rate?);
        Some(if self.full || self.read_only { 0 } else { (free.saturating_sub(self.reserve) as f64 / rate) as u64 })
    }

    /// Why recording has to pause, if it has to.
    pub fn halt(&self) -> Option<Break> {
        if self.read_only {
            let detail = "the disk of the videos is read-only\n\nhint: a card that turned read-only is dying: copy what is \
                          on it and replace it";
            return Some(Break { cause: "disk_read_only", detail: detail.into() });
        }
        let free = self.free.filter(|_| self.full)?;
        let detail = format!(
            "the disk is full: {} are free, and {} stay free so that the files stay whole\n\nhint: make room on the \
             node, such as by `syncslate-controller cleanup`; recording goes on by itself",
            Size(free),
            Size(self.reserve)
        );
        Some(Break { cause: "disk_full", detail })
    }

    /// The same for the status.
    pub fn fault(&self) -> Option<Fault> {
        self.halt().map(|why| Fault { code: why.cause.into(), message: why.detail })
    }
}

/// What a look at the disk tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes free for this program.
    pub free: u64,
    /// Whether it takes nothing at all.
    pub read_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn room(free: u64) -> Option<Room> {
        Some(Room { free, read_only: false })
    }

    #[test]
    fn the_disk_lasts_until_the_reserve() {
        let mut space = Space::new(100 * MB);
        assert_eq!(space.seconds_left(), None);
        space.read(room(3_700 * MB), None, 0.0);
        assert_eq!(space.seconds_left(), None, "no rate yet");
        space.read(room(3_700 * MB), Some(998_080.0), 30.0);
        assert_eq!(space.seconds_left(), Some(3_600));
        // Without a camera the last rate still tells how long it would last.
        space.read(room(1_900 * MB), None, 0.0);
        assert_eq!((space.seconds_left(), space.fault()), (Some(1_800), None));
    }

    #[test]
    fn it_pauses_before_the_end_and_goes_on_when_it_is_worth_it() {
        let mut space = Space::new(100 * MB);
        let mut free = 103 * MB;
        space.read(room(free), Some(1e6), 0.0);
        while space.fault().is_none() {
            free -= MB;
            space.read(room(free), Some(1e6), 0.0);
        }
        assert_eq!((free, space.seconds_left()), (99 * MB, Some(0)));
        let fault = space.fault().unwrap();
        assert_eq!(fault.code, "disk_full");
        assert!(fault.message.starts_with("the disk is full: 99.0 MB are free, and 100.0 MB stay free"), "{fault:?}");
        for (free, full) in [(101 * MB, true), (119 * MB, true), (120 * MB, false), (101 * MB, false)] {
            space.read(room(free), None, 0.0);
            assert_eq!(space.fault().is_some(), full, "{free}");
        }
        space.read(None, None, 0.0);
        assert_eq!(space.seconds_left(), Some(1));
    }

    #[test]
    fn a_read_only_disk_takes_nothing_however_much_is_free() {
        let mut space = Space::new(100 * MB);
        space.read(Some(Room { free: 9_000 * MB, read_only: true }), Some(1e6), 0.0);
        assert_eq!((space.seconds_left(), space.halt().map(|why| why.cause)), (Some(0), Some("disk_read_only")));
        space.read(room(9_000 * MB), None, 0.0);
        assert_eq!((space.seconds_left(), space.halt()), (Some(8_900), None));
    }
}
