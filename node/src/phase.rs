//! Where a camera's frames lie against the frame grid, and whether one that is held there is there. Pure.
//!
//! Stamps are looked at half a second at a time, by arrival on the monotonic clock: a clock that is set makes phases jump,
//! but no half second longer.

use std::time::Duration;

use syncslate_shared::grid::Grid;
use syncslate_shared::protocol::{Phase, PhaseState};
use syncslate_shared::time::{Mono, Wall, micros};

/// How long stamps are collected before they are judged.
const BLOCK: Duration = Duration::from_millis(500);
/// A camera that is held lies within this, in microseconds: libcamera mends what is above 50, and up to 65 of drift come
/// between two of its looks.
const WITHIN_US: i64 = 250;
/// A camera that is away for so long has left the grid: it would have been brought back six times.
const LOST_AFTER: Duration = Duration::from_secs(3);
/// One that never came there is called lost after so long.
const NEVER_CAME: Duration = Duration::from_secs(10);
/// What libcamera's smoothed clock takes to follow one that was set.
const SETTLE: Duration = Duration::from_secs(1);
/// A camera that reckons wrongly for longer is to be started again.
const TOO_LONG: Duration = Duration::from_secs(10);

/// For how long a camera that is held reckons wrongly once the wall clock was set by `step_us`; `None` if it does not.
///
/// libcamera takes every frame to begin at least half a period after the one before. Behind a clock that was set back it
/// counts on in half periods until the clock has caught up, twice the step later, and what it hears meanwhile would send
/// it anywhere.
pub fn astray(grid: Grid, step_us: i64) -> Option<Duration> {
    let back = u64::try_from(step_us.checked_neg()?).ok()?;
    (Duration::from_micros(back) > grid.period() / 2).then(|| Duration::from_micros(back.saturating_mul(2)) + SETTLE)
}

/// The watch.
#[derive(Debug)]
pub struct PhaseWatch {
    grid: Grid,
    held: bool,
    state: PhaseState,
    /// Since when it is not where it should be.
    away: Option<Mono>,
    /// Whether the clock was set so far back that it must be started again.
    astray: bool,
    begun: Option<Mono>,
    /// Distances from the grid, each in the half period next to the first.
    block: Vec<i64>,
    told: Option<Phase>,
}

impl PhaseWatch {
    /// The watch of a camera that sends nothing yet.
    pub fn new(grid: Grid) -> Self {
        let state = PhaseState::Free;
        Self { grid, held: false, state, away: None, astray: false, begun: None, block: Vec::new(), told: None }
    }

    /// The grid that it watches.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// A camera begins, or begins anew; `held` says whether it is to follow the grid.
    pub fn begin(&mut self, held: bool, now: Mono) {
        let state = if held { PhaseState::Seeking } else { PhaseState::Free };
        *self = Self { held, state, away: held.then_some(now), ..Self::new(self.grid) };
    }

    /// No camera runs.
    pub fn end(&mut self) {
        *self = Self::new(self.grid);
    }

    /// The wall clock was set by so many microseconds.
    pub fn stepped(&mut self, us: i64) {
        self.astray |= self.held && astray(self.grid, us).is_some_and(|long| long > TOO_LONG);
    }

    /// Whether it follows the grid again only when it is started again.
    pub fn astray(&self) -> bool {
        self.astray
    }

    /// A frame of this stamp came.
    pub fn note(&mut self, stamp: Wall, now: Mono) {
        let begun = *self.begun.get_or_insert(now);
        if now.since(begun) >= BLOCK && !self.block.is_empty() {
            self.judge(now);
            self.begun = Some(now);
        }
        let period = micros(self.grid.period());
        let off = self.grid.off_us(stamp);
        // A free camera may lie half a period off, where the sign flips from frame to frame.
        let first = self.block.first().copied().unwrap_or(off);
        let turns = (2 * (off - first) + period).div_euclid((2 * period).max(1));
        self.block.push(off - turns * period);
    }

    fn judge(&mut self, now: Mono) {
        let mut block = std::mem::take(&mut self.block);
        block.sort_unstable();
        let median = block.get(block.len() / 2).copied().unwrap_or(0);
        let worst = block.iter().map(|off| off.abs()).max().unwrap_or(0);
        if self.held {
            self.settle(median.abs() <= WITHIN_US, now);
        }
        let half = micros(self.grid.period()) / 2;
        let error_us = (median + half).rem_euclid((2 * half).max(1)) - half;
        self.told = Some(Phase { state: self.state, error_us, worst_us: worst });
    }

    fn settle(&mut self, there: bool, now: Mono) {
        if there {
            (self.state, self.away) = (PhaseState::Locked, None);
            return;
        }
        let away = now.since(*self.away.get_or_insert(now));
        let patience = if self.state == PhaseState::Seeking { NEVER_CAME } else { LOST_AFTER };
        if away >= patience {
            self.state = PhaseState::Lost;
        }
    }

    /// What the status says; `None` before half a second of pictures.
    pub fn told(&self) -> Option<Phase> {
        self.told
    }

    /// Whether frames lie on the grid now, so that the nearest one to an instant is the same on all such cameras.
    pub fn locked(&self) -> bool {
        self.state == PhaseState::Locked && self.away.is_none()
    }

    /// Whether a frame is that of the nearest instant of the grid: of a camera that is held, every one while it is there,
    /// and those that lie there while that is still being judged.
    pub fn on_grid(&self, stamp: Wall) -> bool {
        self.held && (self.locked() || self.grid.off_us(stamp).abs() <= WITHIN_US)
    }
}

/// A distance from the grid for people: `-57 µs`, `+3.2 ms`.
pub fn told(us: i64) -> String {
    if us.abs() < 1000 { format!("{us:+} µs") } else { format!("{:+.1} ms", us as f64 / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_US: f64 = 1e6 / 30.0;

    struct Sim {
        watch: PhaseWatch,
        n: u64,
    }

    impl Sim {
        fn new(held: bool) -> Self {
            let mut watch = PhaseWatch::new(Grid::of(30.0));
            watch.begin(held, at(0));
            Self { watch, n: 0 }
        }

        /// Frames that lie `off_us` from the grid.
        fn film(&mut self, frames: u64, off_us: impl Fn(u64) -> i64) -> Option<Phase> {
            for _ in 0..frames {
                let ideal = 1_761_220_930_000_000 + (self.n as f64 * PERIOD_US).round() as i64;
                self.watch.note(Wall::from_micros(ideal + off_us(self.n)), at(self.n));
                self.n += 1;
            }
            self.watch.told()
        }
    }

    fn at(n: u64) -> Mono {
        Mono::from_micros(5_000_003 + (n as f64 * PERIOD_US) as i64)
    }

    #[test]
    fn a_camera_is_locked_once_it_lies_there_and_lost_when_it_has_left() {
        let mut sim = Sim::new(true);
        assert_eq!(sim.film(10, |_| -9_000), None);
        assert_eq!(sim.film(40, |_| -9_000).map(|p| (p.state, p.error_us)), Some((PhaseState::Seeking, -9_000)));
        assert!(!sim.watch.locked());
        let there = sim.film(60, |n| if n % 2 == 0 { -80 } else { 40 }).unwrap();
        assert_eq!((there.state, there.worst_us), (PhaseState::Locked, 80));
        assert!(sim.watch.locked());
        let step = sim.film(45, |_| 9_000).unwrap();
        assert_eq!(step.state, PhaseState::Locked, "a clock that was set is followed within a second");
        assert!(!sim.watch.locked(), "but none is told to be there meanwhile");
        assert_eq!(sim.film(90, |_| 9_000).map(|p| p.state), Some(PhaseState::Lost));
        assert_eq!(sim.film(60, |_| 12).map(|p| (p.state, p.error_us)), Some((PhaseState::Locked, 12)));
    }

    #[test]
    fn frames_of_a_held_camera_belong_to_the_grid_before_half_a_second_is_judged() {
        let stamp = |off: i64| Wall::from_micros(1_761_220_930_000_000 + off);
        let (mut held, mut free) = (Sim::new(true), Sim::new(false));
        assert!(
            held.watch.on_grid(stamp(-60)) && !held.watch.on_grid(stamp(-9_000)) && !free.watch.on_grid(stamp(-60))
        );
        held.film(60, |_| -60);
        free.film(60, |_| -60);
        assert!(held.watch.on_grid(stamp(-60)) && held.watch.on_grid(stamp(-400)) && !free.watch.on_grid(stamp(-60)));
    }

    #[test]
    fn a_clock_that_is_set_back_leads_a_held_camera_astray_for_twice_as_long() {
        let grid = Grid::of(30.0);
        assert_eq!((astray(grid, 7_200_000_000), astray(grid, -16_000), astray(grid, i64::MIN)), (None, None, None));
        assert_eq!(astray(grid, -2_000_000), Some(Duration::from_secs(5)));
        let after = |held: bool, us: i64| {
            let mut sim = Sim::new(held);
            sim.watch.stepped(us);
            sim.watch.astray()
        };
        assert!(after(true, -7_200_000_000));
        assert!(!after(true, -2_000_000) && !after(true, 7_200_000_000) && !after(false, -7_200_000_000));
    }

    #[test]
    fn distances_are_told_in_fitting_units() {
        assert_eq!((told(-57), told(3_240)), ("-57 µs".into(), "+3.2 ms".into()));
    }

    #[test]
    fn one_that_never_comes_is_lost_after_a_while() {
        let mut sim = Sim::new(true);
        assert_eq!(sim.film(270, |_| 1_000).map(|p| p.state), Some(PhaseState::Seeking));
        assert_eq!(sim.film(60, |_| 1_000).map(|p| p.state), Some(PhaseState::Lost));
        sim.watch.end();
        assert_eq!(sim.watch.told(), None);
    }

    #[test]
    fn a_free_camera_knows_its_phase_also_half_a_period_off() {
        let mut sim = Sim::new(false);
        assert_eq!(
            sim.film(60, |_| 11_000),
            Some(Phase { state: PhaseState::Free, error_us: 11_000, worst_us: 11_000 })
        );
        let told = sim.film(60, |n| 16_667 + if n % 2 == 0 { 30 } else { -30 }).unwrap();
        assert!((16_600..16_700).contains(&told.error_us.abs()), "{told:?}");
        assert!((16_600..16_750).contains(&told.worst_us), "{told:?}");
    }
}
