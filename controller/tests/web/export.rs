//! Takes for editors on the web: having them made, how far that is, and the files.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use syncslate_controller::snapshot::Snapshot;
use syncslate_export::names::{self, FOLDER, Film, Product};
use syncslate_shared::files::Base;

use crate::client::Site;
use crate::stage::{T0, empty, id, ip, on_disk};

const EXPORT: &str = "/api/takes/A01/export";

async fn site(downloads: &Path) -> Site {
    Site::with_downloads(Snapshot { takes: [on_disk("A01", T0, 1)].into(), ..empty() }, downloads).await
}

/// What is told of the take's export when it has come to its end.
async fn ended(site: &Site) -> Value {
    let wait = async {
        loop {
            let told = site.json(EXPORT).await["takes"][0]["export"].clone();
            if !matches!(told["state"].as_str(), Some("queued" | "running")) {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
}

#[tokio::test]
async fn an_export_is_asked_for_and_its_end_is_told() {
    let root = tempfile::tempdir().unwrap();
    let site = site(root.path()).await;
    let nothing = json!({"takes": [{"id": id("A01", T0), "export": null, "files": []}]});
    assert_eq!(site.json(EXPORT).await, nothing);
    let table = [
        (EXPORT, "{", 400),
        (EXPORT, r#"{"conform":3}"#, 400),
        (EXPORT, r#"{"stamp":"19990101_000000"}"#, 404),
        ("/api/takes/B/export", "{}", 404),
        ("/api/takes/A01/export/now", "{}", 404),
        ("/api/takes/A01/export/cancel", "{}", 200),
    ];
    for (path, body, status) in table {
        assert_eq!(site.post(path, body).await.status, status, "{path} {body}");
    }
    let stranger = ["Content-Type: application/json", "Origin: http://elsewhere"];
    assert_eq!(site.ask("POST", EXPORT, &stranger, "{}").await.status, 403);
    assert_eq!(site.json(EXPORT).await, nothing);
    // No footage lies here.
    assert_eq!(site.post(EXPORT, r#"{"proxies":true}"#).await.status, 200);
    let told = ended(&site).await;
    assert_eq!(told["state"], "failed");
    assert!(told["error"].as_str().unwrap().starts_with("there is no file of the take A01_"), "{told}");
}

#[tokio::test]
async fn finished_files_are_sent_and_no_others() {
    let root = tempfile::tempdir().unwrap();
    let (id, folder) = (id("A01", T0), root.path().join("A01").join(FOLDER));
    std::fs::create_dir_all(&folder).unwrap();
    let film = names::film(&Base { id: id.clone(), ip: ip(1) }, Film::Proxy);
    let [sheet, otio] = [Product::Sheet, Product::Otio].map(|product| names::file(&id, product));
    let foreign = [format!("{film}.part"), "holiday.mp4".to_owned(), "B_20251023_140210.otio".to_owned()];
    for name in foreign.iter().chain([&film, &sheet, &otio]) {
        std::fs::write(folder.join(name), "0123456789").unwrap();
    }
    let site = site(root.path()).await;
    let files = site.json(EXPORT).await["takes"][0]["files"].clone();
    let names: Vec<_> = files.as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, [film.as_str(), otio.as_str(), sheet.as_str()]);
    assert_eq!(files[0]["bytes"], 10);

    let at = |name: &str| format!("/media/A01/editor/{name}");
    let kept = site.get(&at(&otio)).await;
    let wanted = format!("attachment; filename=\"{otio}\"");
    assert_eq!((kept.status, kept.header("content-disposition")), (200, Some(wanted.as_str())));
    let played = site.ask("GET", &at(&film), &["Range: bytes=2-4"], "").await;
    assert_eq!((played.status, played.body.as_str(), played.header("content-type")), (206, "234", Some("video/mp4")));
    // The sheet is shown, and may do nothing.
    let shown = site.get(&at(&sheet)).await;
    assert_eq!((shown.status, shown.header("content-disposition")), (200, None));
    assert!(shown.header("content-security-policy").unwrap().starts_with("default-src 'none'; style-src"));
    for name in [foreign[0].as_str(), &foreign[1], "..%2feditor%2fholiday.mp4", "../../secret", ""] {
        assert_eq!(site.get(&at(name)).await.status / 100, 4, "{name}");
    }
}
