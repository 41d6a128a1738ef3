//! Chance that can be repeated: the seed is printed, and `SYNCSLATE_SEED` sets it.

use std::time::Duration;

use syncslate_shared::time::{Clocks as _, SystemClocks};

/// The dice (xorshift64*).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of this run; says how to repeat it.
    #[expect(clippy::print_stderr, reason = "whoever sees a test fail must be able to repeat it")]
    pub fn new() -> Self {
        let set = std::env::var("SYNCSLATE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = set.unwrap_or_else(|| SystemClocks.wall().micros().unsigned_abs());
        eprintln!("SYNCSLATE_SEED={seed} repeats this");
        Self::seeded(seed)
    }

    /// Dice that fall the same each time.
    pub fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    /// A length of time of `from` to `to` milliseconds.
    pub fn between_ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
