//! Wall and monotonic time as types that never mix, and the one place that reads the system's clocks.
//!
//! [`Wall`] is what cameras, files and messages agree on; it can step. [`Mono`] only ever goes forward and is
//! what intervals and deadlines are measured with. State machines take both as arguments, from a [`Clocks`].

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant of the wall clock (`CLOCK_REALTIME`), in microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

/// The latest instant that RFC 3339 can write: the end of the year 9999.
const MAX_WALL_US: i64 = 253_402_300_799_999_999;

impl Wall {
    /// The instant `us` microseconds after 1970, held within what RFC 3339 can write (years 1970 to 9999).
    pub const fn from_micros(us: i64) -> Self {
        Self(if us < 0 {
            0
        } else if us > MAX_WALL_US {
            MAX_WALL_US
        } else {
            us
        })
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The last multiple of `step` (counted from 1970) at or before this instant; a zero `step` changes nothing.
    pub fn floor_to(self, step: Duration) -> Self {
        match micros(step) {
            0 => self,
            step => Self::from_micros(self.0.div_euclid(step) * step),
        }
    }

    /// The first multiple of `step` (counted from 1970) at or after this instant; a zero `step` changes nothing.
    pub fn ceil_to(self, step: Duration) -> Self {
        let floor = self.floor_to(step);
        if floor == self { self } else { floor + step }
    }

    /// Microseconds from `earlier` to this instant; negative when `earlier` is the later one.
    pub const fn since_us(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// This instant moved by `us` microseconds, which may be negative.
    pub const fn offset_us(self, us: i64) -> Self {
        Self::from_micros(self.0.saturating_add(us))
    }

    /// Reads an RFC 3339 time with any zone offset; digits after the microsecond are cut off.
    ///
    /// # Errors
    /// Says what is wrong with the text, or that the time lies outside 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, String> {
        let time = DateTime::parse_from_rfc3339(text)
            .map_err(|e| format!("`{}` is no RFC 3339 time: {e}", text.escape_debug()))?;
        let us = time.timestamp_micros();
        if (0..=MAX_WALL_US).contains(&us) {
            Ok(Self(us))
        } else {
            Err(format!("`{}` lies outside the years 1970 to 9999", text.escape_debug()))
        }
    }

    /// This instant for the calendar functions of `chrono`.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::ops::Add<Duration> for Wall {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        self.offset_us(micros(length))
    }
}

impl std::ops::Sub<Duration> for Wall {
    type Output = Self;
    fn sub(self, length: Duration) -> Self {
        self.offset_us(-micros(length))
    }
}

impl Serialize for Wall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// An instant of the monotonic clock (`CLOCK_MONOTONIC`), in microseconds since the machine's boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(i64);

impl Mono {
    /// The instant `us` microseconds after boot.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }

    /// Microseconds since boot.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this instant lies; zero when it does not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Mono {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(micros(length)))
    }
}

/// A length of time in whole microseconds, at most `i64::MAX`.
pub fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// Where a program gets the time from.
pub trait Clocks: Send + Sync {
    /// The wall clock now.
    fn wall(&self) -> Wall;
    /// The monotonic clock now.
    fn mono(&self) -> Mono;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClocks;

impl Clocks for SystemClocks {
    fn wall(&self) -> Wall {
        Wall::from_micros(read_us(ClockId::Realtime))
    }

    fn mono(&self) -> Mono {
        Mono(read_us(ClockId::Monotonic))
    }
}

impl SystemClocks {
    /// Microseconds from `CLOCK_BOOTTIME` to `CLOCK_REALTIME` now: added to a camera sensor's boot-time stamp
    /// it gives the wall clock of the exposure.
    pub fn boottime_to_wall_us(self) -> i64 {
        offset_us(ClockId::Boottime)
    }

    /// Microseconds from `CLOCK_MONOTONIC` to `CLOCK_REALTIME` now: added to a video driver's stamp it gives the
    /// wall clock of the exposure.
    pub fn mono_to_wall_us(self) -> i64 {
        offset_us(ClockId::Monotonic)
    }
}

fn read_us(clock: ClockId) -> i64 {
    let t = clock_gettime(clock);
    t.tv_sec * 1_000_000 + t.tv_nsec / 1_000
}

/// REALTIME − `clock`, sampled between two readings of `clock`, so that being descheduled half-way shows and is tried again.
fn offset_us(clock: ClockId) -> i64 {
    let mut best = (i64::MAX, 0);
    for _ in 0..5 {
        let before = read_us(clock);
        let wall = read_us(ClockId::Realtime);
        let after = read_us(clock);
        if after - before < best.0 {
            best = (after - before, wall - (before + after) / 2);
        }
    }
    best.1
}

/// Clocks for tests: they stand still until told to move; the wall clock can drift and step against the monotonic one.
#[derive(Debug)]
pub struct SimClocks(Mutex<Sim>);

#[derive(Debug)]
struct Sim {
    mono_us: i64,
    wall_us: f64,
    ppm: f64,
}

impl SimClocks {
    /// Starts at `wall`, with a wall clock that gains `ppm` microseconds a second on the monotonic one.
    pub fn new(wall: Wall, ppm: f64) -> Self {
        Self(Mutex::new(Sim { mono_us: 7_919_000_003, wall_us: wall.micros() as f64, ppm }))
    }

    /// Lets `length` of monotonic time pass.
    pub fn pass(&self, length: Duration) {
        self.with(|s| {
            s.mono_us += micros(length);
            s.wall_us += micros(length) as f64 * (1.0 + s.ppm * 1e-6);
        });
    }

    /// Sets the wall clock forward (or back) by `us` at once.
    pub fn step_us(&self, us: i64) {
        self.with(|s| s.wall_us += us as f64);
    }

    fn with<R>(&self, f: impl FnOnce(&mut Sim) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Clocks for SimClocks {
    fn wall(&self) -> Wall {
        self.with(|s| Wall::from_micros(s.wall_us as i64))
    }

    fn mono(&self) -> Mono {
        self.with(|s| Mono(s.mono_us))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRID: Duration = Duration::from_millis(500);

    #[test]
    fn times_are_written_with_six_decimals_and_utc() {
        assert_eq!(Wall::parse("2025-10-23T14:02:10.5+02:00").unwrap().to_string(), "2025-10-23T12:02:10.500000Z");
    }

    #[test]
    fn the_grid_holds_an_instant_on_it() {
        let on = Wall::from_micros(1_761_220_930_500_000);
        assert_eq!(on.floor_to(GRID), on);
        assert_eq!(on.ceil_to(GRID), on);
        assert_eq!(on.offset_us(1).floor_to(GRID), on);
        assert_eq!(on.offset_us(1).ceil_to(GRID), on + GRID);
    }

    #[test]
    fn simulated_clocks_drift_and_step_apart() {
        let sim = SimClocks::new(Wall::from_micros(1_761_220_930_000_000), 100.0);
        let (wall, mono) = (sim.wall(), sim.mono());
        sim.pass(Duration::from_secs(3600));
        assert_eq!(sim.mono().since(mono), Duration::from_secs(3600));
        assert_eq!(sim.wall().since_us(wall), 3_600_360_000);
        sim.step_us(-2_000_000);
        assert_eq!(sim.wall().since_us(wall), 3_598_360_000);
    }

    #[test]
    fn the_system_clocks_agree_on_their_offset() {
        let clocks = SystemClocks;
        let apart = clocks.wall().micros() - clocks.mono().micros() - clocks.mono_to_wall_us();
        assert!(apart.abs() < 50_000, "{apart} µs");
    }

    proptest! {
        #[test]
        fn every_instant_survives_its_text(us in 0i64..=MAX_WALL_US) {
            let wall = Wall::from_micros(us);
            prop_assert_eq!(Wall::parse(&wall.to_string()), Ok(wall));
        }

        #[test]
        fn floor_and_ceil_enclose(us in 0i64..4_000_000_000_000_000, step_ms in 1u64..10_000) {
            let (wall, step) = (Wall::from_micros(us), Duration::from_millis(step_ms));
            prop_assert!(wall.floor_to(step) <= wall && wall <= wall.ceil_to(step));
            prop_assert!(wall.ceil_to(step).since_us(wall.floor_to(step)) <= micros(step));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
            let _ = Wall::parse(&text);
        }
    }
}
