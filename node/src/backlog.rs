//! Whether the encoder keeps up with the camera, told by how the camera's pictures are met. Pure.
//!
//! An encoder that keeps up waits for each picture. One that does not finds the next picture there already, and older
//! each time, until the camera has no room left and leaves pictures out.

use std::time::Duration;

/// Pictures that are older than so many periods when they are taken up are late.
const LATE_PERIODS: u32 = 5;
/// A camera that was waited for this part of a period is not being held up.
const WAITED_PART: u32 = 10;

/// The watch over one encoder.
#[derive(Debug)]
pub struct Backlog {
    period: Duration,
    /// So many late pictures in a row are no hiccup: a second of them.
    limit: u32,
    late: u32,
    behind: bool,
}

impl Backlog {
    /// An encoder that is fed a picture each `period`.
    pub fn new(period: Duration) -> Self {
        let limit = (1.0 / period.as_secs_f64().max(1e-3)).ceil() as u32;
        Self { period, limit, late: 0, behind: false }
    }

    /// A picture was taken from the camera, after having `waited` for it; it was exposed `age` ago. Gives whether the
    /// encoder is behind, when that has changed.
    pub fn on_picture(&mut self, waited: Duration, age: Duration) -> Option<bool> {
        let held_up = waited < self.period / WAITED_PART && age > self.period * LATE_PERIODS;
        self.late = if held_up { self.late.saturating_add(1) } else { 0 };
        let behind = self.late >= self.limit;
        (std::mem::replace(&mut self.behind, behind) != behind).then_some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_micros(33_333);

    /// Feeds `count` pictures to an encoder that takes `each` for one; gives what was told, with the picture's number.
    /// The camera leaves pictures out that are a second old.
    fn feed(backlog: &mut Backlog, from: u32, count: u32, each: Duration, latency: Duration) -> Vec<(u32, bool)> {
        let mut free = Duration::ZERO;
        let mut told = Vec::new();
        for i in 0..count {
            let exposed = PERIOD * i;
            let there = exposed + latency;
            if free.saturating_sub(there) > Duration::from_secs(1) {
                continue;
            }
            let taken = there.max(free);
            told.extend(backlog.on_picture(taken - free, taken - exposed).map(|behind| (from + i, behind)));
            free = taken + each;
        }
        told
    }

    #[test]
    fn one_that_keeps_up_is_never_behind() {
        let mut backlog = Backlog::new(PERIOD);
        assert_eq!(feed(&mut backlog, 0, 3000, Duration::from_millis(29), Duration::from_millis(17)), []);
        // A camera that is slow to deliver does not make it behind.
        assert_eq!(feed(&mut backlog, 0, 3000, Duration::from_millis(29), Duration::from_millis(1700)), []);
    }

    #[test]
    fn one_that_is_too_slow_is_behind_until_it_has_caught_up() {
        let mut backlog = Backlog::new(PERIOD);
        let told = feed(&mut backlog, 0, 900, Duration::from_millis(41), Duration::from_millis(17));
        let [(when, true)] = told[..] else { panic!("{told:?}") };
        assert!((30..120).contains(&when), "told at picture {when}");
        assert_eq!(feed(&mut backlog, 900, 30, Duration::from_millis(7), Duration::from_millis(17)), [(900, false)]);
    }

    #[test]
    fn a_hiccup_is_not_told() {
        let mut backlog = Backlog::new(PERIOD);
        feed(&mut backlog, 0, 60, Duration::from_millis(5), Duration::ZERO);
        for age_ms in [700, 690, 650, 400, 200] {
            assert_eq!(backlog.on_picture(Duration::ZERO, Duration::from_millis(age_ms)), None);
        }
        assert_eq!(feed(&mut backlog, 60, 60, Duration::from_millis(5), Duration::ZERO), []);
    }
}
