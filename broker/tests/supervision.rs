//! Listeners that die, hang, block a thread or lose their socket: new clients get in within a second, those that are
//! there notice nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod rig;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rig::{Raw, Rig, publish, subscribe, wait_for};
use syncslate_broker::{Event, Sabotage};

const ALL: [Sabotage; 4] = [Sabotage::Die, Sabotage::Hang, Sabotage::Block, Sabotage::Close];

/// Connects again and again until it is let in.
async fn let_in(addr: SocketAddr, id: &str) {
    let mut tries = 0;
    wait_for("to be let in", async || {
        tries += 1;
        let id = format!("{id}-{tries}");
        tokio::time::timeout(Duration::from_millis(50), async {
            let mut raw = Raw { stream: tokio::net::TcpStream::connect(addr).await.ok()? };
            tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &rig::connect(4, &id, true, 0)).await.ok()?;
            raw.try_packet().await
        })
        .await
        .is_ok_and(|ack| ack.is_some())
    })
    .await;
}

/// The next event of a replacement, and what it names.
async fn replaced(rig: &mut Rig) -> String {
    match rig.event().await {
        Event::Restarted { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broken_listener_is_replaced_within_a_second() {
    let mut rig = Rig::new().await;
    let mut there = Raw::connect(rig.addr, "there").await;
    there.send(&subscribe("x", 0)).await;
    there.packet().await;
    for (i, how) in ALL.into_iter().enumerate() {
        let from = Instant::now();
        rig.broker.break_listeners(how);
        let why = replaced(&mut rig).await;
        let_in(rig.addr, "new").await;
        let took = from.elapsed();
        // A second is the promise; a machine that tests many things at once gets another one.
        assert!(took < Duration::from_secs(2), "{how:?} took {took:?}");
        let fault = ["had ended", "did not answer", "did not answer", "nobody listened"][i];
        assert!(why.contains(&format!("MQTT on {}", rig.addr)) && why.contains(fault), "{why}");
        there.send(&publish("x", "x", 0, false, 0)).await;
        assert_eq!(there.packet().await, publish("x", "x", 0, false, 0));
    }
    assert_eq!((rig.broker.stats().listener_restarts, rig.broker.stats().restarts), (4, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_port_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let tls = rig::certificate(dir.path());
    let mut rig = Rig::with(|c| {
        c.listen = ([0, 0, 0, 0], 0).into();
        c.tls = Some(tls);
        c.websocket = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let tls_port = rig.broker.tls_addr().unwrap().port().to_string();
    let ca = dir.path().join("chain.pem");
    for how in ALL {
        rig.broker.break_listeners(how);
        let mut whys = Vec::new();
        for _ in 0..3 {
            whys.push(replaced(&mut rig).await);
        }
        for part in [" MQTT on", " MQTT over TLS on", " MQTT over websockets on"] {
            assert_eq!(whys.iter().filter(|w| w.contains(part)).count(), 1, "{whys:?}");
        }
        let_in(([127, 0, 0, 1], rig.addr.port()).into(), "plain").await;
        rig.mosquitto_pub(&["-p", &tls_port, "--cafile", ca.to_str().unwrap(), "-t", "x", "-m", "x"]).await;
        let tcp = tokio::net::TcpStream::connect(rig.broker.websocket_addr().unwrap()).await.unwrap();
        tokio_tungstenite::client_async("ws://127.0.0.1/mqtt", tcp).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_need_no_room_and_are_no_clients() {
    let mut rig = Rig::with(|c| c.limits.connections = 2).await;
    let _one = Raw::connect(rig.addr, "one").await;
    let mut two = Raw::connect(rig.addr, "two").await;
    rig.broker.break_listeners(Sabotage::Hang);
    assert!(replaced(&mut rig).await.contains("did not answer"));
    assert_eq!(rig.broker.stats().connections, 2);
    // One too many is still closed, whatever it says.
    let mut three = Raw::open(rig.addr).await;
    three.closed().await;
    two.send(&[0xc0, 0]).await;
    assert_eq!(two.packet().await, [0xd0, 0]);
    assert_eq!(rig.broker.stats().sessions, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_is_watched_too() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let mut rig = Rig::with(|c| c.listen = "[::]:0".parse().unwrap()).await;
    rig.broker.break_listeners(Sabotage::Hang);
    assert!(replaced(&mut rig).await.contains("did not answer"));
    let_in(([127, 0, 0, 1], rig.addr.port()).into(), "over v4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_a_stuck_listener_still_stops() {
    let rig = Rig::new().await;
    let addr = rig.addr;
    rig.broker.break_listeners(Sabotage::Hang);
    rig.broker.stop().await;
    wait_for("the port", async || tokio::net::TcpListener::bind(addr).await.is_ok()).await;
}
