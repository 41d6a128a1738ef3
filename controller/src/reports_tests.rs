use std::fs;
use std::sync::Arc;

use syncslate_shared::files::{Base, FRAMES_HEADER, Kind};
use syncslate_shared::time::Wall;
use tempfile::TempDir;

use super::*;
use crate::shelf::scan;

/// 2025-10-23T12:02:10.5Z
const T0: i64 = 1_761_220_930_500_000;

fn id() -> TakeId {
    TakeId::try_from("A01_20251023_140210".to_owned()).unwrap()
}

fn name() -> TakeName {
    TakeName::new("A01").unwrap()
}

/// What a node brought of a take of 20 s; frames in `lost` are missing.
fn bring(downloads: &Path, take: &str, n: u8, lost: std::ops::Range<i64>) {
    let ip = std::net::Ipv4Addr::new(10, 0, 0, n);
    let base = Base { id: id(), ip };
    let folder = downloads.join(take).join(ip.to_string());
    fs::create_dir_all(&folder).unwrap();
    let at = |us: i64| Wall::from_micros(T0 + us);
    let times = (0..600).filter(|k| !lost.contains(k)).map(|k| T0 + 3_000 * i64::from(n) + k * 100_000 / 3);
    let rows: Vec<String> = times.enumerate().map(|(frame, us)| format!("{frame},0,0,1,0,{us}")).collect();
    fs::write(folder.join(base.file(Kind::Frames)), format!("{FRAMES_HEADER}\n{}\n", rows.join("\n"))).unwrap();
    let clock = r#"{"source":"chrony","synced":true,"offset_us":-17,"error_us":83}"#;
    let manifest = format!(
        r#"{{"v":1,"take":"A01","id":"{}","stamp":"20251023_140210","ip":"{ip}","name":"cam{n}","t0":"{}","t1":"{}",
        "segment_s":60,"camera":{{"kind":"test","model":null,"width":640,"height":360,"fps":30.0,"start_ms":300,"ring_s":4.0}},
        "encoder":null,"stamps":"sensor","clock_at_roll":{clock},"clock_at_cut":{clock},"skew_us":{},"lead_in_frames":0,
        "frames":{},"segments":[],"gaps":[],"marks":[],"finished":true,"version":"0.1.0"}}"#,
        id(),
        at(0),
        at(20_000_000),
        3_000 * i64::from(n),
        rows.len(),
    );
    fs::write(folder.join(base.file(Kind::Manifest)), manifest).unwrap();
}

fn say(downloads: &Path, take: &str) -> (Result<Verdict, String>, String) {
    let mut out = Vec::new();
    let take = TakeName::new(take).unwrap();
    let verdict = tell(downloads, &take, None, &Limits::default(), &mut out).map_err(|failure| failure.to_string());
    (verdict, String::from_utf8(out).unwrap())
}

#[test]
fn the_command_line_says_the_verdict_and_why() {
    let folder = TempDir::new().unwrap();
    bring(folder.path(), "A01", 1, 0..0);
    bring(folder.path(), "A01", 2, 0..0);
    let (verdict, said) = say(folder.path(), "A01");
    assert_eq!(verdict, Ok(Verdict::Green));
    assert!(said.starts_with("A01_20251023_140210: in sync (green): 2 cameras: no frame is missing"), "{said}");
    for form in Form::ALL {
        assert!(folder.path().join("A01").join(names::file(&id(), form)).is_file());
    }
    bring(folder.path(), "A01", 2, 300..330);
    let (verdict, said) = say(folder.path(), "A01");
    assert_eq!(verdict, Ok(Verdict::Red));
    assert!(said.contains("red    cam2: gap of 1.03 s (30 frames) at 00:00:09.972: unexplained"), "{said}");
    assert!(say(folder.path(), "nowhere").0.unwrap_err().contains("there is no take nowhere"));
}

#[test]
fn a_renamed_take_has_its_report_under_its_new_name() {
    let folder = TempDir::new().unwrap();
    bring(folder.path(), "A01", 1, 0..0);
    assert_eq!(say(folder.path(), "A01").0, Ok(Verdict::Green));
    crate::homes::rename(folder.path(), &name(), &TakeName::new("wide").unwrap()).unwrap();
    let summary = scan(folder.path()).remove(0);
    assert_eq!((summary.take.as_str(), summary.sync[0].verdict, &summary.sync[0].id), ("wide", Verdict::Green, &id()));
    let (verdict, said) = say(folder.path(), "wide");
    assert!(verdict == Ok(Verdict::Green) && said.contains("wide/A01_20251023_140210_sync.html"), "{said}");
}

#[test]
fn checking_and_listing_know_the_reports() {
    let folder = TempDir::new().unwrap();
    bring(folder.path(), "A01", 1, 0..0);
    let before = scan(folder.path());
    assert_eq!(before[0].sync, []);
    say(folder.path(), "A01").0.unwrap();
    let after = scan(folder.path());
    assert_eq!((after[0].nodes.clone(), after[0].bytes), (before[0].nodes.clone(), before[0].bytes));
    assert!(after[0].sync[0].complete);
    let report = crate::check::check(folder.path(), None, &mut Vec::new()).unwrap();
    assert_eq!((report.foreign, report.different), (vec![], vec![]));
    // One that cannot be read, or of a later version, is none.
    fs::write(folder.path().join("A01").join(names::file(&id(), Form::Json)), "{\"v\":1}").unwrap();
    assert_eq!(scan(folder.path())[0].sync, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_take_gets_its_report_by_itself_and_a_new_one_when_more_arrives() {
    let folder = Arc::new(TempDir::new().unwrap());
    let (show, lists) = watch::channel(Vec::new());
    let task = tokio::spawn(keep(folder.path().to_owned(), Limits::default(), lists));
    let seen = |complete: usize| {
        let (folder, show) = (Arc::clone(&folder), show.clone());
        async move {
            loop {
                let list = tokio::task::spawn_blocking({
                    let folder = Arc::clone(&folder);
                    move || scan(folder.path())
                });
                show.send_replace(list.await.unwrap());
                let report = folder::read(&folder.path().join("A01"), &id());
                if report.is_some_and(|report| report.nodes.iter().filter(|node| node.whole).count() == complete) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    let limit = Duration::from_secs(60);
    bring(folder.path(), "A01", 1, 0..0);
    tokio::time::timeout(limit, seen(1)).await.unwrap();
    bring(folder.path(), "A01", 2, 0..0);
    tokio::time::timeout(limit, seen(2)).await.unwrap();
    let html = folder.path().join("A01").join(names::file(&id(), Form::Html));
    let made = fs::metadata(&html).unwrap().modified().unwrap();
    drop(show);
    task.await.unwrap();
    // One that is fresh is not made again, also by a controller that is started anew.
    let (show, lists) = watch::channel(Vec::new());
    let task = tokio::spawn(keep(folder.path().to_owned(), Limits::default(), lists));
    show.send_replace(scan(folder.path()));
    drop(show);
    task.await.unwrap();
    assert_eq!(fs::metadata(&html).unwrap().modified().unwrap(), made);
}
