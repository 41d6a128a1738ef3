//! Verdicts and their words, as operators read them.

use super::*;
use crate::finder::Sight;
use crate::layout::CYCLE_MS;
use crate::timeline::Seen;

const T0: i64 = 1_761_220_930_500_000;

fn asked() -> Asked {
    Asked {
        id: TakeId::try_from("A01_20251023_140210".to_owned()).unwrap(),
        at: Wall::from_micros(T0 + 90_000_000),
        version: "0.1.0".into(),
        window_s: Some(60.0),
        limits: Limits { doubtful_us: 4_000.0, differs_us: 16_000.0 },
    }
}

/// A node whose stamps are so late, and which read so many frames at 25 a second before a display of 60.
fn searched(n: u8, offset_us: i64, frames: i64, claim_us: Option<f64>) -> Searched {
    let period = 1e6 / 60.0;
    let seen = (0..frames).map(|i| {
        let us = 1_000_000 + i * 40_000 + i64::from(n) * 7_000;
        let k = (us as f64 / period).floor() as i64;
        let drawn = |k: i64| ((T0 + (k as f64 * period) as i64) / 1000).rem_euclid(CYCLE_MS) as u32;
        let fields = std::array::from_fn(|f| Some(drawn(k - (k - f as i64).rem_euclid(4))));
        Seen { stamp_us: T0 + us + offset_us, sight: Sight { session: 1, fields, middle: [0.5; 2], module_px: 4.0 } }
    });
    let ip = Ipv4Addr::new(192, 168, 1, 100 + n);
    let camera =
        Camera { ip, sensor: String::new(), period_us: 40_000.0, exposure_us: Some(5_000.0), seen: seen.collect() };
    Searched { name: format!("cam{n}"), pictures: 3000, claim_us, problem: String::new(), camera }
}

fn verdicts(light: &Light) -> Vec<Verdict> {
    light.nodes.iter().map(|node| node.verdict).collect()
}

#[test]
fn a_fleet_in_step_agrees() {
    let light = judge(asked(), &[1, 2, 3].map(|n| searched(n, 0, 100, Some(300.0))));
    assert_eq!((light.verdict, light.hint.as_str()), (Verdict::Agrees, ""));
    assert!(light.summary.starts_with("stamps and light agree on all 3 cameras: cam"), "{}", light.summary);
}

#[test]
fn each_node_is_weighed_by_what_it_claims() {
    let nodes = [
        searched(1, 0, 100, Some(300.0)),
        searched(2, 9_000, 100, Some(300.0)),
        searched(3, -40_000, 100, Some(300.0)),
        searched(4, 7_000, 100, None),
        searched(5, 0, 100, Some(300.0)),
        searched(6, -40_000, 100, Some(70_000.0)),
        searched(7, 0, 100, Some(300.0)),
    ];
    let light = judge(asked(), &nodes);
    use Verdict::{Agrees, Differs, Doubtful};
    assert_eq!(verdicts(&light), [Agrees, Doubtful, Differs, Agrees, Agrees, Agrees, Agrees]);
    assert_eq!(light.verdict, Differs);
    assert!(light.summary.starts_with("stamps and light differ: cam"), "{}", light.summary);
    assert!(light.hint.contains("that camera's clock"));
}

#[test]
fn without_a_slate_it_says_where_it_looked_and_what_to_do() {
    let light = judge(asked(), &[searched(1, 0, 0, None), searched(2, 0, 0, None)]);
    assert_eq!(light.verdict, Verdict::Unseen);
    assert_eq!(light.summary, "no slate was found in 6000 pictures of the first and last 60 s of the take");
    assert!(light.hint.contains("/slate") && light.hint.contains("--all"), "{}", light.hint);
    let light = judge(Asked { window_s: None, ..asked() }, &[searched(1, 0, 0, None)]);
    assert!(light.summary.ends_with("all of the take") && !light.hint.contains("--all"), "{}", light.hint);
}

#[test]
fn a_camera_that_did_not_see_it_is_named() {
    let light = judge(asked(), &[searched(1, 0, 100, None), searched(2, 0, 100, None), searched(3, 0, 3, None)]);
    assert_eq!(light.verdict, Verdict::Unseen);
    assert!(light.summary.contains("which cam3 did not"), "{}", light.summary);
    assert_eq!(light.nodes[2].note, "the slate was read in 3 pictures, 5 at a time are needed");
    let alone = judge(asked(), &[searched(1, 0, 100, None), searched(2, 0, 0, None)]);
    assert_eq!(alone.summary, "the slate was not seen by two cameras together: only by cam1");
    assert_eq!(alone.nodes[0].note, "no other camera saw the slate together with this one");
}

#[test]
fn of_two_cameras_half_is_put_to_each() {
    let light = judge(asked(), &[searched(1, 0, 100, Some(300.0)), searched(2, 60_000, 100, Some(300.0))]);
    assert_eq!(verdicts(&light), [Verdict::Differs, Verdict::Differs]);
    let offset = light.nodes[1].offset_us.unwrap();
    assert!((offset - 30_000.0).abs() < 4_000.0, "{offset}");
    assert!(light.hint.contains("nobody can tell which one"), "{}", light.hint);
}

#[test]
fn the_json_survives() {
    let light = judge(asked(), &[searched(1, 0, 100, Some(300.0)), searched(2, 5_000, 100, None)]);
    let json = serde_json::to_string(&light).unwrap();
    assert_eq!(serde_json::from_str::<Light>(&json).unwrap(), light);
    assert!(json.contains("\"verdict\":\"agrees\"") || json.contains("\"verdict\":\"doubtful\""), "{json}");
    assert_eq!(crate::model::parse(&crate::model::file(&light.id)), Some(light.id));
    assert_eq!(crate::model::parse("A01_20251023_140210_sync.json"), None);
}

#[test]
fn milliseconds_have_a_sign_but_not_zero() {
    assert_eq!([7_000.0, -40_060.0, 20.0, -20.0].map(signed_ms), ["+7.0 ms", "−40.1 ms", "0.0 ms", "0.0 ms"]);
}
