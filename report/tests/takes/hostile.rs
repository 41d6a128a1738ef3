use proptest::prelude::*;
use syncslate_report::table::Table;
use syncslate_report::{NodeInput, Report, Verdict};
use syncslate_shared::manifest::{Drop, DropSide, Gap};
use syncslate_shared::time::Wall;

use crate::kit::{Camera, T0, camera, film, id, of};

fn with_table(camera: &Camera, text: &[u8]) -> NodeInput {
    NodeInput { table: Some(Ok(Table::read(text).unwrap())), ..camera.input() }
}

/// What must hold of any report.
fn sound(report: &Report) {
    let json = serde_json::to_string(report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap().reasons, report.reasons);
    assert!(json.len() < 2_000_000, "{} bytes", json.len());
    assert!(syncslate_report::page::page(report).len() < 4_000_000);
}

#[test]
fn almost_nothing_is_no_error() {
    let camera = camera(1, 5_000.0, 0.0);
    for lines in [0, 1, 2, 3, 4, 9] {
        let text = camera.lines()[..=lines].join("\n") + "\n";
        let mut input = with_table(&camera, text.as_bytes());
        let manifest = input.manifest.as_mut().unwrap();
        manifest.frames = lines as u64;
        let report = of(vec![input, camera_2()]);
        sound(&report);
        assert_eq!((report.nodes[0].frames, report.nodes[0].drift_ppm), (lines as u64, None));
    }
    sound(&of(vec![with_table(&camera, b"")]));
}

fn camera_2() -> NodeInput {
    camera(2, 9_000.0, 0.0).input()
}

#[test]
fn a_camera_that_never_rolled_makes_the_take_red() {
    let camera = camera(1, 5_000.0, 0.0);
    let mut input = with_table(&camera, b"frame,segment,offset,bytes,key,time_us\n");
    let manifest = input.manifest.as_mut().unwrap();
    (manifest.frames, manifest.skew_us) = (0, None);
    let to = manifest.t1.unwrap();
    manifest.gaps = vec![Gap { from: T0, to, cause: "never_rolled".into(), detail: "no picture came".into() }];
    let report = of(vec![input, camera_2()]);
    assert_eq!(report.verdict, Verdict::Red);
    assert_eq!(report.nodes[0].gaps[0].cause, "never_rolled");
    assert!(report.complete, "no more will come");
}

#[test]
fn damaged_lines_are_neither_drops_nor_gaps() {
    let camera = camera(1, 5_000.0, 15.0);
    let mut lines = camera.lines();
    for line in [40, 41, 42, 1700, 3333] {
        lines[line].insert(3, 'x');
    }
    let report = of(vec![with_table(&camera, (lines.join("\n") + "\n").as_bytes()), camera_2()]);
    let node = &report.nodes[0];
    assert_eq!((node.damaged, node.missing, node.gaps.len(), node.whole), (5, 0, 0, true));
    assert!((node.drift_ppm.unwrap() - 15.0).abs() < 1.0);
    assert_eq!(crate::kit::codes(&report), ["table_damaged"]);
    assert!(report.reasons[0].text.contains("line 41: "), "{}", report.reasons[0].text);
}

#[test]
fn a_table_that_is_still_coming_tells_what_it_has() {
    let camera = camera(1, 5_000.0, 15.0);
    let text = camera.csv();
    let report = of(vec![with_table(&camera, &text.as_bytes()[..text.len() / 2]), camera_2()]);
    assert!(!report.complete && report.nodes[0].gaps.is_empty(), "{:?}", report.nodes[0].gaps);
    assert_eq!(report.verdict, Verdict::Green, "{:?}", report.reasons);
}

#[test]
fn a_camera_that_loses_every_third_frame_fills_no_report() {
    let drops = (0..5000).filter(|k| k % 3 == 1).collect();
    let report = film(&[Camera { drops, ..camera(1, 5_000.0, 0.0) }, camera(2, 5_000.0, 0.0)]);
    sound(&report);
    let node = &report.nodes[0];
    assert_eq!((node.dropped, node.drops.len(), report.verdict), (1667, 500, Verdict::Red));
}

#[test]
fn thousands_of_gaps_are_borne() {
    let mut input = camera(1, 5_000.0, 0.0).input();
    let manifest = input.manifest.as_mut().unwrap();
    let at = |i: i64| T0.offset_us(i * 17_001);
    manifest.gaps =
        (0..20_000).map(|i| Gap { from: at(i), to: at(i + 1), cause: "<b>".into(), detail: "\"&'".into() }).collect();
    sound(&of(vec![input]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_table_makes_it_panic(
        rows in prop::collection::vec((0u64..400, any::<u64>(), 0i64..4), 0..200),
        gaps in prop::collection::vec((-9_000_000i64..9_000_000, -9_000_000i64..9_000_000, 0usize..4), 0..6),
        drops in prop::collection::vec((-9_000_000i64..9_000_000, any::<u64>()), 0..6),
        fps in prop_oneof![Just(30.0), Just(0.0), Just(f64::NAN), Just(1e300), any::<f64>()],
        skew in prop::option::of(any::<i64>()),
        t1 in prop::option::of(any::<i64>()),
        finished in any::<bool>(),
        here in any::<bool>(),
        counts in (any::<u64>(), any::<u64>(), any::<i64>()),
    ) {
        let camera = camera(1, 5_000.0, 0.0);
        let mut text = String::from("frame,segment,offset,bytes,key,time_us\n");
        let mut number = 0;
        for (skip, time, kind) in rows {
            let time = match kind {
                0 => time,
                1 => time % 253_402_300_799_999_999,
                _ => T0.micros() as u64 + number * 33_333 + time % 900_000,
            };
            text += &format!("{number},0,0,1,0,{time}\n");
            number += if skip > 390 { skip } else { 1 };
        }
        let mut input = with_table(&camera, text.as_bytes());
        let manifest = input.manifest.as_mut().unwrap();
        let cause = |i: usize| ["camera_lost", "clock_stepped", "", "<script>"][i].to_owned();
        let at = |us: i64| T0.offset_us(us);
        manifest.gaps = gaps.into_iter().map(|(from, to, i)| Gap { from: at(from), to: at(to), cause: cause(i), detail: cause(i) }).collect();
        manifest.drops = drops.into_iter().map(|(from, frames)| Drop { from: at(from), to: at(from + 70_000), frames, by: DropSide::Encoder }).collect();
        manifest.camera.as_mut().unwrap().fps = fps;
        (manifest.skew_us, manifest.finished) = (skew, finished);
        manifest.t1 = t1.map(Wall::from_micros);
        (manifest.frames, manifest.lead_in_frames) = (counts.0, counts.1);
        manifest.clock_at_roll.as_mut().unwrap().error_us = Some(counts.2);
        let name = manifest.name.clone();
        input.table = input.table.filter(|_| here);
        let mut other = camera_2();
        other.manifest.as_mut().unwrap().name = format!("{name}</title><script>");
        let report = syncslate_report::report("A01", &id(), vec![input, other], Vec::new(), &Default::default()).unwrap();
        sound(&report);
    }
}
