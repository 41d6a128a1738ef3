//! Whether the wall clock was set: it is watched against the monotonic one. Pure.

use std::time::Duration;

use syncslate_shared::time::{Mono, Wall, micros};

/// Less than this between two looks is a clock that is being brought in smoothly: chrony moves it by at most 8 % of the
/// time, and looks are a tenth of a second apart.
const STEP: Duration = Duration::from_millis(50);

/// The watch.
#[derive(Debug, Default)]
pub struct StepWatch {
    /// Wall minus monotonic clock at the last look, in microseconds.
    offset_us: Option<i64>,
}

impl StepWatch {
    /// A look at both clocks at one instant; gives by how many microseconds the wall clock was set since the last one.
    pub fn look(&mut self, wall: Wall, now: Mono) -> Option<i64> {
        let offset = wall.micros() - now.micros();
        let step = offset - self.offset_us.replace(offset)?;
        (step.abs() > micros(STEP)).then_some(step)
    }
}

/// A step for people: `set forward by 2.000 s`.
pub fn told(step_us: i64) -> String {
    let way = if step_us < 0 { "back" } else { "forward" };
    format!("set {way} by {:.3} s", step_us.unsigned_abs() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use syncslate_shared::time::{Clocks as _, SimClocks};

    use super::*;

    #[test]
    fn a_step_is_seen_once_and_a_slew_is_none() {
        let clocks = SimClocks::new(Wall::from_micros(1_761_220_930_137_411), 83_000.0);
        let mut watch = StepWatch::default();
        for i in 0..10_000 {
            clocks.pass(Duration::from_micros(97_001));
            assert_eq!(watch.look(clocks.wall(), clocks.mono()), None, "look {i}");
        }
        for step in [2_000_000, -2_000_000, 61_000] {
            clocks.step_us(step);
            let seen = watch.look(clocks.wall(), clocks.mono()).unwrap();
            assert!((seen - step).abs() <= 1, "{seen}");
            assert_eq!(watch.look(clocks.wall(), clocks.mono()), None);
        }
        assert_eq!((told(2_000_000), told(-61_000)), ("set forward by 2.000 s".into(), "set back by 0.061 s".into()));
    }
}
