//! What is done with takes that are here: breaking off, renaming, deleting, and what a clean-up would free.

use serde_json::json;
use syncslate_controller::ledger::{self, Custody, Record};
use syncslate_controller::snapshot::Snapshot;
use syncslate_shared::command::Wish;
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::take::TakeName;

use crate::client::Site;
use crate::commands::answered;
use crate::stage::{T0, download, empty, id, ip, on_disk, rolling};

/// The takes A01 and A02 on the disk, A02 on its way here.
fn two_takes(downloads: &std::path::Path) -> Snapshot {
    let takes = vec![on_disk("A01", T0, 1), on_disk("A02", T0, 1)];
    for take in &takes {
        let folder = downloads.join(take.take.as_str()).join(ip(1).to_string());
        std::fs::create_dir_all(&folder).unwrap();
        take.nodes[0].files.iter().for_each(|file| std::fs::write(folder.join(&file.name), "footage").unwrap());
    }
    Snapshot { takes: takes.into(), downloads: vec![download("A02")], ..empty() }
}

#[tokio::test]
async fn a_take_goes_to_the_trash_when_its_name_is_said_twice() {
    let root = tempfile::tempdir().unwrap();
    let downloads = root.path();
    let site = Site::with_downloads(two_takes(downloads), downloads).await;
    let table = [
        ("/api/takes/A01/delete", "", 400),
        ("/api/takes/A01/delete", "{}", 400),
        ("/api/takes/A01/delete", r#"{"confirm":"A02"}"#, 400),
        ("/api/takes/A02/delete", r#"{"confirm":"A02"}"#, 409),
        ("/api/takes/A03/delete", r#"{"confirm":"A03"}"#, 404),
        ("/api/takes/../delete", r#"{"confirm":".."}"#, 400),
    ];
    for (path, body, status) in table {
        assert_eq!(site.post(path, body).await.status, status, "{path} {body}");
    }
    let stranger = ["Content-Type: application/json", "Origin: http://elsewhere"];
    assert_eq!(site.ask("POST", "/api/takes/A01/delete", &stranger, r#"{"confirm":"A01"}"#).await.status, 403);
    assert!(downloads.join("A01").exists());
    assert_eq!(site.post("/api/takes/A01/delete", r#"{"confirm":"A01"}"#).await.status, 200);
    assert!(!downloads.join("A01").exists());
    assert_eq!(std::fs::read_dir(downloads.join(".trash")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_take_is_renamed_when_nothing_speaks_against_it() {
    let root = tempfile::tempdir().unwrap();
    let downloads = root.path();
    let site = Site::with_downloads(two_takes(downloads), downloads).await;
    let table = [
        ("A01", json!({"to": "wide"}), 400, "malformed"),
        ("A01", json!({"to": "wide", "confirm": "A02"}), 400, "malformed"),
        ("A01", json!({"to": "../wide", "confirm": "A01"}), 400, "invalid_take_name"),
        ("A01", json!({"to": ".trash", "confirm": "A01"}), 400, "invalid_take_name"),
        ("A01", json!({"to": "A02", "confirm": "A01"}), 409, "invalid_take_name"),
        ("A02", json!({"to": "wide", "confirm": "A02"}), 409, "busy"),
        ("A03", json!({"to": "wide", "confirm": "A03"}), 404, "unknown_take"),
    ];
    for (take, body, status, code) in table {
        let answer = site.post(&format!("/api/takes/{take}/rename"), &body.to_string()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
    let body = json!({"to": "wide", "confirm": "A01"}).to_string();
    let stranger = ["Content-Type: application/json", "Origin: http://elsewhere"];
    assert_eq!(site.ask("POST", "/api/takes/A01/rename", &stranger, &body).await.status, 403);
    let answer = site.post("/api/takes/A01/rename", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!downloads.join("A01").exists());
    let takes = syncslate_controller::shelf::scan(downloads);
    let wide = takes.iter().find(|take| take.take.as_str() == "wide").unwrap();
    assert_eq!((wide.ids[0].name.as_str(), wide.nodes[0].files.len()), ("A01", 6));
    // It is shown and sent under its new name; the files keep theirs.
    let site = Site::with_downloads(Snapshot { takes: takes.clone().into(), ..empty() }, downloads).await;
    let page = site.get("/takes/wide").await.body;
    assert!(page.contains("recorded as A01") && page.contains(r#"data-take="A01">Download what is missing"#), "{page}");
    let file = Base { id: id("A01", T0), ip: ip(1) }.file(Kind::Segment(0));
    assert_eq!(site.get(&format!("/media/wide/{}/{file}", ip(1))).await.body, "footage");
    // While its name is being recorded or fetched it is left alone also under the new one.
    let rolls = Snapshot { takes: takes.clone().into(), ..rolling(1, "A01", T0) };
    let comes = Snapshot { takes: takes.into(), downloads: vec![download("A01")], ..empty() };
    for snapshot in [rolls, comes] {
        let site = Site::with_downloads(snapshot, downloads).await;
        let answer = site.post("/api/takes/wide/rename", r#"{"to":"long","confirm":"wide"}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "busy"));
    }
}

#[tokio::test]
async fn a_clean_up_is_listed_node_by_node() {
    let root = tempfile::tempdir().unwrap();
    let downloads = root.path();
    let mut snapshot = two_takes(downloads);
    snapshot.takes = syncslate_controller::shelf::scan(downloads).into();
    let site = Site::with_downloads(snapshot.clone(), downloads).await;
    let listed = site.json("/api/takes/A01/cleanup").await;
    let row = &listed["nodes"][0];
    assert_eq!((&row["state"], &row["id"]), (&json!("refused"), &json!(id("A01", T0))), "{listed}");
    assert!(row["why"].as_str().unwrap().contains("is not in the ledger"), "{listed}");
    assert_eq!(site.json("/api/cleanup").await["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(site.get("/api/takes/nope/cleanup").await.code(), "unknown_take");
    // As it is after a download.
    let base = Base { id: id("A01", T0), ip: ip(1) };
    let manifest = json!({"v":1,"take":"A01","id":base.id,"stamp":base.id.stamp,"ip":ip(1),"name":"left",
        "t0":"2025-10-23T12:02:10.5Z","t1":"2025-10-23T12:03:10Z","segment_s":60,"camera":null,"encoder":null,
        "stamps":null,"clock_at_roll":null,"clock_at_cut":null,"skew_us":null,"lead_in_frames":0,"frames":0,
        "segments":[],"gaps":[],"marks":[],"finished":true,"version":"0.1.0"});
    let folder = downloads.join("A01").join(ip(1).to_string());
    std::fs::write(folder.join(base.file(Kind::Manifest)), manifest.to_string()).unwrap();
    let record = |file: &str| Record {
        ip: ip(1),
        file: file.to_owned(),
        bytes: std::fs::metadata(folder.join(file)).unwrap().len(),
        sha256: "0".repeat(64),
        state: if file.ends_with(".h264") { Custody::Verified } else { Custody::Arrived },
    };
    let records: Vec<_> = snapshot.takes[0].nodes[0].files.iter().map(|file| record(&file.name)).collect();
    ledger::add(&downloads.join("A01"), &records).unwrap();
    snapshot.takes = syncslate_controller::shelf::scan(downloads).into();
    let site = Site::with_downloads(snapshot, downloads).await;
    let row = site.json("/api/takes/A01/cleanup").await["nodes"][0].clone();
    assert_eq!((&row["state"], &row["files"], &row["why"]), (&json!("ready"), &json!(6), &json!(null)), "{row}");
    let page = site.get("/takes/A01").await.body;
    let button = format!(r#"data-cleanup data-take="A01" data-stamp="{}" data-ip="{}""#, base.id.stamp, ip(1));
    assert!(page.contains(&button), "{page}");
    assert!(!site.get("/takes/A02").await.body.contains("data-cleanup"), "nothing of it is proven");
}

#[tokio::test]
async fn cancelling_is_the_command_with_its_word() {
    let wishes = [
        ("", Wish::Cancel { take: None, nodes: None }),
        (r#"{"take":"A01"}"#, Wish::Cancel { take: Some(TakeName::new("A01").unwrap()), nodes: None }),
        (r#"{"nodes":["192.168.1.101"],"cancel":false}"#, Wish::Cancel { take: None, nodes: Some(vec![ip(1)]) }),
    ];
    for (body, expected) in wishes {
        let (answer, wish) = answered("download/cancel", body, Ok(())).await;
        assert_eq!((answer.status, wish), (200, Ok(expected)), "{body}");
    }
    let site = Site::open(empty()).await;
    assert_eq!(site.get("/api/download/cancel").await.status, 405);
    assert_eq!(site.post("/api/download/cancel", "[]").await.code(), "malformed");
}
