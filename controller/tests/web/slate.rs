//! The page that cameras film, and having a take's footage searched for it.

use std::time::Duration;

use syncslate_controller::snapshot::Snapshot;
use syncslate_shared::time::Wall;
use syncslate_slate::model::{self, Light, Verdict};

use crate::client::Site;
use crate::stage::{T0, download, empty, id, on_disk, rolling};

fn light(verdict: Verdict) -> Light {
    Light {
        v: model::VERSION,
        version: "0.1.0".into(),
        id: id("A01", T0),
        at: Wall::from_micros(T0.micros() + 90_000_000),
        verdict,
        summary: "stamps and light differ: <b>left</b> is furthest from the middle, −40.0 ms ± 3.0 ms".into(),
        hint: "look at that camera's clock".into(),
        window_s: Some(60.0),
        nodes: Vec::new(),
        showings: Vec::new(),
    }
}

#[tokio::test]
async fn the_slate_has_the_takes_name_and_nothing_around_it() {
    let site = Site::open(rolling(2, "A01", T0)).await;
    let page = site.get("/slate").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<canvas id=\"code\"") && page.body.contains(">A01</h1>"), "{}", page.body);
    assert!(page.body.contains("data-kind=\"rolling\"") && !page.body.contains("<nav"), "{}", page.body);
    assert!(site.get("/").await.body.contains("href=\"/slate\""));
    let assets = page.body.split("/assets/").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    for name in ["slate.js", "slatecode.js", "slatetable.js", "slate.css", "verify.js"] {
        assert_eq!(site.get(&format!("/assets/{assets}/{name}")).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn what_light_said_stands_on_the_takes_page() {
    let root = tempfile::tempdir().unwrap();
    let snapshot = Snapshot { takes: [on_disk("A01", T0, 2)].into(), ..empty() };
    let site = Site::with_downloads(snapshot, root.path()).await;
    let page = site.get("/takes/A01").await.body;
    assert!(page.contains("Not checked by light") && page.contains("data-verify"), "{page}");
    assert_eq!(site.json("/api/takes/A01/light").await["light"], serde_json::Value::Null);
    let folder = root.path().join("A01");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(model::file(&id("A01", T0)));
    std::fs::write(&file, serde_json::to_vec(&light(Verdict::Differs)).unwrap()).unwrap();
    let page = site.get("/takes/A01").await.body;
    assert!(page.contains("Light differs") && page.contains("&lt;b&gt;left&lt;/b&gt; is furthest"), "{page}");
    assert_eq!(site.json("/api/takes/A01/light").await["light"]["verdict"], "differs");
    let stamp = id("A01", T0).stamp;
    assert_eq!(site.json(&format!("/api/takes/A01/light/{stamp}")).await["running"], false);
    assert_eq!(site.get("/api/takes/A01/light/20010101_000000").await.status, 404);
    std::fs::write(&file, "{}").unwrap();
    assert!(site.get("/takes/A01").await.body.contains("Not checked by light"));
}

#[tokio::test]
async fn a_search_is_begun_refused_and_its_failure_is_told() {
    let root = tempfile::tempdir().unwrap();
    let takes = vec![on_disk("A01", T0, 1), on_disk("A02", T0, 1)];
    let snapshot = Snapshot { takes: takes.into(), downloads: vec![download("A02")], ..empty() };
    let site = Site::with_downloads(snapshot, root.path()).await;
    let table = [
        ("/api/takes/A03/verify", "", 404),
        ("/api/takes/A02/verify", "", 409),
        ("/api/takes/A01/verify", r#"{"stamp":"20010101_000000"}"#, 404),
        ("/api/takes/A01/verify", r#"{"stamp":"../.."}"#, 400),
    ];
    for (path, body, status) in table {
        assert_eq!(site.post(path, body).await.status, status, "{path} {body}");
    }
    assert_eq!(site.get("/api/takes/A01/verify").await.status, 405);
    let stranger = ["Content-Type: application/json", "Origin: http://elsewhere"];
    assert_eq!(site.ask("POST", "/api/takes/A01/verify", &stranger, "{}").await.status, 403);
    assert_eq!(site.post("/api/takes/A01/verify", "").await.status, 202);
    let told = loop {
        let told = site.json("/api/takes/A01/light").await;
        if told["running"] == false {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(told["problem"].as_str().is_some_and(|why| why.contains("cannot read")), "{told}");
}
