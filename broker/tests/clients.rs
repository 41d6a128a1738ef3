//! The broker against real clients: mosquitto_pub and mosquitto_sub in both versions.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{Rig, V4, V5, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_in_every_quality_and_version() {
    let rig = Rig::new().await;
    for (sub, publ) in [(V4, V4), (V4, V5), (V5, V4), (V5, V5)] {
        for qos in 0..3 {
            let topic = format!("t/{sub}/{publ}/{qos}");
            let mut got = rig.mosquitto_sub(&["-V", sub, "-q", "2", "-t", &topic, "-v"]).await;
            rig.mosquitto_pub(&["-V", publ, "-q", &qos.to_string(), "-t", &topic, "-m", "hello"]).await;
            assert_eq!(got.line().await, format!("{topic} hello"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_of_ten_megabytes_arrives() {
    let rig = Rig::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![b'x'; 10_000_000]).unwrap();
    let mut got = rig.mosquitto_sub(&["-t", "big", "-F", "%l"]).await;
    rig.mosquitto_pub(&["-q", "1", "-t", "big", "-f", file.path().to_str().unwrap()]).await;
    assert_eq!(got.line().await, "10000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_retained_messages_come_on_every_subscribe() {
    let rig = Rig::new().await;
    for i in 0..1000 {
        rig.raw_retain(&format!("status/{i}"), "online").await;
    }
    for version in [V4, V5] {
        let mut got = rig.mosquitto_sub(&["-V", version, "-t", "status/+", "-q", "1", "-v"]).await;
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 1000 {
            seen.insert(got.line().await);
        }
    }
    rig.mosquitto_pub(&["-t", "status/7", "-n"]).await;
    let mut got = rig.mosquitto_sub(&["-t", "status/7", "-v"]).await;
    assert_eq!(got.line().await, "status/7 online", "a non-retained empty message clears nothing");
    rig.mosquitto_pub(&["-t", "status/7", "-n", "-r"]).await;
    assert_eq!(got.line().await, "status/7 (null)", "the empty message itself");
    let mut got = rig.mosquitto_sub(&["-t", "status/7", "-t", "status/8", "-v"]).await;
    assert_eq!(got.line().await, "status/8 online");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_is_published_when_the_client_dies_and_not_when_it_leaves() {
    let rig = Rig::new().await;
    let mut got = rig.mosquitto_sub(&["-t", "will/#", "-v"]).await;
    let dies = rig.mosquitto_sub(&["-t", "x", "--will-topic", "will/dies", "--will-payload", "gone"]).await;
    let leaves = rig.mosquitto_sub(&["-t", "x", "--will-topic", "will/leaves", "--will-payload", "gone"]).await;
    leaves.end().await;
    dies.kill().await;
    assert_eq!(got.line().await, "will/dies gone");
    rig.mosquitto_pub(&["-t", "will/end", "-m", "end"]).await;
    assert_eq!(got.line().await, "will/end end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_command_is_reported_and_leaves_nothing() {
    let mut rig = Rig::with(|c| c.never_retained = vec!["cmd/".to_owned()]).await;
    rig.mosquitto_pub(&["-q", "1", "-t", "cmd/start", "-m", "x", "-r", "-i", "me"]).await;
    let event = rig.event().await;
    let expected = syncslate_broker::Event::RetainRefused {
        client: "me".to_owned(),
        topic: "cmd/start".to_owned(),
        payload: "x".into(),
    };
    assert_eq!(event, expected);
    let mut got = rig.mosquitto_sub(&["-t", "cmd/#", "-v"]).await;
    rig.mosquitto_pub(&["-t", "cmd/stop", "-m", "now"]).await;
    assert_eq!(got.line().await, "cmd/stop now");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_for_a_persistent_session() {
    let rig = Rig::new().await;
    for (version, more) in [(V4, &[][..]), (V5, &["-x", "60"][..])] {
        let id = format!("keeper-{version}");
        let mut args = vec!["-V", version, "-c", "-i", &id, "-q", "1", "-t", "keep/#"];
        args.extend(more);
        rig.mosquitto_sub(&args).await.end().await;
        let lines: String = (0..2000).map(|i| format!("{i}\n")).collect();
        rig.mosquitto_pub_lines(&["-q", "1", "-t", "keep/x", "-l"], &lines).await;
        let mut got = rig.mosquitto_sub_unready(&args).await;
        for i in 0..2000 {
            assert_eq!(got.line().await, i.to_string());
        }
        got.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_router_is_replaced_and_nobody_notices() {
    let mut rig = Rig::new().await;
    let mut got = rig.mosquitto_sub(&["-q", "1", "-t", "n/#"]).await;
    let mut writer = rig.mosquitto_pub_open(&["-q", "1", "-t", "n/x", "-l"]).await;
    for i in 0..300 {
        writer.write(&format!("{i}\n")).await;
        if i % 100 == 50 {
            rig.broker.break_router(i == 150);
            let event = rig.event().await;
            assert!(matches!(event, syncslate_broker::Event::Restarted { took, .. } if took.as_millis() < 2000));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 300 {
        seen.insert(got.line().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_said_in_words() {
    let rig = Rig::new().await;
    let again = syncslate_broker::start(syncslate_broker::Config::new(rig.addr)).await;
    let message = again.err().unwrap().to_string();
    let expected = format!("cannot listen for MQTT on {}: address already in use\n\nhint: another broker", rig.addr);
    assert!(message.starts_with(&expected), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_broker_gives_its_port_back() {
    let rig = Rig::new().await;
    let addr = rig.addr;
    let _sub = rig.mosquitto_sub(&["-t", "x"]).await;
    rig.broker.stop().await;
    wait_for("the port", async || tokio::net::TcpListener::bind(addr).await.is_ok()).await;
}
