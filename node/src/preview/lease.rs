//! What was promised to those who look: for how long, how often, how wide. Pure.
//!
//! A lease that comes never takes away what another one was promised: each lasts until its own end, and what is made
//! is the most that any of them asks for.

use std::time::Duration;

use syncslate_shared::preview::{Lease, Width};
use syncslate_shared::time::Mono;

/// A key frame that comes so much early is on time: they come every half second, give or take the encoder's haste.
const SLACK: Duration = Duration::from_millis(100);
/// More different promises at once than this are put together.
const MOST: usize = 8;

/// All leases that have not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leases {
    promises: Vec<Promise>,
    /// When a key frame was taken last.
    taken: Option<Mono>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Promise {
    until: Mono,
    period: Duration,
    width: Width,
}

impl Promise {
    /// Whether whoever has this lacks nothing of the other.
    fn covers(&self, other: &Self) -> bool {
        self.until >= other.until && self.period <= other.period && self.width >= other.width
    }

    fn with(self, other: Self) -> Self {
        Self {
            until: self.until.max(other.until),
            period: self.period.min(other.period),
            width: self.width.max(other.width),
        }
    }
}

impl Leases {
    /// Promises it from `now` on.
    pub(super) fn add(&mut self, lease: &Lease, now: Mono) {
        self.forget(now);
        let new = Promise { until: now + lease.lasts, period: lease.period, width: lease.width };
        if self.promises.iter().any(|old| old.covers(&new)) {
            return;
        }
        self.promises.retain(|old| !new.covers(old));
        let crowded = if self.promises.len() < MOST { None } else { self.promises.pop() };
        self.promises.push(crowded.map_or(new, |last| last.with(new)));
    }

    /// How wide pictures are to be; `None` when nobody looks.
    pub(super) fn width(&mut self, now: Mono) -> Option<Width> {
        self.forget(now);
        self.promises.iter().map(|promise| promise.width).max()
    }

    /// The same for a key frame that is there now, if one is due; it counts as taken.
    pub(super) fn due(&mut self, now: Mono) -> Option<Width> {
        let width = self.width(now)?;
        let period = self.promises.iter().map(|promise| promise.period).min()?;
        let due = self.taken.is_none_or(|taken| now.since(taken) + SLACK >= period);
        due.then(|| {
            self.taken = Some(now);
            width
        })
    }

    fn forget(&mut self, now: Mono) {
        self.promises.retain(|promise| promise.until > now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::from_micros(11_000_003) + Duration::from_millis(ms)
    }

    fn lease(fps: f64, for_s: u64, width: Width) -> Lease {
        Lease { nodes: None, period: Duration::from_secs_f64(1.0 / fps), lasts: Duration::from_secs(for_s), width }
    }

    const SMALL: Width = Width::AtMost(480);

    #[test]
    fn a_lease_ends_by_itself_and_is_extended_but_never_shortened() {
        let mut leases = Leases::default();
        assert_eq!(leases.width(at(0)), None);
        leases.add(&lease(2.0, 10, SMALL), at(0));
        leases.add(&lease(2.0, 1, SMALL), at(700));
        assert_eq!((leases.width(at(9_999)), leases.width(at(10_000))), (Some(SMALL), None));
        leases.add(&lease(2.0, 10, SMALL), at(20_000));
        leases.add(&lease(2.0, 10, SMALL), at(25_003));
        assert_eq!((leases.width(at(35_002)), leases.width(at(35_003))), (Some(SMALL), None));
    }

    #[test]
    fn each_gets_what_it_was_promised_until_its_own_end() {
        let mut leases = Leases::default();
        leases.add(&lease(0.5, 20, SMALL), at(0));
        leases.add(&lease(2.0, 5, Width::Native), at(1_000));
        leases.add(&lease(1.0, 3, Width::AtMost(100)), at(1_100));
        assert_eq!(leases.due(at(1_200)), Some(Width::Native));
        assert_eq!(leases.due(at(1_450)), None);
        assert_eq!(leases.due(at(1_610)), Some(Width::Native));
        // The large one has ended; the small one goes on at its own pace.
        assert_eq!(leases.due(at(6_100)), Some(SMALL));
        assert_eq!((leases.due(at(7_900)), leases.due(at(8_050))), (None, Some(SMALL)));
        assert_eq!(leases.due(at(20_000)), None);
    }

    #[test]
    fn key_frames_that_come_a_little_early_are_on_time() {
        let mut leases = Leases::default();
        leases.add(&lease(2.0, 60, SMALL), at(0));
        let taken = (0..40).filter(|n| leases.due(at(n * 500 + [0, 41, 7][*n as usize % 3])).is_some());
        assert_eq!(taken.count(), 40);
        leases.add(&lease(0.1, 60, SMALL), at(20_000));
        assert_eq!(leases.promises.len(), 2);
    }

    proptest! {
        #[test]
        fn nobody_gets_less_than_was_promised(
            asked in prop::collection::vec((0u64..30_000, 1u64..60, 1u32..50, 0u32..4), 1..40),
        ) {
            let mut asked = asked;
            asked.sort_unstable();
            let mut leases = Leases::default();
            let mut open: Vec<(Mono, Duration, Width)> = Vec::new();
            for (ms, for_s, tenths, width) in asked {
                let width = if width == 3 { Width::Native } else { Width::AtMost(100 + width) };
                let new = lease(f64::from(tenths) / 10.0, for_s, width);
                leases.add(&new, at(ms));
                open.push((at(ms) + new.lasts, new.period, width));
                prop_assert!(leases.promises.len() <= MOST);
                for (until, period, width) in open.iter().filter(|(until, ..)| *until > at(ms)) {
                    let kept = leases.promises.iter().any(|p| p.until >= *until && p.period <= *period && p.width >= *width);
                    prop_assert!(kept, "{until:?} {period:?} {width:?} of {leases:?}");
                }
            }
            let last = open.iter().map(|(until, ..)| *until).max().unwrap();
            prop_assert_eq!(leases.width(last), None);
        }
    }
}
