use super::*;
use crate::kit::manifest;

const T0: i64 = 1_761_220_930_500_000;

fn span(seconds: f64) -> Span {
    Span { t0: Wall::from_micros(T0), t1: Wall::from_micros(T0 + (seconds * 1e6) as i64) }
}

/// Frames at these microseconds after T0.
fn rows(times: &[i64]) -> Vec<FrameRow> {
    let row = |(i, us): (usize, &i64)| FrameRow {
        frame: i as u64,
        segment: 0,
        offset: 100 * i as u64,
        bytes: 100,
        key: i % 15 == 0,
        time: Wall::from_micros(T0 + us),
    };
    times.iter().enumerate().map(row).collect()
}

fn even(count: i64, from: i64, period: i64) -> Vec<i64> {
    (0..count).map(|i| from + i * period).collect()
}

#[test]
fn a_free_camera_begins_after_t0_behind_an_empty_edit() {
    let times = times(&rows(&[11_000, 51_000, 91_000]), span(0.12), 40_000.0).unwrap();
    assert_eq!(times.edit, Edit { empty: 11_000, media: 0, length: 109_000 });
    assert_eq!(times.lengths, [40_000, 40_000, 29_000]);
}

#[test]
fn a_lead_in_is_hidden_and_the_frame_of_t0_shown_from_t0_on() {
    let times = times(&rows(&[-80_020, -40_020, -20, 39_980, 80_020]), span(0.1), 40_000.0).unwrap();
    // All but the frame of T0 stand where they were taken.
    assert_eq!(times.edit, Edit { empty: 0, media: 80_020, length: 100_000 });
    assert_eq!(times.lengths, [40_000, 40_020, 39_980, 40_040, 19_980]);
}

#[test]
fn gaps_are_long_frames_even_of_hours() {
    let found = times(&rows(&[0, 40_000, 2_040_000]), span(3.0), 40_000.0).unwrap();
    assert_eq!((found.scale, found.lengths), (1_000_000, vec![40_000, 2_000_000, 960_000]));
    let hours = 7_200_000_000;
    let found = times(&rows(&[0, 40_000, hours]), span(7_201.0), 40_000.0).unwrap();
    assert_eq!(found.scale, 90_000);
    let whole: u64 = found.lengths.iter().map(|length| u64::from(*length)).sum();
    assert_eq!(whole, 7_201 * 90_000);
}

#[test]
fn a_clock_that_was_set_back_makes_no_time_of_less_than_nothing() {
    let found = times(&rows(&[0, 40_000, 20_000, 60_000]), span(0.1), 40_000.0).unwrap();
    assert_eq!((found.set_back, found.lengths), (1, vec![40_000, 1, 19_999, 40_000]));
}

#[test]
fn no_frames_are_no_film_and_one_that_ended_before_t0_has_its_last() {
    assert_eq!(times(&[], span(1.0), 40_000.0), None);
    let found = times(&rows(&[-80_000, -40_000]), span(1.0), 40_000.0).unwrap();
    assert_eq!(found.edit.empty + found.edit.length, 1_000_000);
}

#[test]
fn a_timeline_has_gaps_where_the_camera_was_away() {
    let rate = Rate { frames: 25, seconds: 1 };
    let piece = |start, ticks, footage| Piece { start, ticks, footage };
    let whole = rows(&even(250, 20_000, 40_000));
    assert_eq!(pieces(&whole, &manifest(25.0), span(10.0), rate), [piece(0, 250, true)]);
    let mut holed = even(50, 1_000_000, 40_000);
    holed.extend(even(50, 5_000_000, 40_000));
    let found = pieces(&rows(&holed), &manifest(25.0), span(10.0), rate);
    let wanted = [(0, 25, false), (25, 50, true), (75, 50, false), (125, 50, true), (175, 75, false)]
        .map(|(s, t, f)| piece(s, t, f));
    assert_eq!(found, wanted);
    assert_eq!(pieces(&[], &manifest(25.0), span(10.0), rate), [piece(0, 250, false)]);
    // Five dropped frames are no gap.
    let mut dropped = even(50, 0, 40_000);
    dropped.extend(even(195, 2_200_000, 40_000));
    assert_eq!(pieces(&rows(&dropped), &manifest(25.0), span(10.0), rate), [piece(0, 250, true)]);
}

#[test]
fn rates_are_what_was_asked_for_unless_another_comes() {
    let at = |period: i64| rows(&even(300, 0, period));
    assert_eq!(rate(&at(33_367), &manifest(29.97)), Rate::of(29.97));
    assert_eq!(rate(&at(66_700), &manifest(30.0)), Rate::of(15.0));
    let mut unknown = manifest(30.0);
    unknown.camera = None;
    assert_eq!(rate(&at(40_001), &unknown), Rate::of(25.0));
    assert_eq!(rate(&[], &unknown), None);
}
