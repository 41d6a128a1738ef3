//! What a frame rate asks for. Pure.

use syncslate_shared::grid::ntsc;

/// Microseconds in a second.
pub const SECOND_US: f64 = 1e6;

/// The period of `fps` frames a second in microseconds; `None` for what is no frame rate. The NTSC rates are exact
/// ([`ntsc`]).
pub fn period_us(fps: f64) -> Option<f64> {
    if !(0.01..=10_000.0).contains(&fps) {
        return None;
    }
    Some(SECOND_US / ntsc(fps).map_or(fps, |whole| f64::from(whole) / 1.001))
}

/// The part of a period that a phase may lie before 0: a locked camera's picture that comes a little early has a phase
/// of −0.02 ms, not of 33.31 ms.
pub const BEFORE: f64 = 0.1;

/// `us` reduced by whole periods into −0.1 … 0.9 of a period.
pub fn wrapped(us: f64, period: f64) -> f64 {
    let phase = us.rem_euclid(period);
    if phase >= period * (1.0 - BEFORE) { phase - period } else { phase }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_that_editors_mean() {
        assert_eq!(period_us(25.0), Some(40_000.0));
        assert!((period_us(29.97).unwrap() - 33_366.666_667).abs() < 1e-3);
        assert!((period_us(23.976).unwrap() - 41_708.333_333).abs() < 1e-3);
        assert!((period_us(12.5).unwrap() - 80_000.0).abs() < 1e-9);
        for no_rate in [0.0, -30.0, f64::NAN, f64::INFINITY] {
            assert_eq!(period_us(no_rate), None);
        }
    }

    #[test]
    fn a_phase_has_one_place() {
        let near = |us: f64, phase: f64| (wrapped(us, 40_000.0) - phase).abs() < 1e-6;
        assert!(near(100_020.0, 20_020.0) && near(-20.0, -20.0) && near(39_980.0, -20.0) && near(80_000.0, 0.0));
        assert!(near(35_999.0, 35_999.0) && near(36_001.0, -3_999.0));
    }
}
