//! Accounts, rights, TLS, websockets, and retained messages over a restart.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{Raw, Rig, connect_as, publish, subscribe};
use syncslate_broker::accounts::{Account, hash};
use syncslate_broker::rights::{Role, Wish};
use syncslate_broker::{Config, Event};

fn with_accounts(config: &mut Config) {
    let hash = hash(b"secret").unwrap();
    for (name, role) in [
        ("node", Role::Node { ip: [10, 0, 0, 1].into() }),
        ("op", Role::Operator),
        ("viewer", Role::Viewer),
        ("controller", Role::Controller),
    ] {
        config.accounts.add(name, Account { hash: hash.clone(), role }).unwrap();
    }
}

async fn login(rig: &Rig, user: &str) -> Raw {
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&connect_as(user, user, "secret")).await;
    assert_eq!(raw.packet().await, [0x20, 2, 0, 0]);
    raw
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_get_the_right_code() {
    let mut rig = Rig::with(with_accounts).await;
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&connect_as("x", "op", "wrong")).await;
    assert_eq!(raw.packet().await, [0x20, 2, 0, 4]);
    raw.closed().await;
    assert!(matches!(rig.event().await, Event::Refused { user: Some(user), .. } if user == "op"));
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&rig::connect(4, "x", true, 0)).await;
    assert_eq!(raw.packet().await, [0x20, 2, 0, 5]);
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&rig::connect(5, "x", true, 0)).await;
    assert_eq!(raw.packet().await, [0x20, 3, 0, 0x87, 0]);
    login(&rig, "op").await;
    let gate = rig.broker.gate();
    let here = [127, 0, 0, 1].into();
    assert_eq!(gate.verify(here, "viewer", b"secret").await, Some(Role::Viewer));
    assert_eq!(gate.verify(here, "viewer", b"guess").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_goes_nowhere_and_is_told() {
    let mut rig = Rig::with(with_accounts).await;
    let mut controller = login(&rig, "controller").await;
    controller.send(&subscribe("#", 1)).await;
    controller.packet().await;
    let mut node = login(&rig, "node").await;
    node.send(&publish("take/current", "roll!", 1, true, 3)).await;
    assert_eq!(node.packet().await, [0x40, 2, 0, 3]);
    let denied = |user: &str, wish, what: &str| Event::Denied {
        client: user.to_owned(),
        user: user.to_owned(),
        wish,
        what: what.to_owned(),
    };
    assert_eq!(rig.event().await, denied("node", Wish::Publish, "take/current"));
    node.send(&publish("status/10.0.0.1", "ok", 1, false, 4)).await;
    assert_eq!(node.packet().await, [0x40, 2, 0, 4]);
    let got = controller.packet().await;
    assert!(got.ends_with(b"ok"), "{got:?}");
    node.send(&subscribe("#", 0)).await;
    assert_eq!(node.packet().await, [0x90, 3, 0, 1, 0x80]);
    assert_eq!(rig.event().await, denied("node", Wish::Subscribe, "#"));
    let mut viewer = login(&rig, "viewer").await;
    viewer.send(&subscribe("#", 0)).await;
    assert_eq!(viewer.packet().await, [0x90, 3, 0, 1, 0]);
    viewer.send(&publish("cmd/start", "", 0, false, 0)).await;
    assert_eq!(rig.event().await, denied("viewer", Wish::Publish, "cmd/start"));
    assert_eq!(rig.broker.stats().retained, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_over_a_client_of_another_account() {
    let rig = Rig::with(with_accounts).await;
    let mut node = login(&rig, "node").await;
    let mut viewer = Raw::open(rig.addr).await;
    viewer.send(&connect_as("node", "viewer", "secret")).await;
    assert_eq!(viewer.packet().await, [0x20, 2, 0, 0]);
    node.send(&[0xc0, 0]).await;
    assert_eq!(node.packet().await, [0xd0, 0]);
    login(&rig, "node").await;
    node.closed().await;
    viewer.send(&[0xc0, 0]).await;
    assert_eq!(viewer.packet().await, [0xd0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_a_name_and_with_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let tls = rig::certificate(dir.path());
    let rig = Rig::with(|c| c.tls = Some(tls)).await;
    let port = rig.broker.tls_addr().unwrap().port().to_string();
    let ca = dir.path().join("chain.pem").to_str().unwrap().to_owned();
    for host in ["localhost", "127.0.0.1"] {
        let mut got = rig.mosquitto_sub(&["-t", "tls", "-v"]).await;
        rig.mosquitto_pub(&["-h", host, "-p", &port, "--cafile", &ca, "-t", "tls", "-m", host, "-q", "2"]).await;
        assert_eq!(got.line().await, format!("tls {host}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_said_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(([127, 0, 0, 1], 0).into());
    let mut tls = rig::certificate(dir.path());
    tls.key = dir.path().join("missing.pem");
    config.tls = Some(tls);
    let message = syncslate_broker::start(config).await.err().unwrap().to_string();
    assert!(message.starts_with("cannot use the certificate") && message.contains("missing.pem"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_messages_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("retained");
    let rig = Rig::with(|c| c.retained_file = Some(file.clone())).await;
    rig.raw_retain("take/current", "idle").await;
    rig.raw_retain("status/1", "online").await;
    rig.raw_retain("status/2", "online").await;
    rig.raw_retain("status/2", "").await;
    rig.broker.stop().await;
    let rig = Rig::with(|c| c.retained_file = Some(file.clone())).await;
    assert_eq!(rig.broker.stats().retained, 2);
    let mut got = rig.mosquitto_sub(&["-t", "#", "-v", "-F", "%t %p %r"]).await;
    assert_eq!(got.line().await, "status/1 online 1");
    assert_eq!(got.line().await, "take/current idle 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_messages_are_on_disk_soon_without_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("retained");
    let rig = Rig::with(|c| {
        c.retained_file = Some(file.clone());
        c.save_every = std::time::Duration::from_millis(20);
    })
    .await;
    rig.raw_retain("take/current", "idle").await;
    rig::wait_for("the file", async || file.exists()).await;
    drop(rig);
    let rig = Rig::with(|c| c.retained_file = Some(file.clone())).await;
    assert_eq!(rig.broker.stats().retained, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_all_the_time_is_written_with_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("retained");
    let rig = Rig::with(|c| {
        c.retained_file = Some(file.clone());
        c.save_every = std::time::Duration::from_millis(5);
        c.seldom_saved = vec!["status/".to_owned()];
    })
    .await;
    rig.raw_retain("status/1", "online").await;
    rig.raw_retain("take/current", "idle").await;
    rig::wait_for("the file", async || file.exists()).await;
    rig.raw_retain("status/2", "online").await;
    rig.broker.stop().await;
    let rig = Rig::with(|c| c.retained_file = Some(file.clone())).await;
    assert_eq!(rig.broker.stats().retained, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_carry_mqtt_and_foreign_pages_are_refused() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
    let rig = Rig::with(|c| c.websocket = Some(([127, 0, 0, 1], 0).into())).await;
    let addr = rig.broker.websocket_addr().unwrap();
    let request = |origin: &str| {
        let mut request = format!("ws://{addr}/mqtt").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
        request.headers_mut().insert("origin", origin.parse().unwrap());
        request
    };
    let tcp = tokio::net::TcpStream::connect(addr).await.unwrap();
    let refused = tokio_tungstenite::client_async(request("http://evil.example"), tcp).await;
    assert!(refused.is_err_and(|e| e.to_string().contains("403")));
    let tcp = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (mut socket, response) = tokio_tungstenite::client_async(request("http://127.0.0.1:8080"), tcp).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "mqtt");
    // A packet may be spread over messages, and a message may hold several packets.
    let mut bytes = rig::connect(4, "ws", true, 0);
    bytes.extend(subscribe("a", 0));
    bytes.extend(publish("a", "x", 0, false, 0));
    for part in bytes.chunks(7) {
        socket.send(Message::binary(part.to_vec())).await.unwrap();
    }
    let mut got = Vec::new();
    let mut expected = vec![0x20, 2, 0, 0, 0x90, 3, 0, 1, 0];
    expected.extend(publish("a", "x", 0, false, 0));
    while got.len() < expected.len() {
        got.extend(socket.next().await.unwrap().unwrap().into_data());
    }
    assert_eq!(got, expected);
}
