//! How slow the disk was in the last seconds: a card that takes seconds for a write is often about to die. Pure.

use std::time::Duration;

use syncslate_shared::time::Mono;

/// A slow write is told for one to two of these.
const SPAN: Duration = Duration::from_secs(10);

/// The slowest of the last operations, the one that still runs counted in.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge {
    began: Option<Mono>,
    span: Option<Mono>,
    now: Duration,
    before: Duration,
}

impl Gauge {
    /// An operation begins.
    pub(super) fn begin(&mut self, now: Mono) {
        self.began = Some(now);
    }

    /// It has ended.
    pub(super) fn end(&mut self, now: Mono) {
        self.turn(now);
        if let Some(began) = self.began.take() {
            self.now = self.now.max(now.since(began));
        }
    }

    /// The slowest one of late.
    pub(super) fn slowest(&mut self, now: Mono) -> Duration {
        self.turn(now);
        let running = self.began.map_or(Duration::ZERO, |began| now.since(began));
        self.now.max(self.before).max(running)
    }

    fn turn(&mut self, now: Mono) {
        let passed = now.since(*self.span.get_or_insert(now));
        if passed >= SPAN {
            self.before = if passed < SPAN * 2 { self.now } else { Duration::ZERO };
            self.now = Duration::ZERO;
            self.span = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_write_is_told_while_it_runs_and_for_some_time() {
        let at = |ms: i64| Mono::from_micros(7_000_003 + ms * 1000);
        let mut gauge = Gauge::default();
        for ms in (0..5_000).step_by(33) {
            gauge.begin(at(ms));
            gauge.end(at(ms + 2));
        }
        assert_eq!(gauge.slowest(at(5_000)), Duration::from_millis(2));
        gauge.begin(at(5_000));
        assert_eq!(gauge.slowest(at(7_300)), Duration::from_millis(2_300));
        gauge.end(at(8_000));
        assert_eq!(gauge.slowest(at(17_000)), Duration::from_millis(3_000));
        assert_eq!(gauge.slowest(at(28_000)), Duration::ZERO);
    }
}
