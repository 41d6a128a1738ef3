//! The whole export of a take: what is there, what is kept, what is made anew, and how it fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;
use syncslate_export::Stopped;
use syncslate_export::job;
use syncslate_shared::take::Mark;
use syncslate_shared::time::Wall;

use crate::kit::{Camera, ID, T0, Take, done, job, probe, program, run, shown_us, times};

/// Two cameras: one whole, one with a gap and five frames lost.
fn two(take: &Take) {
    let mut holed = times(30, 22_500, 33_333.3);
    holed.extend(times(60, 2_500_000, 33_333.3));
    holed.drain(70..75);
    for (n, name, times) in [(1, "left", times(135, 0, 33_333.3)), (2, "right", holed)] {
        take.record(&Camera { ip: [10, 0, 0, n].into(), name, times, ..Camera::default() }, 4_500_000);
    }
}

fn originals(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for node in ["10.0.0.1", "10.0.0.2"] {
        for entry in fs::read_dir(folder.join(node)).unwrap().flatten() {
            let state = (fs::read(entry.path()).unwrap(), entry.metadata().unwrap().modified().unwrap());
            found.insert(format!("{node}/{}", entry.file_name().display()), state);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_finished_is_kept_and_the_originals_are_not_touched() {
    let take = Take::new();
    two(&take);
    let before = originals(take.folder());
    let mut job = job(&take, false);
    job.marks = vec![Mark { n: 1, at: Wall::from_micros(T0 + 1_700_000), note: "he <laughs>".into() }];
    let first = run(job.clone()).await.unwrap();
    assert_eq!((first.kept, &first.problems, &first.notes), (0, &vec![], &vec![]));
    for file in &first.files {
        assert!(fs::metadata(job.to.join(file)).unwrap().len() > 0, "{file}");
    }
    let films: Vec<_> = (1..=2).map(|n| job.to.join(format!("A_10_0_0_{n}_20251023_140210.mp4"))).collect();
    let times = |films: &[std::path::PathBuf]| -> Vec<_> {
        films.iter().map(|film| fs::metadata(film).unwrap().modified().unwrap()).collect()
    };
    let made = times(&films);
    // The second camera has no picture at the mark.
    let sheet = fs::read_to_string(job.to.join(format!("{ID}_sheet.html"))).unwrap();
    assert_eq!((sheet.matches("<img ").count(), sheet.matches("no picture").count()), (1, 1));
    assert!(sheet.contains("1. he &lt;laughs&gt;") && sheet.contains("left · frame 51 ·"), "{sheet:.2000}");
    // Half a film that a killed export left is no film; a film that is not as it was is made again.
    fs::write(job.to.join("A_10_0_0_1_20251023_140210.mp4.part"), "half").unwrap();
    fs::write(&films[1], "damaged").unwrap();
    let second = run(job.clone()).await.unwrap();
    assert_eq!((second.kept, times(&films)[0]), (1, made[0]));
    assert_ne!(times(&films)[1], made[1]);
    assert_eq!(originals(take.folder()), before);
    let left: Vec<_> = fs::read_dir(&job.to).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(
        |name| second.files.contains(&name.display().to_string()) || name.display().to_string().ends_with(".part")
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn conformed_films_have_equal_counts_and_say_what_was_repeated() {
    let take = Take::new();
    two(&take);
    let job = job(&take, true);
    run(job.clone()).await.unwrap();
    let mut counts = Vec::new();
    for n in 1..=2 {
        let film = job.to.join(format!("A_10_0_0_{n}_20251023_140210_conformed.mp4"));
        let shown = shown_us(&film);
        let even = (0..135).map(|tick| (tick as f64 * 1e6 / 30.0).round() as i64).collect::<Vec<_>>();
        assert!(shown.iter().zip(&even).all(|(a, b)| (a - b).abs() <= 1), "{shown:?}");
        counts.push(shown.len());
        let streams = probe(&["-show_streams"], &film);
        assert_eq!(streams["streams"][1]["tags"]["timecode"], "12:02:10:15", "{streams:#}");
        assert_eq!(streams["streams"][0]["r_frame_rate"], "30/1");
    }
    assert_eq!(counts, [135, 135]);
    let list = fs::read_to_string(job.to.join(format!("{ID}_conform.csv"))).unwrap();
    // The gap from 0.989 s to 2.5 s: half of it shows the frame before, half the one after.
    assert!(list.contains("10.0.0.2,\"right\",29,repeated,30,12:02:11:15,23\r\n"), "{list}");
    assert!(list.contains("10.0.0.2,\"right\",30,repeated,53,12:02:12:08,23\r\n"), "{list}");
    expect_pictures(&take, &job, &list);
}

#[tokio::test(flavor = "multi_thread")]
async fn light_films_are_made_on_wish_and_kept_by_later_exports() {
    let take = Take::new();
    two(&take);
    let mut job = job(&take, false);
    job.proxies = true;
    run(job.clone()).await.unwrap();
    let record =
        || -> Value { serde_json::from_slice(&fs::read(job.to.join(format!("{ID}_export.json"))).unwrap()).unwrap() };
    let told = record();
    assert_eq!((&told["heavy"], &told["conformed"]), (&false.into(), &false.into()));
    for (node, n) in told["nodes"].as_array().unwrap().iter().zip(1..) {
        assert_eq!(node["proxy"], format!("A_10_0_0_{n}_20251023_140210_proxy.mp4"));
        let proxy = job.to.join(node["proxy"].as_str().unwrap());
        assert_eq!(shown_us(&proxy).len(), 135);
        let keys = probe(&["-select_streams", "v:0", "-show_entries", "packet=flags"], &proxy);
        let keys = keys["packets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|packet| packet["flags"].as_str().unwrap().starts_with('K'))
            .count();
        assert!(keys >= 13, "{keys} key frames of 135");
    }
    job.proxies = false;
    let later = run(job.clone()).await.unwrap();
    assert_eq!((later.kept, &record()["nodes"]), (2, &told["nodes"]));
    // Of other footage they are no use any more.
    let footage = take.folder().join("10.0.0.2/A_10_0_0_2_20251023_140210_000000.h264");
    fs::File::open(footage).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    run(job.clone()).await.unwrap();
    let told = record();
    assert_eq!((told["nodes"][0]["proxy"].is_string(), &told["nodes"][1]["proxy"]), (true, &Value::Null));
}

/// The pictures that are repeated are those that the list names: equal ones follow each other there and nowhere else.
fn expect_pictures(take: &Take, job: &job::Job, list: &str) {
    let film = job.to.join("A_10_0_0_2_20251023_140210_conformed.mp4");
    let mut ffmpeg = program("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-i"]).arg(&film);
    // How much each picture differs from the one before.
    ffmpeg.args(["-vf", "tblend=all_mode=difference,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-"]);
    ffmpeg.args(["-f", "null", "-"]);
    let out = String::from_utf8(done(&mut ffmpeg).stdout).unwrap();
    let differ: Vec<f64> = out.lines().filter_map(|line| line.split_once("YAVG=")?.1.parse().ok()).collect();
    let still: Vec<usize> = differ.iter().enumerate().filter(|(_, by)| **by < 0.6).map(|(i, _)| i + 1).collect();
    let named: Vec<usize> = list
        .lines()
        .filter(|line| line.starts_with("10.0.0.2") && line.contains(",repeated,"))
        .flat_map(|line| {
            let columns: Vec<_> = line.split(',').collect();
            let (tick, times): (usize, usize) = (columns[4].parse().unwrap(), columns[6].parse().unwrap());
            tick + 1..tick + times
        })
        .collect();
    assert_eq!(still, named, "{differ:?} {}", take.folder().display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_whose_files_are_not_whole_is_told_and_the_others_are_made() {
    let take = Take::new();
    two(&take);
    let footage = take.folder().join("10.0.0.2/A_10_0_0_2_20251023_140210_000001.h264");
    fs::remove_file(&footage).unwrap();
    let job = job(&take, false);
    let outcome = run(job.clone()).await.unwrap();
    let [(ip, why)] = outcome.problems.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(ip.to_string(), "10.0.0.2");
    assert!(why.contains("a footage file is not here") && why.contains("000001.h264"), "{why}");
    let file: Value = serde_json::from_slice(&fs::read(job.to.join(format!("{ID}.otio"))).unwrap()).unwrap();
    assert_eq!(file["tracks"]["children"][1]["children"][0]["OTIO_SCHEMA"], "Gap.1");
    // Without any camera there is nothing to make.
    fs::remove_dir_all(take.folder().join("10.0.0.1")).unwrap();
    let Err(Stopped::Failed(why)) = run(job.clone()).await else { panic!() };
    assert!(why.starts_with("no camera of the take A_20251023_140210 can be exported: 10.0.0.2: "), "{why}");
    fs::remove_dir_all(take.folder().join("10.0.0.2")).unwrap();
    let Err(Stopped::Failed(why)) = run(job).await else { panic!() };
    assert!(why.starts_with("there is no file of the take A_20251023_140210 in "), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_export_at_a_time_writes_into_a_folder() {
    let take = Take::new();
    two(&take);
    let job = job(&take, false);
    let other = job.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut inner = None;
        let outer = job::run(&job, &mut |_| {
            inner.get_or_insert_with(|| job::run(&other, &mut |_| true));
            false
        });
        (outer, inner)
    });
    let (outer, inner) = work.await.unwrap();
    assert_eq!(outer, Err(Stopped::Asked));
    let Some(Err(Stopped::Failed(why))) = inner else { panic!("{inner:?}") };
    assert!(why.starts_with("another export writes into "), "{why}");
}

#[test]
fn final_cut_pros_timeline_is_well_formed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let take = Take::new();
    two(&take);
    let job = job(&take, false);
    runtime.block_on(run(job.clone())).unwrap();
    for end in ["fcpxml", "xml"] {
        done(program("xmllint").arg("--noout").arg(job.to.join(format!("{ID}.{end}"))));
    }
    // Apple's own document type is not ours to hand on: who has it names it.
    if let Some(dtd) = std::env::var_os("SYNCSLATE_FCPXML_DTD") {
        let file = job.to.join(format!("{ID}.fcpxml"));
        done(program("xmllint").arg("--noout").arg("--dtdvalid").arg(dtd).arg(file));
    }
}
