//! Live pictures, a camera's own page, and orders to its computer.

use serde_json::Value;
use syncslate_shared::command::{ErrorCode, Refusal, Wish};
use syncslate_shared::order::Action;
use syncslate_shared::protocol::{Level, NodeState};

use crate::client::Site;
use crate::commands::answered;
use crate::stage::{T0, armed, fault, finding, ip, node, rolling, words};

const PATH: &str = "/nodes/192.168.1.101/preview.jpg";
const JPEG: &[u8] = b"\xff\xd8 a picture \xff\xd9";

#[tokio::test]
async fn whoever_asks_for_a_picture_renews_the_lease_and_gets_the_newest() {
    let mut site = Site::open(armed(2)).await;
    let none = site.get(PATH).await;
    assert_eq!((none.status, none.code().as_str(), none.header("retry-after")), (503, "not_ready", Some("1")));
    assert!(none.body.contains("no picture: the first one is on its way"), "{}", none.body);
    let lease = site.stage.leases.try_recv().unwrap();
    assert_eq!((lease.nodes, lease.fps, lease.for_s, lease.width), (Some(vec![ip(1)]), 2.0, 10.0, None));

    site.stage.viewfinder.show(ip(1), JPEG.into());
    // Nobody looks at that one.
    site.stage.viewfinder.show(ip(2), JPEG.into());
    let first = site.get(PATH).await;
    assert_eq!((first.status, first.header("content-type")), (200, Some("image/jpeg")));
    assert_eq!((first.header("cache-control"), first.body.contains(" a picture ")), (Some("no-store"), true));
    assert!(first.header("picture-age-ms").unwrap().parse::<u64>().unwrap() < 20_000);
    let tag = first.header("etag").unwrap().to_owned();
    let known = format!("If-None-Match: {tag}");
    let same = site.ask("GET", PATH, &[&known], "").await;
    assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", Some(tag.as_str())));
    assert!(same.header("picture-age-ms").is_some());
    site.stage.viewfinder.show(ip(1), JPEG.into());
    let next = site.ask("GET", PATH, &[&known], "").await;
    assert!(next.status == 200 && next.header("etag") != Some(tag.as_str()));
    assert!(site.stage.leases.try_recv().is_err(), "the lease stands still");

    assert_eq!(site.get(&format!("{PATH}?width=native")).await.status, 200);
    assert_eq!(site.stage.leases.try_recv().unwrap().width, Some(0));
    let wrong = site.get(&format!("{PATH}?width=9")).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "malformed"));
}

#[tokio::test]
async fn why_there_is_no_picture_is_said() {
    let mut snapshot = armed(3);
    snapshot.nodes[0] = node(1, NodeState::Offline);
    snapshot.nodes[1].state = NodeState::Standby;
    fault(&mut snapshot.nodes[2], "the ribbon cable is loose");
    let site = Site::open(snapshot).await;
    for (n, words) in [(1, "not reachable"), (2, "not running"), (3, "the ribbon cable is loose")] {
        let answer = site.get(&format!("/nodes/192.168.1.10{n}/preview.jpg")).await;
        assert!(answer.status == 503 && answer.body.contains(words), "{n}: {}", answer.body);
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    }
    for stranger in ["192.168.1.109", "left", "::1", ".."] {
        let answer = site.get(&format!("/nodes/{stranger}/preview.jpg")).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{stranger}");
        assert_eq!(site.get(&format!("/nodes/{stranger}")).await.status, 404, "{stranger}");
    }
}

#[tokio::test]
async fn orders_go_the_way_of_all_commands() {
    let (answer, wish) = answered("nodes/192.168.1.102/identify", "", Ok(())).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(wish, Ok(Wish::Order { action: Action::Identify, nodes: Some(vec![ip(2)]), force: false }));
    let body = r#"{"nodes":["192.168.1.101"],"force":true}"#;
    let (_, wish) = answered("shutdown", body, Ok(())).await;
    assert_eq!(wish, Ok(Wish::Order { action: Action::Shutdown, nodes: Some(vec![ip(1)]), force: true }));
    let refused = Refusal::new(ErrorCode::AlreadyRolling, "the take A01 is rolling: STOP it first");
    let (answer, wish) = answered("reboot", "{}", Err(refused)).await;
    assert_eq!(wish, Ok(Wish::Order { action: Action::Reboot, nodes: None, force: false }));
    assert_eq!((answer.status, answer.code().as_str()), (409, "already_rolling"));

    let site = Site::open(armed(1)).await;
    for (method, path, status) in [
        ("POST", "/api/nodes/192.168.1.109/identify", 404),
        ("GET", "/api/nodes/192.168.1.101/identify", 405),
        ("GET", "/api/shutdown", 405),
        ("POST", "/api/nodes/192.168.1.101/reboot", 404),
    ] {
        assert_eq!(site.ask(method, path, &[], "").await.status, status, "{method} {path}");
    }
    let foreign = site.ask("POST", "/api/nodes/192.168.1.101/identify", &["Origin: http://evil.example"], "").await;
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn a_camera_has_a_page_of_its_own() {
    let mut snapshot = rolling(2, "A01", T0);
    finding(&mut snapshot.nodes[0], Level::Warning, "disk_short", "the disk is full in 6 min");
    words(&mut snapshot.nodes[0]).unwrap().name = "<b>left</b>".into();
    words(&mut snapshot.nodes[0]).unwrap().dropped = 3;
    let site = Site::open(snapshot.clone()).await;
    assert!(site.get("/").await.body.contains("href=\"/nodes/192.168.1.101\""));
    let page = site.get("/nodes/192.168.1.101").await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<b>left") && page.body.contains("&lt;b&gt;left"));
    for words in ["the disk is full in 6 min", "3: camera 0", "1920×1080 at 30 fps", "by chrony", "T0 +3.21 ms"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(page.body.contains("<canvas id=\"picture\" width=\"1920\" height=\"1080\""));

    let mut live = site.events("/live/192.168.1.101").await;
    let (_, all) = live.next().await.unwrap();
    let facts = all["facts"].as_array().unwrap();
    let warned: Vec<&Value> = facts.iter().filter(|fact| fact["kind"] == "warn").map(|fact| &fact["key"]).collect();
    assert_eq!((warned, &all["word"]), (vec![&Value::from("disk")], &Value::from("rolling")));
    assert!(all["assets"].is_string() && all.get("order").is_none());
    // A node that is gone keeps what stays true.
    snapshot.nodes[0].state = NodeState::Offline;
    site.stage.snapshot.send_replace(std::sync::Arc::new(snapshot));
    let (_, changed) = live.next().await.unwrap();
    let keys: Vec<&str> = changed["facts"].as_array().unwrap().iter().map(|f| f["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"model") && !keys.contains(&"frames"), "{keys:?}");
}
