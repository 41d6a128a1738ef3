//! What ends a bare rumqttd for everybody, a hundred times each, and what else a bad client or a bad cable does.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::time::Duration;

use rig::{Raw, Rig, connect, connect_will, field, packet, publish, subscribe, wait_for};
use syncslate_broker::Event;

/// Three nodes and an observer that must not notice anything.
struct Fleet {
    nodes: Vec<Raw>,
    observer: Raw,
    sent: u32,
}

impl Fleet {
    async fn new(rig: &Rig) -> Fleet {
        let mut observer = Raw::connect(rig.addr, "observer").await;
        observer.send(&subscribe("status/+", 1)).await;
        observer.packet().await;
        let mut nodes = Vec::new();
        for i in 0..3 {
            let mut node = Raw::connect(rig.addr, &format!("node-{i}")).await;
            node.send(&subscribe("take/#", 1)).await;
            node.packet().await;
            nodes.push(node);
        }
        Fleet { nodes, observer, sent: 0 }
    }

    /// Every node publishes on its first connection, and all of it arrives once and in order.
    async fn works(&mut self) {
        self.sent += 1;
        for (i, node) in self.nodes.iter_mut().enumerate() {
            let payload = self.sent.to_string();
            node.send(&publish(&format!("status/{i}"), &payload, 1, false, 1)).await;
            assert_eq!(node.packet().await, [0x40, 2, 0, 1]);
            let got = self.observer.packet().await;
            assert!(got.ends_with(payload.as_bytes()) && got[0] == 0x32, "{got:?}");
            let id = 2 + 2 + format!("status/{i}").len();
            self.observer.send(&[0x40, 2, got[id], got[id + 1]]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_start_with_any_character() {
    let rig = Rig::new().await;
    let mut fleet = Fleet::new(&rig).await;
    let mut all = Raw::connect(rig.addr, "all").await;
    all.send(&subscribe("été/#", 0)).await;
    all.packet().await;
    for _ in 0..100 {
        let mut raw = Raw::connect(rig.addr, "é").await;
        raw.send(&publish("été/1", "x", 1, false, 1)).await;
        raw.packet().await;
        assert_eq!(all.packet().await, publish("été/1", "x", 0, false, 0));
        fleet.works().await;
    }
    assert_eq!(rig.broker.stats().restarts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_reset_with_the_same_client_id() {
    let rig = Rig::new().await;
    let mut fleet = Fleet::new(&rig).await;
    for round in 0..100 {
        for id in ["flaky", "a/b", "+", "#", "$x"] {
            let mut raw = Raw::open(rig.addr).await;
            raw.send(&connect_will(id, round % 2 == 0, "will/x", "gone")).await;
            // With nothing read and no linger, closing sends RST.
            raw.stream.set_zero_linger().unwrap();
        }
        fleet.works().await;
    }
    wait_for("all to be gone", async || rig.broker.stats().connections == 4).await;
    assert_eq!(rig.broker.stats().restarts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnects_while_hundreds_of_messages_are_queued() {
    let rig = Rig::new().await;
    let mut fleet = Fleet::new(&rig).await;
    let mut flood = Raw::connect(rig.addr, "flood").await;
    let burst: Vec<u8> = (0..400).flat_map(|_| publish("flood", &"x".repeat(100), 0, false, 0)).collect();
    for _ in 0..100 {
        let mut raw = Raw::connect(rig.addr, "reader").await;
        raw.send(&subscribe("flood", 0)).await;
        raw.packet().await;
        flood.send(&burst).await;
        raw.send(&[0xe0, 0]).await;
        fleet.works().await;
    }
    wait_for("all to be gone", async || rig.broker.stats().connections == 5).await;
    assert_eq!(rig.broker.stats().restarts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_on_every_port() {
    let dir = tempfile::tempdir().unwrap();
    let tls = rig::certificate(dir.path());
    let rig = Rig::with(|c| {
        c.tls = Some(tls);
        c.websocket = Some(([127, 0, 0, 1], 0).into());
        c.limits.connect = Duration::from_millis(700);
    })
    .await;
    let mut fleet = Fleet::new(&rig).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        for addr in [rig.addr, rig.broker.tls_addr().unwrap(), rig.broker.websocket_addr().unwrap()] {
            idle.push(Raw::open(addr).await);
        }
    }
    fleet.works().await;
    let port = rig.broker.tls_addr().unwrap().port().to_string();
    let ca = dir.path().join("chain.pem");
    rig.mosquitto_pub(&["-p", &port, "--cafile", ca.to_str().unwrap(), "-t", "x", "-m", "x"]).await;
    for raw in &mut idle {
        raw.closed().await;
    }
    wait_for("all to be gone", async || rig.broker.stats().connections == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_allowed_cost_only_themselves() {
    let rig = Rig::with(|c| c.limits.connections = 10).await;
    let mut fleet = Fleet::new(&rig).await;
    for _ in 0..20 {
        let mut held = Vec::new();
        for i in 0..12 {
            let mut raw = Raw::open(rig.addr).await;
            raw.send(&connect(4, &format!("{i}"), true, 0)).await;
            held.push(raw);
        }
        for raw in &mut held[6..] {
            raw.closed().await;
        }
        fleet.works().await;
        drop(held);
        wait_for("room again", async || rig.broker.stats().connections == 4).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_reads_nothing_costs_only_itself() {
    let mut rig = Rig::with(|c| c.limits.session = 4 << 20).await;
    let mut fleet = Fleet::new(&rig).await;
    let mut lazy = Raw::connect(rig.addr, "lazy").await;
    lazy.send(&subscribe("flood", 1)).await;
    let mut flood = Raw::connect(rig.addr, "flood").await;
    let payload = "x".repeat(100_000);
    for i in 1..=400 {
        flood.send(&publish("flood", &payload, 1, false, i)).await;
        assert_eq!(flood.packet().await[0], 0x40);
        if i % 40 == 0 {
            fleet.works().await;
        }
    }
    assert_eq!(rig.event().await, Event::Slow { client: "lazy".to_owned(), closed: true });
    wait_for("it to be gone", async || rig.broker.stats().connections == 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_socket_takes_nothing_is_given_up() {
    let mut rig = Rig::with(|c| c.limits.stall = Duration::from_millis(300)).await;
    let mut lazy = Raw::connect(rig.addr, "lazy").await;
    lazy.send(&subscribe("flood", 0)).await;
    let mut flood = Raw::connect(rig.addr, "flood").await;
    // More than all buffers of a socket; it fits into what may wait for a client.
    let payload = "x".repeat(1_000_000);
    for _ in 0..20 {
        flood.send(&publish("flood", &payload, 1, false, 1)).await;
        assert_eq!(flood.packet().await[0], 0x40);
    }
    loop {
        match rig.broker.events().recv().await.unwrap() {
            Event::Disconnected { client, why } if client == "lazy" => {
                assert_eq!(why, "reads nothing");
                break;
            }
            _ => {}
        }
    }
    // Who was silent for longer than that and then speaks is not given up.
    tokio::time::sleep(Duration::from_millis(400)).await;
    flood.send(&[0xc0, 0]).await;
    assert_eq!(flood.packet().await, [0xd0, 0]);
    drop(lazy);
}

#[tokio::test(flavor = "multi_thread")]
async fn keep_alive_is_enforced_also_while_messages_flow() {
    let rig = Rig::new().await;
    let mut watcher = Raw::connect(rig.addr, "watcher").await;
    watcher.send(&subscribe("will/x", 0)).await;
    watcher.packet().await;
    let mut dead = Raw::open(rig.addr).await;
    let mut connect = connect_will("dead", true, "will/x", "gone");
    connect[11] = 1;
    dead.send(&connect).await;
    dead.packet().await;
    dead.send(&subscribe("tick", 0)).await;
    let mut ticker = Raw::connect(rig.addr, "ticker").await;
    let ticking = tokio::spawn(async move {
        loop {
            ticker.send(&publish("tick", "x", 0, false, 0)).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(watcher.packet().await, publish("will/x", "gone", 0, false, 0));
    dead.closed().await;
    ticking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_says_the_old_will_before_the_new_client_speaks() {
    let rig = Rig::new().await;
    let mut watcher = Raw::connect(rig.addr, "watcher").await;
    watcher.send(&subscribe("status/n", 1)).await;
    watcher.packet().await;
    for round in 0..50 {
        let mut old = Raw::open(rig.addr).await;
        old.send(&connect_will("n", true, "status/n", "offline")).await;
        old.packet().await;
        let mut new = Raw::open(rig.addr).await;
        new.send(&connect_will("n", true, "status/n", "offline")).await;
        assert_eq!(new.packet().await, [0x20, 2, 0, 0]);
        new.send(&publish("status/n", "online", 0, true, 0)).await;
        new.send(&[0xe0, 0]).await;
        assert!(watcher.packet().await.ends_with(b"offline"), "round {round}");
        assert!(watcher.packet().await.ends_with(b"online"), "round {round}");
        old.closed().await;
        new.closed().await;
    }
    let mut late = Raw::connect(rig.addr, "late").await;
    late.send(&subscribe("status/n", 0)).await;
    late.packet().await;
    assert!(late.packet().await.ends_with(b"online"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_live_on_keep_their_will_to_themselves() {
    let rig = Rig::new().await;
    let mut watcher = Raw::connect(rig.addr, "watcher").await;
    watcher.send(&subscribe("#", 1)).await;
    watcher.packet().await;
    let mut old = Raw::open(rig.addr).await;
    old.send(&connect_will("n", false, "status/n", "offline")).await;
    old.packet().await;
    let mut new = Raw::open(rig.addr).await;
    new.send(&connect_will("n", false, "status/n", "offline")).await;
    assert_eq!(new.packet().await, [0x20, 2, 1, 0], "session present");
    old.closed().await;
    new.send(&publish("end", "x", 0, false, 0)).await;
    assert_eq!(watcher.packet().await, publish("end", "x", 0, false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_qos_2_message_sent_twice_is_delivered_once() {
    let rig = Rig::new().await;
    let mut got = Raw::connect(rig.addr, "got").await;
    got.send(&subscribe("q", 0)).await;
    got.packet().await;
    let mut raw = Raw::connect(rig.addr, "raw").await;
    let once = publish("q", "once", 2, false, 7);
    let mut again = once.clone();
    again[0] |= 8;
    for bytes in [&once, &again, &again] {
        raw.send(bytes).await;
        assert_eq!(raw.packet().await, [0x50, 2, 0, 7]);
    }
    raw.send(&[0x62, 2, 0, 7]).await;
    assert_eq!(raw.packet().await, [0x70, 2, 0, 7]);
    raw.send(&publish("q", "next", 2, false, 7)).await;
    assert_eq!(got.packet().await, publish("q", "once", 0, false, 0));
    assert_eq!(got.packet().await, publish("q", "next", 0, false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_standard_forbids_is_answered_as_it_says() {
    let rig = Rig::new().await;
    // A filter is refused, the connection lives.
    let mut raw = Raw::connect(rig.addr, "raw").await;
    for bad in ["", "a/#/b", "a+", "$share/g", "$share/+/x"] {
        raw.send(&subscribe(bad, 0)).await;
        assert_eq!(raw.packet().await, [0x90, 3, 0, 1, 0x80], "{bad:?}");
    }
    let mut unsubscribe = vec![0, 9];
    unsubscribe.extend(field("never/seen"));
    raw.send(&packet(0xa2, &unsubscribe)).await;
    assert_eq!(raw.packet().await, [0xb0, 2, 0, 9]);
    // A topic ends the connection.
    for bad in ["", "a/+", "#"] {
        let mut raw = Raw::connect(rig.addr, "bad").await;
        raw.send(&publish(bad, "x", 0, false, 0)).await;
        raw.closed().await;
        let mut raw = Raw::connect5(rig.addr, "bad5").await;
        let mut body = field(bad);
        body.push(0);
        raw.send(&packet(0x30, &body)).await;
        assert_eq!(raw.packet().await, [0xe0, 2, 0x90, 0]);
    }
    // Another version gets its code.
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&connect(3, "old", true, 0)).await;
    assert_eq!(raw.packet().await, [0x20, 2, 0, 1]);
    // An empty id without a clean session too.
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&connect(4, "", false, 0)).await;
    assert_eq!(raw.packet().await, [0x20, 2, 0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_takeovers_leaves_one() {
    let rig = Rig::new().await;
    let mut all = Vec::new();
    for _ in 0..200 {
        let mut raw = Raw::open(rig.addr).await;
        raw.send(&connect(4, "same", true, 0)).await;
        all.push(raw);
    }
    wait_for("one to be left", async || {
        let stats = rig.broker.stats();
        stats.connections == 1 && stats.sessions == 1
    })
    .await;
}
