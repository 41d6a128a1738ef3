//! The pre-roll: the last seconds of footage in memory, always beginning with an IDR picture. Pure.
//!
//! Age is counted by arrival on the monotonic clock, so that a step of the wall clock neither empties nor swells it.

use std::collections::VecDeque;
use std::time::Duration;

use syncslate_shared::time::{Mono, Wall};

use crate::camera::AccessUnit;

/// Above this many bytes the oldest pictures go early: a wrong bit rate must not eat the machine's memory.
const MAX_BYTES: usize = 96 * 1024 * 1024;

/// A step that no picture has shown after so long a time is not in the camera's stamps.
const STEP_SHOWS: Duration = Duration::from_secs(2);

/// Why the footage before a picture does not join on to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The cause in a word, as it stands in the manifest.
    pub cause: &'static str,
    /// The evidence.
    pub detail: String,
}

/// A picture in the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number since the program's start, without holes.
    pub seq: u64,
    /// When it arrived.
    pub arrived: Mono,
    /// Set when footage was lost before it: camera or encoder began anew. Such a picture is always an IDR.
    pub broken: Option<Break>,
    /// By how many microseconds the wall clock was set between the picture before and this one; mostly 0.
    pub stepped_us: i64,
    /// Pictures that the encoder took before this one and gave nothing for.
    pub swallowed: u64,
    /// Whether the encoder was behind the camera.
    pub behind: bool,
    /// The picture.
    pub unit: AccessUnit,
}

/// The ring.
#[derive(Debug)]
pub struct Ring {
    span: Duration,
    slots: VecDeque<Slot>,
    next_seq: u64,
    bytes: usize,
    broken: Option<Break>,
    awaiting_key: bool,
    step: Option<Step>,
    swallowed: u64,
    behind: bool,
}

/// The wall clock was set, and no picture has shown it yet.
#[derive(Clone, Copy, Debug)]
struct Step {
    us: i64,
    at: Mono,
}

impl Ring {
    /// An empty ring that reaches back at least `span` once it is full.
    pub fn new(span: Duration) -> Self {
        Self {
            span,
            slots: VecDeque::new(),
            next_seq: 0,
            bytes: 0,
            broken: None,
            awaiting_key: true,
            step: None,
            swallowed: 0,
            behind: false,
        }
    }

    /// Takes a picture in. Until the first IDR after a start nothing can be played, so nothing is held.
    pub fn push(&mut self, unit: AccessUnit, arrived: Mono) -> bool {
        if self.awaiting_key && !unit.key {
            return false;
        }
        self.awaiting_key = false;
        self.bytes += unit.data.len();
        let stepped_us = self.shows_step(&unit, arrived);
        self.slots.push_back(Slot {
            seq: self.next_seq,
            arrived,
            broken: self.broken.take(),
            stepped_us,
            swallowed: std::mem::take(&mut self.swallowed),
            behind: self.behind,
            unit,
        });
        self.next_seq += 1;
        self.evict(arrived);
        true
    }

    /// Says that what comes next does not join on to what was.
    pub fn break_off(&mut self, why: Break) {
        self.awaiting_key = true;
        if !self.slots.is_empty() {
            self.broken = Some(why);
        }
    }

    /// Lets go of everything, as if nothing had been.
    pub fn clear(&mut self) {
        *self = Self { next_seq: self.next_seq, ..Self::new(self.span) };
    }

    /// The wall clock was set by `us` microseconds: one of the next pictures' stamps will show it.
    pub fn stepped(&mut self, us: i64, at: Mono) {
        let before = self.step.map_or(0, |step| step.us);
        self.step = (!self.slots.is_empty()).then_some(Step { us: before + us, at });
    }

    /// The encoder took so many pictures and gave nothing for them.
    pub fn swallow(&mut self, pictures: u64) {
        self.swallowed += pictures;
    }

    /// The encoder is slower than the camera, or is not.
    pub fn set_behind(&mut self, behind: bool) {
        self.behind = behind;
    }

    /// By how much the clock was set before this picture was exposed and after the one before it was: its stamp is then
    /// further from that one's than its arrival is. Pictures that were under way when the clock was set do not show it.
    fn shows_step(&mut self, unit: &AccessUnit, arrived: Mono) -> i64 {
        let (Some(step), Some(last)) = (self.step, self.slots.back()) else { return 0 };
        let by_stamp = unit.time.since_us(last.unit.time);
        let by_arrival = arrived.micros() - last.arrived.micros();
        if (by_stamp - step.us - by_arrival).abs() < (by_stamp - by_arrival).abs() {
            self.step = None;
            return step.us;
        }
        self.step = self.step.filter(|step| last.arrived.since(step.at) < STEP_SHOWS);
        0
    }

    /// Drops whole groups of pictures from the old end while the rest still reaches back far enough.
    fn evict(&mut self, now: Mono) {
        while let Some(second) = self.slots.iter().skip(1).position(|s| s.unit.key) {
            let far_enough = now.since(self.slots[second + 1].arrived) >= self.span;
            if !far_enough && self.bytes <= MAX_BYTES {
                return;
            }
            for slot in self.slots.drain(..=second) {
                self.bytes -= slot.unit.data.len();
            }
        }
    }

    /// The pictures from number `seq` on, oldest first.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = &Slot> {
        let first = self.slots.front().map_or(self.next_seq, |s| s.seq);
        let skip = usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        self.slots.iter().skip(skip)
    }

    /// The number of the first picture exposed after `last`; the oldest one's when there is no such instant.
    pub fn after(&self, last: Option<Wall>) -> u64 {
        let first = self.slots.iter().find(|slot| last.is_none_or(|last| slot.unit.time > last));
        first.map_or(self.next_seq, |slot| slot.seq)
    }

    /// The last IDR picture before number `seq`.
    pub fn key_before(&self, seq: u64) -> Option<&Slot> {
        self.slots.iter().rev().find(|s| s.seq < seq && s.unit.key)
    }

    /// The number that the next picture will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The slots since camera or encoder began last; none while a new beginning is awaited.
    fn run(&self) -> impl Iterator<Item = &Slot> {
        let begin = self.slots.iter().rposition(|s| s.broken.is_some()).unwrap_or(0);
        self.slots.iter().skip(if self.awaiting_key { self.slots.len() } else { begin })
    }

    /// Seconds of unbroken footage that are held: by exposure and by arrival, whichever is less, so that a clock that
    /// was set does not make the ring reach back further than it does.
    pub fn held_s(&self) -> f64 {
        match (self.run().next(), self.slots.back()) {
            (Some(first), Some(last)) => {
                let exposed = last.unit.time.since_us(first.unit.time) as f64 / 1e6;
                exposed.min(last.arrived.since(first.arrived).as_secs_f64()).max(0.0)
            }
            _ => 0.0,
        }
    }

    /// Frames a second over the last two seconds or so, by the exposures; 0 with fewer than two pictures.
    pub fn fps(&self) -> f64 {
        let recent: Vec<_> =
            self.slots.iter().rev().take(60).take_while_inclusive_break().map(|s| s.unit.time).collect();
        match (recent.last(), recent.first()) {
            (Some(first), Some(last)) if last > first => (recent.len() - 1) as f64 * 1e6 / last.since_us(*first) as f64,
            _ => 0.0,
        }
    }

    /// Bytes a second over the unbroken footage that is held, by arrival; `None` before a second is held.
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = (self.run().next()?, self.slots.back()?);
        let held = last.arrived.since(first.arrived).as_secs_f64();
        let bytes: usize = self.run().map(|slot| slot.unit.data.len()).sum();
        // The last picture's own time has not passed yet.
        (held >= 1.0).then(|| (bytes - last.unit.data.len()) as f64 / held)
    }
}

/// Up to and including the first picture (from the new end) that begins a run.
trait TakeRun<'a>: Iterator<Item = &'a Slot> + Sized {
    fn take_while_inclusive_break(self) -> impl Iterator<Item = &'a Slot> {
        let mut over = false;
        self.take_while(move |slot| {
            let within = !over;
            over = slot.broken.is_some();
            within
        })
    }
}

impl<'a, I: Iterator<Item = &'a Slot>> TakeRun<'a> for I {}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn unit(i: u64, key: bool) -> AccessUnit {
        AccessUnit {
            time: Wall::from_micros(1_700_000_000_000_000 + i as i64 * 33_333),
            key,
            data: Bytes::from(vec![7; 1000]),
        }
    }

    fn at(i: u64) -> Mono {
        Mono::from_micros(i as i64 * 33_333 + 21_000)
    }

    #[test]
    fn it_begins_with_an_idr_and_reaches_back_far_enough() {
        let mut ring = Ring::new(Duration::from_secs(4));
        assert!(!ring.push(unit(0, false), at(0)));
        for i in 1..1000 {
            assert!(ring.push(unit(i, i % 15 == 1), at(i)));
            let first = ring.from(0).next().unwrap();
            assert!(first.unit.key);
            assert!(i < 130 || ring.held_s() >= 4.0, "{} s at {i}", ring.held_s());
            assert!(ring.held_s() < 4.6, "{} s at {i}", ring.held_s());
        }
        assert!((ring.fps() - 30.0).abs() < 0.01);
        assert!((ring.rate().unwrap() - 30_000.0).abs() < 1.0, "{:?}", ring.rate());
    }

    #[test]
    fn the_rate_is_that_of_the_new_run_alone() {
        let mut ring = Ring::new(Duration::from_secs(4));
        for i in 0..120 {
            ring.push(unit(i, i % 15 == 0), at(i));
        }
        ring.break_off(Break { cause: "camera_lost", detail: "gone".into() });
        assert_eq!(ring.rate(), None);
        for i in 150..187 {
            let slim = AccessUnit { data: Bytes::from(vec![7; 100]), ..unit(i, i % 15 == 0) };
            ring.push(slim, at(i));
        }
        assert!((ring.rate().unwrap() - 3_000.0).abs() < 1.0, "{:?}", ring.rate());
    }

    #[test]
    fn a_clock_that_is_set_does_not_make_it_reach_back_further() {
        let mut ring = Ring::new(Duration::from_secs(4));
        for i in 0..90 {
            let late = if i < 60 { 0 } else { 2_000_000 };
            let unit = unit(i, i % 15 == 0);
            ring.push(AccessUnit { time: unit.time.offset_us(late), ..unit }, at(i));
        }
        assert!((ring.held_s() - 89.0 / 30.0).abs() < 0.01, "{}", ring.held_s());
    }

    #[test]
    fn after_a_break_only_the_new_run_counts() {
        let mut ring = Ring::new(Duration::from_secs(4));
        for i in 0..60 {
            ring.push(unit(i, i % 15 == 0), at(i));
        }
        ring.break_off(Break { cause: "camera_lost", detail: "gone".into() });
        assert_eq!(ring.held_s(), 0.0);
        assert!(!ring.push(unit(90, false), at(90)));
        assert!(ring.push(unit(91, true), at(91)));
        assert!(ring.push(unit(92, false), at(92)));
        assert!(ring.held_s() < 0.05);
        assert_eq!(ring.from(60).next().unwrap().broken.as_ref().unwrap().cause, "camera_lost");
        assert!((ring.fps() - 30.0).abs() < 0.1, "{}", ring.fps());
    }

    #[test]
    fn a_step_of_the_clock_is_found_at_the_picture_that_shows_it() {
        for step in [2_000_000, -2_000_000, 75_000] {
            let mut ring = Ring::new(Duration::from_secs(4));
            for i in 0..90 {
                // Picture 40 was exposed before the clock was set, and arrived after.
                if i == 40 {
                    ring.stepped(step, at(40));
                }
                let unit = unit(i, i % 15 == 0);
                let time = unit.time.offset_us(if i > 40 { step } else { 0 });
                ring.push(AccessUnit { time, ..unit }, at(i));
            }
            let shown: Vec<_> = ring.from(0).filter(|s| s.stepped_us != 0).map(|s| (s.seq, s.stepped_us)).collect();
            assert_eq!(shown, [(41, step)]);
        }
    }

    #[test]
    fn missing_pictures_are_no_step_of_the_clock() {
        let mut ring = Ring::new(Duration::from_secs(4));
        for i in (0..90).filter(|i| !(40..75).contains(i)) {
            ring.push(unit(i, i % 15 == 0), at(i));
            if i == 20 {
                // A camera whose stamps do not follow the wall clock.
                ring.stepped(-400_000, at(20));
            }
        }
        assert!(ring.from(0).all(|slot| slot.stepped_us == 0));
    }

    proptest! {
        #[test]
        fn numbers_have_no_holes_and_bytes_add_up(keys in prop::collection::vec(any::<bool>(), 1..400), breaks in prop::collection::vec(0usize..400, 0..4)) {
            let mut ring = Ring::new(Duration::from_secs(2));
            for (i, key) in keys.iter().enumerate() {
                if breaks.contains(&i) {
                    ring.break_off(Break { cause: "camera_lost", detail: String::new() });
                }
                ring.push(unit(i as u64, *key), at(i as u64));
                let held: Vec<_> = ring.from(0).collect();
                prop_assert!(held.windows(2).all(|w| w[1].seq == w[0].seq + 1));
                prop_assert!(held.iter().all(|s| s.broken.is_none() || s.unit.key));
                prop_assert!(held.first().is_none_or(|s| s.unit.key));
                prop_assert_eq!(held.iter().map(|s| s.unit.data.len()).sum::<usize>(), ring.bytes);
            }
        }
    }
}
