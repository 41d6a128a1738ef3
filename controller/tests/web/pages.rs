//! What people get: pages that escape everything, in words, and assets that a browser may keep.

use std::sync::Arc;

use syncslate_controller::snapshot::SyncSummary;
use syncslate_report::Verdict;
use syncslate_report::names::{self, Form};
use syncslate_shared::protocol::{CurrentTake, Level, NodeState};
use syncslate_shared::time::{Clocks as _, SystemClocks};

use crate::client::Site;
use crate::stage::{T0, armed, download, empty, fault, finding, mark, node, on_disk, rolling, words};

const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}";

#[tokio::test]
async fn hostile_names_and_notes_are_text() {
    let mut snapshot = rolling(2, "A01", T0);
    words(&mut snapshot.nodes[0]).unwrap().name = HOSTILE.into();
    fault(&mut snapshot.nodes[1], HOSTILE);
    mark(&mut snapshot, 1_000_000, HOSTILE);
    snapshot.notices.push(HOSTILE.into());
    snapshot.takes = [on_disk("A01", T0, 2)].into();
    let site = Site::open(snapshot).await;
    for path in ["/", "/takes", "/takes/A01"] {
        let page = site.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("<script>") && !page.body.contains("\"'&"), "{path}");
        assert!(page.body.contains("&lt;script&gt;alert(1)"), "{path}");
    }
}

#[tokio::test]
async fn the_state_is_unmistakable() {
    let mut ended = rolling(3, "scene4_t07", T0);
    let mut take = ended.take.take().unwrap().unwrap();
    take.t1 = Some(T0.offset_us(93_450_000));
    ended.take = CurrentTake::of(Some(&take));
    ended.nodes = armed(3).nodes;
    let mut partial = rolling(3, "A01", T0);
    partial.nodes[1] = node(2, NodeState::Offline);
    let mut scattered = armed(3);
    fault(&mut scattered.nodes[0], "no camera");
    let standby = {
        let mut s = armed(1);
        s.nodes[0].state = NodeState::Standby;
        s
    };

    let table = [
        (empty(), ["STANDBY", "no camera has been heard of yet", "No take yet", "take_001", "00:00:00.0"]),
        (standby, ["STANDBY", "1 in standby", "No take yet", "take_001", "00:00:00.0"]),
        (armed(3), ["ARMED", "all 3 cameras are ready", "No take yet", "take_001", "00:00:00.0"]),
        (scattered, ["ARMED", "2 armed · 1 in fault", "No take yet", "take_001", "00:00:00.0"]),
        (rolling(3, "A01", T0), ["ROLLING", "all 3 cameras are recording", "A01", "A02", "00:00:00.0"]),
        (partial, ["ROLLING", "2 of 3 cameras are recording", "A01", "A02", "00:00:00.0"]),
        (ended, ["ARMED", "all 3 cameras are ready", "Last take scene4_t07", "scene4_t08", "00:01:33.4"]),
    ];
    for (snapshot, expected) in table {
        let site = Site::open(snapshot).await;
        let (_, view) = site.events("/live").await.next().await.unwrap();
        let found = ["word", "detail", "caption", "proposal", "length"].map(|field| view[field].as_str().unwrap());
        assert_eq!(found, expected);
        let page = site.get("/").await.body;
        assert!(page.contains(expected[0]) && page.contains(&format!("value=\"{}\"", expected[3])));
    }
}

#[tokio::test]
async fn trouble_comes_first_and_is_said_in_words() {
    let mut snapshot = rolling(5, "A01", T0);
    snapshot.nodes.push(node(6, NodeState::Offline));
    snapshot.nodes[4] = node(5, NodeState::Offline);
    words(&mut snapshot.nodes[2]).unwrap().fps = 22.5;
    finding(&mut snapshot.nodes[2], Level::Warning, "clock_off", "the clock is -12.3 ms off");
    snapshot.nodes[2].findings[0].remedy = "wait".into();
    finding(&mut snapshot.nodes[2], Level::Warning, "disk_short", "the disk is full in 125 s");
    finding(&mut snapshot.nodes[2], Level::Info, "clock_unknown", "good to know");
    fault(&mut snapshot.nodes[3], "the camera program ended");
    let (_, view) = Site::open(snapshot).await.events("/live").await.next().await.unwrap();

    let order: Vec<&str> = view["order"].as_array().unwrap().iter().map(|ip| &ip.as_str().unwrap()[10..]).collect();
    assert_eq!(order, ["104", "105", "103", "101", "102", "106"]);
    let findings = |n: u8| -> Vec<String> {
        let lines = view[format!("node 192.168.1.10{n}")]["findings"].as_array().unwrap();
        lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(findings(4), ["not recording the take that is rolling", "the camera program ended"]);
    assert_eq!(findings(5), ["not reachable in the middle of the take"]);
    assert_eq!(
        findings(3),
        ["the clock is -12.3 ms off: wait", "the disk is full in 125 s", "only 22.5 of 30 frames a second"]
    );
    let facts = view["node 192.168.1.103"]["facts"].as_array().unwrap();
    let warned = facts.iter().filter(|fact| fact["kind"] == "warn").map(|fact| fact["key"].as_str().unwrap());
    assert_eq!(warned.collect::<Vec<_>>(), ["fps", "clock", "disk"]);
    assert!(findings(1).is_empty() && findings(6).is_empty());
}

#[tokio::test]
async fn what_a_machine_cannot_tell_is_not_shown() {
    let mut snapshot = armed(1);
    let status = words(&mut snapshot.nodes[0]).unwrap();
    (status.clock, status.disk, status.temp_c, status.throttled, status.name) = (None, None, None, None, String::new());
    let (_, view) = Site::open(snapshot).await.events("/live").await.next().await.unwrap();
    let tile = &view["node 192.168.1.101"];
    assert_eq!((&tile["name"], tile["facts"].as_array().unwrap().len()), (&"192.168.1.101".into(), 1));
}

#[tokio::test]
async fn the_clock_runs_from_the_shared_clock() {
    let now = SystemClocks.wall();
    let page = Site::open(rolling(1, "A01", now.offset_us(-3_600_000_000))).await.get("/").await.body;
    assert!(page.contains(">01:00:0"), "{page}");
}

#[tokio::test]
async fn an_open_page_gets_what_changed_and_only_that() {
    let site = Site::open(armed(3)).await;
    let mut live = site.events("/live").await;
    let (name, all) = live.next().await.unwrap();
    assert_eq!(name, "view");
    assert!(all["order"].as_array().unwrap().len() == 3 && all["assets"].is_string());

    let mut next = armed(3);
    words(&mut next.nodes[1]).unwrap().temp_c = Some(61.0);
    next.at = next.at.offset_us(1);
    site.stage.snapshot.send_replace(Arc::new(next.clone()));
    let (_, changed) = live.next().await.unwrap();
    assert_eq!(changed.as_object().unwrap().keys().collect::<Vec<_>>(), ["node 192.168.1.102"]);

    next.downloads.push(download("A01"));
    site.stage.snapshot.send_replace(Arc::new(next));
    let (_, changed) = live.next().await.unwrap();
    let parts = changed["downloads"][0]["parts"].as_array().unwrap();
    let percents: Vec<u64> = parts.iter().map(|part| part["percent"].as_u64().unwrap()).collect();
    assert_eq!(percents, [37, 100, 6, 0]);
}

#[tokio::test]
async fn many_takes_are_found_by_their_names_and_leafed_through() {
    let mut snapshot = armed(1);
    snapshot.takes = (0..230).rev().map(|n| on_disk(&format!("scene_{n:03}"), T0, 1)).collect();
    let site = Site::open(snapshot).await;
    let count = |page: &str| page.matches("href=\"/takes/scene_").count();
    let first = site.get("/takes").await.body;
    assert!(count(&first) == 100 && first.contains("230 takes") && first.contains("scene_229"));
    assert!(first.contains("href=\"/takes?page&#x3D;2\"") && !first.contains("Newer"), "{first}");
    let last = site.get("/takes?page=3").await.body;
    assert!(count(&last) == 30 && last.contains("scene_000") && !last.contains("Older"));
    assert_eq!(count(&site.get("/takes?page=999").await.body), 30);
    let found = site.get("/takes?name=ENE_11").await.body;
    assert!(count(&found) == 10 && found.contains("10 takes"));
    let none = site.get("/takes?name=%3Cb%3E").await.body;
    assert!(count(&none) == 0 && none.contains("No take has “&lt;b&gt;” in its name"));
    assert_eq!(site.get("/takes?nme=a").await.status, 400);
}

#[tokio::test]
async fn the_first_load_is_small_and_all_of_it_comes_from_here() {
    let mut snapshot = armed(12);
    snapshot.takes = (0..50).map(|n| on_disk(&format!("A{n}"), T0, 12)).collect();
    let site = Site::open(snapshot).await;
    let page = site.get("/").await;
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'self'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert!(!page.body.contains("http://") && !page.body.contains("https://") && !page.body.contains("style="));
    let start = page.body.find("/assets/").unwrap();
    let folder = &page.body[start..start + "/assets/".len() + 16];
    let mut bytes = page.body.len();
    let scripts = [
        "page", "live", "bind", "clock", "controls", "confirm", "keeping", "names", "post", "previews", "picture",
        "texts",
    ];
    let scripts = scripts.iter().map(|name| format!("{name}.js"));
    for name in scripts.chain(["style.css", "icon.svg"].map(str::to_owned)) {
        let asset = site.get(&format!("{folder}/{name}")).await;
        assert_eq!((asset.status, asset.header("cache-control").unwrap().contains("immutable")), (200, true), "{name}");
        bytes += asset.body.len();
    }
    assert!(bytes < 110_000, "{bytes} bytes");
    assert_eq!(site.get("/assets/0000000000000000/page.js").await.status, 404);
    assert_eq!(site.get(&format!("{folder}/../style.css")).await.status, 404);
}

#[tokio::test]
async fn a_take_lists_its_files() {
    let mut snapshot = armed(2);
    snapshot.takes = [on_disk("A01", T0, 2)].into();
    let site = Site::open(snapshot).await;
    let page = site.get("/takes/A01").await.body;
    assert_eq!(page.matches("href=\"/media/A01/192.168.1.10").count(), 12);
    assert!(page.contains("footage, part 2") && page.contains("every frame with its time"));
    for (path, status) in [("/takes/B01", 404), ("/takes/..", 400), ("/takes/A01/x", 404), ("/nope", 404)] {
        let page = site.ask("GET", path, &["Accept: text/html,*/*;q=0.8"], "").await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.body.starts_with("<!doctype html>"), "{path}");
    }
}

#[tokio::test]
async fn a_takes_sync_is_told_in_the_lists_and_opens_as_a_page_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let mut snapshot = empty();
    let mut take = on_disk("A01", T0, 2);
    let id = take.ids[0].clone();
    let summary = "2 cameras: 1 frame is missing; nearest frames lie 3.00 ms apart".to_owned();
    take.sync.push(SyncSummary { id: id.clone(), verdict: Verdict::Amber, complete: false, summary: summary.clone() });
    snapshot.takes = [take, on_disk("B02", T0, 1)].into();
    let folder = root.path().join("A01");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(names::file(&id, Form::Html)), "<!DOCTYPE html><p>the page").unwrap();
    std::fs::write(folder.join(names::file(&id, Form::Json)), r#"{"v":1}"#).unwrap();
    let site = Site::with_downloads(snapshot, root.path()).await;
    for page in ["/takes", "/", "/takes/A01"] {
        let html = site.get(page).await.body;
        assert!(html.contains("Look first, first look") && html.contains(r#"data-verdict="amber""#), "{page}");
    }
    assert!(site.get("/takes/A01").await.body.contains(&format!("/takes/A01/sync/{}", id.stamp)));
    for page in ["/takes/A01/sync".to_owned(), format!("/takes/A01/sync/{}", id.stamp)] {
        let answer = site.get(&page).await;
        assert_eq!(answer.body, "<!DOCTYPE html><p>the page");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"), "{policy}");
    }
    assert_eq!(site.get("/api/takes/A01/sync").await.body, r#"{"v":1}"#);
    let listed = site.get("/api/takes").await.body;
    assert!(listed.contains(&summary) && listed.contains(r#""verdict":"amber""#), "{listed}");
    for nothing in ["/takes/B02/sync", "/takes/A01/sync/20010101_000000", "/api/takes/C03/sync", "/takes/A01/sync/x/y"]
    {
        assert_eq!(site.get(nothing).await.status, 404, "{nothing}");
    }
}
