//! Offsets that were put in are found again, and lie within what is said of their uncertainty.

use proptest::prelude::*;

use super::*;
use crate::film::Chance;
use crate::finder::Sight;
use crate::layout::CYCLE_MS;

const T0: i64 = 1_761_220_930_500_000;

/// A camera before a display: when its exposures begin, by the true time since T0, and how its stamps lie.
#[derive(Clone, Debug)]
struct Filming {
    phase_us: f64,
    fps: f64,
    exposure_us: f64,
    offset_us: f64,
    jitter_us: f64,
    from_s: f64,
    to_s: f64,
    row: f64,
}

fn filming(phase_us: f64, offset_us: f64) -> Filming {
    Filming { phase_us, fps: 25.0, exposure_us: 4000.0, offset_us, jitter_us: 50.0, from_s: 1.0, to_s: 4.0, row: 0.5 }
}

/// A display that refreshes each so many microseconds and draws with a latency.
#[derive(Clone, Copy, Debug)]
struct Display {
    period_us: f64,
    ppm: f64,
    session: u8,
}

const SIXTY: Display = Display { period_us: 1e6 / 60.0, ppm: 0.0, session: 5 };

impl Display {
    /// What is seen of an exposure that begins at `us` and lasts `exposure`: fields that changed in its middle part cannot
    /// be read.
    fn sight(self, us: f64, exposure: f64, row: f64) -> Sight {
        let k = |us: f64| (us / self.period_us).floor() as i64;
        let drawn = |k: i64| {
            let us = k as f64 * self.period_us * (1.0 + self.ppm * 1e-6) - 31_000.0;
            ((T0 + us as i64).div_euclid(1000)).rem_euclid(CYCLE_MS) as u32
        };
        let (first, last) = (k(us + exposure * 0.35), k(us + exposure * 0.65));
        let fields = std::array::from_fn(|n| {
            let of = |k: i64| k - (k - n as i64).rem_euclid(4);
            (of(first) == of(last)).then(|| drawn(of(first)))
        });
        Sight { session: self.session, fields, middle: [0.5, row], module_px: 5.0 }
    }
}

fn camera(n: u8, display: Display, filming: &Filming) -> Camera {
    let period = 1e6 / filming.fps;
    let mut chance = Chance(u64::from(n) + 100);
    let mut seen = Vec::new();
    for i in 0.. {
        let us = filming.phase_us + f64::from(i) * period;
        if us > filming.to_s * 1e6 {
            break;
        }
        if us >= filming.from_s * 1e6 {
            let jitter = chance.normal() * filming.jitter_us;
            // The middle of the exposure is what the light tells; it is put into the offset here.
            let stamp_us = T0 + (us + filming.exposure_us / 2.0 + filming.offset_us + jitter) as i64;
            seen.push(Seen { stamp_us, sight: display.sight(us, filming.exposure_us, filming.row) });
        }
    }
    let (ip, sensor) = (Ipv4Addr::new(10, 0, 0, n), "imx477".to_owned());
    Camera { ip, sensor, period_us: period, exposure_us: Some(filming.exposure_us), seen }
}

fn cameras(display: Display, filmings: &[Filming]) -> Vec<Camera> {
    filmings.iter().enumerate().map(|(i, filming)| camera(i as u8 + 1, display, filming)).collect()
}

/// Offsets and uncertainties of the only showing, in milliseconds.
fn offsets(display: Display, filmings: &[Filming]) -> Vec<(f64, f64)> {
    let showings = compare(&cameras(display, filmings));
    assert_eq!(showings.len(), 1, "{showings:?}");
    let one = |node: &Measured| (node.offset_us.unwrap() / 1000.0, node.uncertainty_us / 1000.0);
    showings[0].nodes.iter().map(one).collect()
}

#[track_caller]
fn expect(found: &[(f64, f64)], truth: &[f64], within: f64) {
    for (i, ((offset, uncertainty), truth)) in found.iter().zip(truth).enumerate() {
        assert!((offset - truth).abs() <= *uncertainty, "node {i}: {offset} ± {uncertainty}, not {truth}");
        assert!((offset - truth).abs() <= within, "node {i}: {offset}, not {truth} ± {within}");
    }
}

#[test]
fn late_stamps_are_positive_against_the_middle_of_the_fleet() {
    let found = offsets(SIXTY, &[filming(0.0, 0.0), filming(11_000.0, 7_000.0), filming(22_500.0, -40_000.0)]);
    expect(&found, &[0.0, 7.0, -40.0], 2.5);
    assert!(found.iter().all(|(_, uncertainty)| *uncertainty < 6.0), "{found:?}");
}

#[test]
fn a_camera_in_step_with_the_display_says_that_it_cannot_tell_better() {
    let locked = |phase, offset| Filming { fps: 30.0, jitter_us: 5.0, ..filming(phase, offset) };
    let found = offsets(SIXTY, &[locked(2_000.0, 0.0), locked(14_000.0, 3_000.0), locked(8_000.0, 0.0)]);
    expect(&found, &[0.0, 3.0, 0.0], 16.7);
    assert!(found.iter().all(|(_, uncertainty)| (8.0..19.0).contains(uncertainty)), "{found:?}");
}

#[test]
fn a_display_a_little_off_the_cameras_tells_a_millisecond() {
    let display = Display { period_us: 1e6 / 59.7, ..SIXTY };
    let thirty = |phase, offset| Filming { fps: 30.0, to_s: 6.0, ..filming(phase, offset) };
    let found = offsets(display, &[thirty(2_000.0, 0.0), thirty(14_000.0, 3_000.0), thirty(8_000.0, -1_000.0)]);
    expect(&found, &[0.0, 3.0, -1.0], 1.5);
    assert!(found.iter().all(|(_, uncertainty)| *uncertainty < 5.0), "{found:?}");
}

#[test]
fn a_fast_display_tells_more() {
    let display = Display { period_us: 1e6 / 120.0, ..SIXTY };
    let found = offsets(display, &[filming(0.0, 0.0), filming(11_000.0, 7_000.0), filming(22_500.0, -40_000.0)]);
    expect(&found, &[0.0, 7.0, -40.0], 1.7);
}

#[test]
fn long_exposures_are_read_by_what_they_leave_still() {
    let long = |phase, offset| Filming { exposure_us: 30_000.0, ..filming(phase, offset) };
    expect(&offsets(SIXTY, &[long(0.0, 0.0), long(9_000.0, 12_000.0), long(31_000.0, 0.0)]), &[0.0, 12.0, 0.0], 4.0);
}

#[test]
fn different_exposures_and_heights_are_said() {
    let short = Filming { exposure_us: 1_000.0, row: 0.1, ..filming(3_000.0, 0.0) };
    let showings = compare(&cameras(SIXTY, &[filming(0.0, 0.0), short, filming(8_000.0, 0.0)]));
    let parts: Vec<_> = showings[0].nodes.iter().map(|node| node.parts).collect();
    assert_eq!((parts[0].rows_us, parts[0].exposure_us), (0.0, Some(0.0)));
    assert!((parts[1].rows_us - 16_000.0).abs() < 1.0 && parts[1].exposure_us == Some(1_500.0), "{parts:?}");
    let mut unknown = cameras(SIXTY, &[filming(0.0, 0.0), filming(8_000.0, 0.0)]);
    unknown[0].exposure_us = None;
    assert!(compare(&unknown)[0].nodes.iter().all(|node| node.parts.exposure_us.is_none()));
}

#[test]
fn sensors_that_are_read_differently_are_as_late_as_they_may_be() {
    let at = |row, phase| Filming { row, ..filming(phase, 0.0) };
    let mut mixed = cameras(SIXTY, &[at(0.5, 0.0), at(0.5, 3_000.0), at(0.1, 8_000.0)]);
    mixed[1].sensor = "imx296".into();
    let rows: Vec<f64> = compare(&mixed)[0].nodes.iter().map(|node| node.parts.rows_us).collect();
    assert_eq!(rows, [20_000.0, 20_000.0, 20_000.0]);
    let mut high = cameras(SIXTY, &[at(0.05, 0.0), at(0.05, 3_000.0)]);
    high[1].sensor = "imx296".into();
    assert_eq!(compare(&high)[0].nodes[0].parts.rows_us, 2_000.0, "held high it costs little");
}

#[test]
fn cameras_that_saw_it_one_after_the_other_pay_for_the_displays_clock() {
    let at = |from_s, offset| Filming { from_s, to_s: from_s + 4.0, ..filming(7_000.0, offset) };
    let display = Display { ppm: 80.0, ..SIXTY };
    let found = offsets(display, &[at(1.0, 0.0), at(6.0, 9_000.0), at(11.0, 0.0)]);
    expect(&found, &[0.0, 9.0, 0.0], 3.0);
}

#[test]
fn begin_and_end_of_a_take_and_two_displays_are_told_apart() {
    let early = cameras(SIXTY, &[filming(0.0, 0.0), filming(9_000.0, 5_000.0)]);
    let late = |offset| Filming { from_s: 600.0, to_s: 603.0, ..filming(4_000.0, offset) };
    let mut all = early;
    for (camera, more) in all.iter_mut().zip(cameras(Display { session: 9, ..SIXTY }, &[late(0.0), late(30_000.0)])) {
        camera.seen.extend(more.seen);
    }
    let showings = compare(&all);
    assert_eq!(showings.iter().map(|showing| showing.session).collect::<Vec<_>>(), [5, 9]);
    let apart = |i: usize| showings[i].nodes[1].offset_us.unwrap() - showings[i].nodes[0].offset_us.unwrap();
    assert!((apart(0) - 5_000.0).abs() < 4_000.0 && (apart(1) - 30_000.0).abs() < 4_000.0, "{showings:?}");
}

#[test]
fn one_camera_alone_and_a_glimpse_tell_nothing() {
    assert_eq!(compare(&cameras(SIXTY, &[filming(0.0, 0.0)]))[0].nodes[0].offset_us, None);
    let glimpse = Filming { to_s: 1.1, ..filming(0.0, 0.0) };
    assert_eq!(compare(&cameras(SIXTY, &[glimpse.clone(), glimpse])), []);
    assert_eq!(compare(&[]), []);
}

#[test]
fn stamps_of_arrival_that_jump_about_say_so() {
    let shaky = Filming { jitter_us: 25_000.0, ..filming(0.0, 20_000.0) };
    let showings = compare(&cameras(SIXTY, &[filming(3_000.0, 0.0), shaky, filming(9_000.0, 0.0)]));
    let node = &showings[0].nodes[1];
    assert!(node.agree_percent < 70.0 && node.uncertainty_us > 15_000.0, "{node:?}");
    assert!((node.offset_us.unwrap() - 20_000.0).abs() < node.uncertainty_us, "{node:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_truth_lies_within_the_uncertainty(
        phases in proptest::array::uniform4(0.0..40_000.0f64), offsets_ms in proptest::array::uniform4(-60i32..60),
        refresh in 48.0..75.0f64, fps in 15.0..61.0f64, exposure in 200.0..14_000.0f64, jitter in 0.0..250.0f64,
    ) {
        let display = Display { period_us: 1e6 / refresh, ..SIXTY };
        let one = |i: usize| Filming {
            fps, exposure_us: exposure, jitter_us: jitter, ..filming(phases[i], f64::from(offsets_ms[i]) * 1000.0)
        };
        let found = offsets(display, &[one(0), one(1), one(2), one(3)]);
        let middle = median(offsets_ms.map(f64::from)).unwrap();
        for ((offset, uncertainty), truth) in found.into_iter().zip(offsets_ms) {
            // Of four the middle is the mean of two: its own error is bounded by theirs.
            prop_assert!((offset - (f64::from(truth) - middle)).abs() <= uncertainty + 0.2, "{offset} ± {uncertainty}, not {truth} − {middle}");
        }
    }

    #[test]
    fn nonsense_makes_nothing_panic(
        stamps in proptest::collection::vec((any::<i64>(), any::<[Option<u32>; 4]>(), any::<f64>()), 0..40),
    ) {
        let seen = |(stamp_us, fields, row): (i64, [Option<u32>; 4], f64)| Seen {
            // The table's reader lets no other through.
            stamp_us: stamp_us.rem_euclid(253_402_300_799_999_999),
            sight: Sight { session: 1, fields, middle: [0.5, row], module_px: 3.0 },
        };
        let seen: Vec<Seen> = stamps.into_iter().map(seen).collect();
        let camera = |n| Camera {
            ip: Ipv4Addr::new(10, 0, 0, n),
            sensor: String::new(),
            period_us: 1.0,
            exposure_us: None,
            seen: seen.clone(),
        };
        let _ = compare(&[camera(1), camera(2)]);
    }
}
