//! What programs get: state, takes, events, health, metrics, refusals.

use std::sync::Arc;

use syncslate_controller::snapshot::News;
use syncslate_controller::web;
use syncslate_shared::protocol::NodeState;

use crate::client::Site;
use crate::stage::{self, T0, armed, download, empty, mark, node, on_disk, rolling, words};

#[tokio::test]
async fn the_state_is_the_topics_json() {
    let mut snapshot = rolling(2, "A01", T0);
    mark(&mut snapshot, 1_500_000, "clap");
    snapshot.downloads.push(download("A00"));
    snapshot.takes = (0..20).map(|n| on_disk(&format!("B{n}"), T0, 1)).collect();
    let site = Site::open(snapshot.clone()).await;
    let state = site.json("/api/state").await;
    assert_eq!(state["take"], serde_json::to_value(&snapshot.take).unwrap());
    assert_eq!(state["marks"], serde_json::to_value(&snapshot.marks).unwrap());
    assert_eq!(state["nodes"][1]["status"]["name"], "centre");
    assert_eq!(state["downloads"][0]["nodes"]["192.168.1.102"]["state"], "done");
    assert_eq!(state["takes"].as_array().unwrap().len(), 8);

    assert_eq!(site.json("/api/takes").await["takes"].as_array().unwrap().len(), 20);
    let take = site.json("/api/takes/B7").await;
    assert_eq!((take["take"].as_str(), take["nodes"][0]["files"].as_array().unwrap().len()), (Some("B7"), 6));
}

#[tokio::test]
async fn refusals_have_one_shape() {
    let site = Site::open(armed(1)).await;
    let table = [
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/api/nope", 404, "not_found"),
        ("GET", "/api/takes/A01", 404, "unknown_take"),
        ("GET", "/api/takes/-rf", 400, "invalid_take_name"),
        ("GET", "/api/start", 405, "method_not_allowed"),
        ("POST", "/api/state", 405, "method_not_allowed"),
        ("POST", "/api/dance", 404, "not_found"),
        ("DELETE", "/api/takes/A01", 405, "method_not_allowed"),
    ];
    for (method, path, status, code) in table {
        let answer = site.ask(method, path, &[], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {path}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
    }
    assert_eq!(site.get("/healthz").await.body, "ok\n");
}

#[tokio::test]
async fn events_begin_with_the_state_and_go_on_with_the_topics() {
    let site = Site::open(armed(1)).await;
    let mut events = site.events("/api/events").await;
    let (name, state) = events.next().await.unwrap();
    assert_eq!((name.as_str(), &state["nodes"][0]["ip"]), ("state", &"192.168.1.101".into()));
    site.stage.news.send(News { topic: "status/192.168.1.101".into(), json: r#"{"v":1}"#.into() }).unwrap();
    assert_eq!(events.next().await.unwrap(), ("status/192.168.1.101".into(), serde_json::json!({"v":1})));
    loop {
        let (name, data) = events.any().await.unwrap();
        if name == "beat" {
            assert!(data["at"].as_str().unwrap().ends_with('Z'));
            break;
        }
    }
}

#[tokio::test]
async fn a_reader_that_fell_behind_gets_the_state_anew() {
    let site = Site::open(armed(1)).await;
    let mut events = site.events("/api/events").await;
    assert_eq!(events.next().await.unwrap().0, "state");
    // More than the channel holds, sent without giving the stream a chance to run in between.
    site.stage.snapshot.send_replace(Arc::new(armed(2)));
    for n in 0..9 {
        site.stage.news.send(News { topic: "takes".into(), json: n.to_string() }).unwrap();
    }
    let (name, state) = events.next().await.unwrap();
    assert_eq!((name.as_str(), state["nodes"].as_array().unwrap().len()), ("state", 2));
    assert_eq!(events.next().await.unwrap(), ("takes".into(), 5.into()));
}

#[tokio::test]
async fn open_streams_end_with_the_server() {
    let site = Site::open(armed(1)).await;
    let (mut events, mut live) = (site.events("/api/events").await, site.events("/live").await);
    events.next().await.unwrap();
    live.next().await.unwrap();
    site.close().await;
    assert!(events.next().await.is_none() && live.next().await.is_none());
}

#[tokio::test]
async fn metrics_are_in_the_text_format() {
    let mut snapshot = rolling(2, "A01", T0);
    words(&mut snapshot.nodes[0]).unwrap().name = "a \"b\"\\\n".into();
    words(&mut snapshot.nodes[1]).unwrap().temp_c = None;
    snapshot.nodes.push(node(3, NodeState::Offline));
    snapshot.downloads.push(download("A01"));
    let text = Site::open(snapshot).await.get("/metrics").await.body;
    for line in [
        "syncslate_build_info{version=\"0.1.0\"} 1",
        "syncslate_rolling 1",
        "syncslate_nodes{state=\"rolling\"} 2",
        "syncslate_nodes{state=\"offline\"} 1",
        "syncslate_downloads{state=\"running\"} 1",
        "syncslate_node_up{node=\"192.168.1.103\",name=\"right\"} 0",
        "syncslate_node_frames{node=\"192.168.1.102\",name=\"centre\"} 2503",
        "syncslate_node_clock_offset_seconds{node=\"192.168.1.102\",name=\"centre\"} -0.000006",
        "syncslate_node_frames{node=\"192.168.1.101\",name=\"a \\\"b\\\"\\\\\\n\"} 2503",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("temperature_celsius{node=\"192.168.1.102\""), "a made-up number");
    assert!(!text.contains("_fps{node=\"192.168.1.103\""), "what a node that is gone said last");
    let well_formed = |line: &str| {
        line.starts_with("# ")
            || line
                .rsplit_once(' ')
                .is_some_and(|(name, value)| name.starts_with("syncslate_") && value.parse::<f64>().is_ok())
    };
    assert!(text.lines().all(well_formed), "{text}");
}

#[tokio::test]
async fn a_taken_port_is_said_with_a_hint() {
    let site = Site::open(empty()).await;
    let (door, _stage) = stage::door(empty(), std::path::Path::new("."));
    let failure = web::serve(site.at, door, std::future::pending()).await.err().unwrap().to_string();
    let expected = format!("cannot serve the page on {}: port {} is taken", site.at, site.at.port());
    assert!(failure.starts_with(&expected) && failure.contains("hint: "), "{failure}");
}
