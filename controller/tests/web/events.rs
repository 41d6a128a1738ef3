//! What happened, for people and for programs, and what this installation is.

use std::sync::Arc;

use serde_json::Value;
use syncslate_controller::chronicle::{Happening, Kind};
use syncslate_controller::snapshot::Snapshot;
use syncslate_shared::protocol::Level;

use crate::client::Site;
use crate::stage::{T0, armed, ip};

const HOSTILE: &str = "left <script>alert(1)</script>: =1+1, \"twice\"";

fn happen(site: &Site, level: Level, node: Option<u8>, text: &str) {
    let happening = Happening { node: node.map(ip), ..Happening::new(level, Kind::Node, text) };
    site.stage.logbook.add(T0, happening);
}

async fn book() -> Site {
    let site = Site::open(armed(2)).await;
    happen(&site, Level::Info, None, "the controller starts");
    happen(&site, Level::Error, Some(1), HOSTILE);
    happen(&site, Level::Warning, Some(2), "centre is gone");
    site
}

#[tokio::test]
async fn the_newest_comes_first_and_one_node_can_be_asked_for() {
    let site = book().await;
    let page = site.get("/events").await.body;
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}: {page}"));
    assert!(at("centre is gone") < at("&lt;script&gt;") && at("&lt;script&gt;") < at("the controller starts"));
    assert!(!page.contains("<script>alert") && page.contains("data-level=\"error\""));
    let one = site.get("/events?node=192.168.1.102").await.body;
    assert!(one.contains("centre is gone") && !one.contains("the controller starts"));
    assert!(one.contains("<option value=\"192.168.1.102\" selected>centre</option>"), "{one}");
    let log = site.json("/api/events/log?after=1&node=").await;
    let numbers: Vec<_> = log["events"].as_array().unwrap().iter().map(|entry| entry["n"].as_u64().unwrap()).collect();
    assert_eq!((numbers, &log["latest"]), (vec![3, 2], &3.into()));
    assert_eq!(log["events"][1]["text"], HOSTILE);
    for query in ["node=left", "after=x", "whatever=1"] {
        let answer = site.get(&format!("/api/events/log?{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "malformed"), "{query}");
    }
}

#[tokio::test]
async fn all_of_it_is_had_as_a_file_oldest_first() {
    let site = book().await;
    let lines = site.get("/events.jsonl").await;
    assert_eq!(lines.header("content-disposition"), Some("attachment; filename=\"events.jsonl\""));
    let numbers: Vec<u64> =
        lines.body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let sheet = site.get("/events.csv?limit=2").await.body;
    assert_eq!(sheet.split("\r\n").count(), 4, "{sheet}");
    assert!(sheet.contains("2,2025-10-23T12:02:10.500000Z,error,node,192.168.1.101,,\"left <script>alert(1)</script>: =1+1, \"\"twice\"\"\""), "{sheet}");
}

#[tokio::test]
async fn an_open_page_hears_that_there_is_something_new() {
    let site = book().await;
    let mut live = site.events("/live").await;
    live.next().await.unwrap();
    site.stage.snapshot.send_replace(Arc::new(Snapshot { latest_event: 3, ..armed(2) }));
    let (_, view) = live.next().await.unwrap();
    assert_eq!(view["latest_event"], 3);
    let lines = site.json("/api/events/lines?after=2").await;
    assert_eq!((lines["events"][0]["key"].as_u64(), &lines["events"][0]["word"]), (Some(3), &"Warning".into()));
}

#[tokio::test]
async fn the_page_about_tells_what_there_is() {
    let site = Site::open(armed(2)).await;
    let page = site.get("/about").await.body;
    for words in [
        "anna",
        "operator",
        "0.0.0.0:1883",
        "/etc/syncslate/controller.toml",
        "Memory of the controller",
        "cmd/mark",
        "take/current",
        "high contrast",
        "centre",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("argon2"), "no hash is shown");
    let licences = site.get("/licences.txt").await;
    assert!(licences.status == 200 && licences.body.contains("\nwarp ") && licences.body.lines().count() > 100);
}
