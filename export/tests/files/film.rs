//! One camera's film: every byte of its stream, every stamp, what is hidden, timecode, reel and names.

use std::path::PathBuf;

use syncslate_export::Stopped;
use syncslate_export::film::{Look, write};
use syncslate_export::plan::Span;
use syncslate_export::rate::{Rate, Zone};
use syncslate_shared::time::Wall;

use crate::kit::{Camera, T0, Take, footage_md5, probe, shown_us, stream_md5, times};

fn look(t1_us: i64, fps: f64) -> Look {
    let span = Span { t0: Wall::from_micros(T0), t1: Wall::from_micros(T0 + t1_us) };
    Look { span, rate: Rate::of(fps).unwrap(), zone: Zone::Utc, reel: "LEFT".into() }
}

fn made(take: &Take, camera: &Camera<'_>, t1_us: i64) -> PathBuf {
    take.record(camera, t1_us);
    let footage = take.footage(camera);
    let path = take.folder().join("film.mp4");
    let notes = write(&path, &footage, &look(t1_us, camera.fps), &mut |_| true).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(stream_md5(&path), footage_md5(&footage), "the elementary stream");
    path
}

/// Shown times against those of the camera's frames from T0 on.
fn expect_times(path: &std::path::Path, times: &[i64]) {
    let wanted: Vec<i64> = times.iter().filter(|us| **us >= -1_000).map(|us| *us.max(&0)).collect();
    assert_eq!(shown_us(path), wanted);
}

#[test]
fn a_film_has_the_streams_bytes_and_each_frames_time() {
    let take = Take::new();
    // Two files; the camera's phase is 11 ms, so the first frame comes after T0.
    let camera = Camera { times: times(100, 11_000, 33_333.3), ..Camera::default() };
    let path = made(&take, &camera, 3_350_000);
    expect_times(&path, &camera.times);
    let all = probe(&["-show_format", "-show_streams"], &path);
    let (video, timecode) = (&all["streams"][0], &all["streams"][1]);
    assert_eq!(
        (&video["time_base"], &video["width"], &video["height"]),
        (&"1/1000000".into(), &320.into(), &180.into())
    );
    assert_eq!(video["tags"]["handler_name"], "left");
    assert_eq!((&timecode["codec_tag_string"], &timecode["avg_frame_rate"]), (&"tmcd".into(), &"30/1".into()));
    assert_eq!(timecode["tags"]["timecode"], "12:02:10:15");
    assert_eq!(timecode["tags"]["reel_name"], "LEFT");
    assert_eq!(video["tags"]["timecode"], "12:02:10:15");
    let tags = &all["format"]["tags"];
    assert_eq!(tags["creation_time"], "2025-10-23T12:02:10.000000Z");
    assert_eq!(tags["title"], "A_20251023_140210 left");
    assert_eq!(all["format"]["duration"], "3.350000");
}

#[test]
fn a_lead_in_is_hidden_and_other_rates_and_profiles_are_told() {
    let take = Take::new();
    let camera = Camera {
        fps: 29.97,
        encoder: &["-preset", "medium"],
        // Seven frames from the key frame before T0 on; a locked camera's frame of T0 came 20 µs before.
        times: (0..60).map(|i| (i - 7) * 33_367 - 20).collect(),
        ..Camera::default()
    };
    let path = made(&take, &camera, 1_700_000);
    let before_t1: Vec<i64> = camera.times.iter().copied().filter(|us| *us < 1_700_000).collect();
    expect_times(&path, &before_t1);
    assert_eq!(shown_us(&path)[..2], [0, 33_347]);
    let all = probe(&["-show_streams"], &path);
    assert_eq!(all["streams"][0]["profile"], "High");
    assert_eq!(all["streams"][1]["avg_frame_rate"], "30000/1001");
    assert_eq!(all["streams"][1]["tags"]["timecode"], "12:02:10:15");
}

#[test]
fn a_gap_is_a_long_frame_and_what_came_after_t1_is_hidden() {
    let take = Take::new();
    let mut all = times(45, 0, 40_000.0);
    all.extend(times(45, 6_000_000, 40_000.0));
    let camera = Camera { fps: 25.0, times: all, segment: 45, ..Camera::default() };
    let path = made(&take, &camera, 7_000_000);
    let before_t1: Vec<i64> = camera.times.iter().copied().filter(|us| *us < 7_000_000).collect();
    expect_times(&path, &before_t1);
}

#[test]
fn work_that_nobody_wants_any_more_ends() {
    let take = Take::new();
    let camera = Camera { times: times(30, 0, 33_333.3), ..Camera::default() };
    take.record(&camera, 1_000_000);
    let path = take.folder().join("film.mp4");
    let mut frames = 0;
    let mut tell = |_| {
        frames += 1;
        frames < 7
    };
    assert_eq!(write(&path, &take.footage(&camera), &look(1_000_000, 30.0), &mut tell), Err(Stopped::Asked));
    assert_eq!(frames, 7);
}
