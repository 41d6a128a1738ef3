//! T0 for every kind of roster, and what must hold for all of them.

use proptest::prelude::*;

use super::*;
use crate::kit::{NOON, ip};

const NOW: Wall = Wall::from_micros(NOON);

fn roster(of: &[Readiness]) -> Vec<Candidate> {
    (1..).zip(of).map(|(n, readiness)| Candidate { ip: ip(n), readiness: *readiness, step: GRID }).collect()
}

fn holds(ms: u64) -> Readiness {
    Readiness::Holds(Duration::from_millis(ms))
}

fn needs(ms: u64) -> Readiness {
    Readiness::Needs(Duration::from_millis(ms))
}

/// T0 minus the command in milliseconds, rounded down, or the refusal's code.
fn chosen(of: &[Readiness], at_ms: Option<i64>, not_before_ms: Option<i64>) -> Result<i64, ErrorCode> {
    let offset = |ms: i64| NOW.offset_us(ms * 1000);
    choose_t0(NOW, at_ms.map(offset), &roster(of), not_before_ms.map(offset))
        .map(|t0| t0.since_us(NOW).div_euclid(1000))
        .map_err(|refusal| refusal.code)
}

#[test]
fn t0_is_as_the_contract_says() {
    // The command comes 231.009 ms after a grid instant.
    let armed = [holds(4000), holds(2000)];
    assert_eq!(chosen(&armed, None, None), Ok(-232));
    assert_eq!(chosen(&[holds(4000), Readiness::Fault], None, None), Ok(-232));
    assert_eq!(chosen(&[holds(4000), holds(400)], None, None), Ok(268), "a ring that does not reach back");
    assert_eq!(chosen(&[holds(4000), needs(900)], None, None), Ok(1268), "900 ms and the margin");
    assert_eq!(chosen(&[needs(u64::MAX)], None, None), Ok(30_768), "nobody holds up the others for ever");
    assert_eq!(chosen(&armed, None, Some(-100)), Ok(268), "the last take ended 100 ms ago");
    assert_eq!(chosen(&armed, Some(5000), None), Ok(4768));
    assert_eq!(chosen(&[needs(9000)], Some(5000), None), Ok(9768), "as soon as it can");
    assert_eq!(chosen(&armed, Some(-1000), None), Ok(-1232), "the rings reach that far");
    assert_eq!(chosen(&armed, Some(-1600), None), Err(ErrorCode::TooLate));
    assert_eq!(chosen(&[holds(4000), needs(1)], Some(-1), None), Err(ErrorCode::TooLate));
    assert_eq!(chosen(&armed, Some(25 * 3600 * 1000), None), Err(ErrorCode::Malformed));
    assert_eq!(chosen(&[], None, None), Err(ErrorCode::NoNodes));
    assert_eq!(chosen(&[Readiness::Fault], None, None), Err(ErrorCode::NotReady));
}

#[test]
fn t0_is_a_frame_of_every_camera_on_the_frame_grid() {
    let camera = |fps: f64, state: Option<PhaseState>| CameraReport {
        fps,
        phase: state.map(|state| Phase { state, error_us: 0, worst_us: 0 }),
        ..CameraReport::default()
    };
    let ms = |fps, state| step_of(&camera(fps, Some(state))).as_millis();
    assert_eq!((ms(30.0, PhaseState::Locked), ms(25.0, PhaseState::Locked)), (500, 1000));
    assert_eq!(
        (ms(25.0, PhaseState::Seeking), ms(25.0, PhaseState::Free), ms(25.0, PhaseState::Lost)),
        (1000, 500, 500)
    );
    assert_eq!((ms(29.97, PhaseState::Locked), step_of(&camera(25.0, None)).as_millis()), (500, 500));

    let mut nodes = roster(&[holds(4000), holds(4000)]);
    nodes[1].step = Duration::from_secs(1);
    let chosen = |at: Option<Wall>| choose_t0(NOW, at, &nodes, None).map(|t0| t0.micros() % 1_000_000);
    assert_eq!(chosen(None), Ok(0));
    assert_eq!(chosen(Some(NOW.offset_us(5_600_000))), Ok(0));
}

fn any_readiness() -> impl Strategy<Value = Readiness> {
    prop_oneof![
        5 => (0u64..9000).prop_map(holds),
        2 => (0u64..40_000).prop_map(needs),
        1 => Just(Readiness::Fault),
    ]
}

proptest! {
    #[test]
    fn every_t0_lies_on_the_grid_and_every_node_makes_it(
        now in 1_000_000_000_000i64..4_000_000_000_000_000,
        nodes in prop::collection::vec(any_readiness(), 1..6),
        at in prop::option::of(-9_000_000i64..90_000_000),
        cut in prop::option::of(-9_000_000i64..0),
    ) {
        let now = Wall::from_micros(now);
        let (at, cut) = (at.map(|us| now.offset_us(us)), cut.map(|us| now.offset_us(us)));
        if let Ok(t0) = choose_t0(now, at, &roster(&nodes), cut) {
            prop_assert_eq!(t0, t0.floor_to(GRID));
            prop_assert!(cut.is_none_or(|cut| t0 >= cut));
            let mut armed = true;
            for earliest in nodes.iter().filter_map(|node| node.earliest(now)) {
                prop_assert!(t0 >= earliest);
                armed &= earliest <= now.floor_to(GRID);
            }
            if armed && at.is_none() && cut.is_none() {
                prop_assert!(t0 <= now && now.since_us(t0) < 500_000);
            }
            // It is never later than it must be.
            let wished = at.unwrap_or(now).floor_to(GRID);
            let slowest = nodes.iter().filter_map(|node| node.earliest(now)).chain(cut).max().unwrap();
            prop_assert!(t0 == wished || t0.since_us(slowest) < 500_000);
        }
    }
}
