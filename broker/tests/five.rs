//! What the Eclipse Paho interoperability tests ask of a broker in version 5, each of their cases written anew with
//! packets made by hand, and shared subscriptions in both versions.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{Raw, Rig, connect, field, nothing_more, open5, packet, publish, publish5, subscribe, subscribe5};

#[tokio::test(flavor = "multi_thread")]
async fn five_names_its_limits_and_the_id_it_chose() {
    let rig = Rig::new().await;
    let (_raw, ack) = open5(&rig, "", true, &[]).await;
    let text = String::from_utf8_lossy(&ack);
    assert!(text.contains("auto-"), "{text}");
    assert!(ack.windows(5).any(|w| w == [0x27, 1, 0, 0, 0]), "maximum packet size 16 MiB");
    assert!(!ack.windows(2).any(|w| w == [0x2a, 0]), "shared subscriptions are offered");
    // Who wants to be silent for longer than a minute is told a minute.
    let mut raw = Raw::open(rig.addr).await;
    let mut long = connect(5, "long", true, 120);
    raw.send(&long).await;
    assert!(raw.packet().await.windows(3).any(|w| w == [0x13, 0, 60]));
    long = connect(5, "short", true, 60);
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&long).await;
    assert!(!raw.packet().await.contains(&0x13));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_passes_properties_on_and_counts_expiry_down() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "raw", true, &[]).await;
    assert_eq!(subscribe5(&mut raw, "p", 0, &[0x0b, 42]).await, 0);
    let mut props = vec![0x01, 1, 0x03];
    props.extend(field("text/plain"));
    props.push(0x08);
    props.extend(field("answer/here"));
    props.extend([0x09, 0, 2, 1, 2, 0x26]);
    props.extend(field("key"));
    props.extend(field("value"));
    let mut sent = props.clone();
    sent.extend([0x02, 0, 0, 1, 0]);
    raw.send(&publish5("p", "x", 0, false, &sent)).await;
    let mut expected = vec![0x02, 0, 0, 1, 0];
    expected.extend(&props);
    expected.extend([0x0b, 42]);
    assert_eq!(raw.packet().await, publish5("p", "x", 0, false, &expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_subscription_options() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "raw", true, &[]).await;
    let (mut other, _) = open5(&rig, "other", true, &[]).await;
    other.send(&publish5("o/r", "kept", 1, true, &[])).await;
    other.packet().await;
    // Retain handling 2: none. 1: for a new subscription only. 0: always.
    subscribe5(&mut raw, "o/+", 0x20, &[]).await;
    nothing_more(&mut raw, true).await;
    subscribe5(&mut raw, "o/+", 0x10, &[]).await;
    nothing_more(&mut raw, true).await;
    subscribe5(&mut raw, "o/+", 0x00, &[]).await;
    assert_eq!(raw.packet().await, publish5("o/r", "kept", 0, true, &[]));
    // No local.
    subscribe5(&mut raw, "o/+", 0x24, &[]).await;
    raw.send(&publish5("o/x", "mine", 0, false, &[])).await;
    nothing_more(&mut raw, true).await;
    // Retain as published, and without.
    subscribe5(&mut raw, "o/+", 0x28, &[]).await;
    other.send(&publish5("o/x", "a", 0, true, &[])).await;
    assert_eq!(raw.packet().await, publish5("o/x", "a", 0, true, &[]));
    subscribe5(&mut raw, "o/+", 0x20, &[]).await;
    other.send(&publish5("o/x", "b", 0, true, &[])).await;
    assert_eq!(raw.packet().await, publish5("o/x", "b", 0, false, &[]));
    assert_eq!(subscribe5(&mut raw, "a/#/b", 0, &[]).await, 0x8f);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_sessions_expire() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "s", false, &[0x11, 0, 0, 0, 60]).await;
    subscribe5(&mut raw, "s", 1, &[]).await;
    // It changes its mind at the end: one second.
    raw.send(&packet(0xe0, &[0, 5, 0x11, 0, 0, 0, 1])).await;
    raw.closed().await;
    assert_eq!(rig.broker.stats().sessions, 1);
    let (mut raw, ack) = open5(&rig, "s", false, &[0x11, 0, 0, 0, 1]).await;
    assert_eq!(ack[2], 1, "session present");
    raw.send(&packet(0xe0, &[])).await;
    raw.closed().await;
    rig::wait_for("the session to end", async || rig.broker.stats().sessions == 0).await;
    let (_raw, ack) = open5(&rig, "s", false, &[]).await;
    assert_eq!(ack[2], 0, "no session");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_a_will_waits_and_is_called_off() {
    let rig = Rig::new().await;
    let (mut watcher, _) = open5(&rig, "watcher", true, &[]).await;
    subscribe5(&mut watcher, "w/#", 0, &[]).await;
    let with_will = |delay: u8| {
        let mut body = field("MQTT");
        body.extend([5, 4, 0, 0, 5, 0x11, 0, 0, 0, 60]);
        body.extend(field("n"));
        body.extend([5, 0x18, 0, 0, 0, delay]);
        body.extend(field("w/n"));
        body.extend(field("gone"));
        packet(0x10, &body)
    };
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&with_will(2)).await;
    raw.packet().await;
    drop(raw);
    // Back in time: called off.
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&with_will(1)).await;
    assert_eq!(raw.packet().await[2], 1);
    watcher.send(&publish5("w/mark", "x", 0, false, &[])).await;
    assert_eq!(watcher.packet().await, publish5("w/mark", "x", 0, false, &[]));
    // Not back: it comes.
    drop(raw);
    assert_eq!(watcher.packet().await, publish5("w/n", "gone", 0, false, &[]));
    // DISCONNECT with 4: it comes although the end was proper.
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&with_will(0)).await;
    raw.packet().await;
    raw.send(&[0xe0, 1, 4]).await;
    assert_eq!(watcher.packet().await, publish5("w/n", "gone", 0, false, &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_flow_control_and_largest_packet() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "raw", true, &[0x21, 0, 2, 0x27, 0, 0, 0, 50]).await;
    subscribe5(&mut raw, "f", 1, &[]).await;
    let (mut other, _) = open5(&rig, "other", true, &[]).await;
    other.send(&publish5("f", &"too long ".repeat(9), 1, false, &[])).await;
    other.packet().await;
    for i in 0..4 {
        other.send(&publish5("f", &i.to_string(), 1, false, &[])).await;
        other.packet().await;
    }
    let mut got = Vec::new();
    for _ in 0..2 {
        got.push(raw.packet().await);
    }
    // The window is closed, so only an answer of the connection itself can come.
    raw.send(&[0xc0, 0]).await;
    assert_eq!(raw.packet().await, [0xd0, 0]);
    for _ in 0..2 {
        let first = got.remove(0);
        raw.send(&[0x40, 2, first[5], first[6]]).await;
        got.push(raw.packet().await);
    }
    assert!(got[1].ends_with(b"3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_is_told_why_also_while_it_still_sends() {
    let rig = Rig::new().await;
    for _ in 0..5 {
        let (mut raw, ack) = open5(&rig, "raw", true, &[]).await;
        assert!(ack.windows(3).any(|w| w == [0x21, 4, 0]), "receive maximum 1024");
        // One more than that, and then more that nobody wants to hear.
        for id in 1..=1025u16 {
            let mut body = field("f");
            body.extend(id.to_be_bytes());
            body.extend(b"\0x");
            raw.send(&packet(0x34, &body)).await;
        }
        let _ =
            tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &publish5("f", "x", 0, false, &[]).repeat(5000)).await;
        let mut last = Vec::new();
        while let Some(packet) = raw.try_packet().await {
            last = packet;
        }
        assert_eq!(last, [0xe0, 2, 0x93, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_topic_aliases_of_the_client() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "raw", true, &[]).await;
    subscribe5(&mut raw, "alias", 0, &[]).await;
    raw.send(&publish5("alias", "1", 0, false, &[0x23, 0, 5])).await;
    raw.send(&publish5("", "2", 0, false, &[0x23, 0, 5])).await;
    assert_eq!(raw.packet().await, publish5("alias", "1", 0, false, &[]));
    assert_eq!(raw.packet().await, publish5("alias", "2", 0, false, &[]));
    raw.send(&publish5("", "3", 0, false, &[0x23, 0, 6])).await;
    assert_eq!(raw.packet().await, [0xe0, 2, 0x82, 0]);
    raw.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_topic_aliases_of_the_server() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "raw", true, &[0x22, 0, 1]).await;
    subscribe5(&mut raw, "#", 1, &[]).await;
    for (payload, topic, alias) in [("1", "alias", true), ("2", "", true), ("3", "", true)] {
        raw.send(&publish5("alias", payload, 0, false, &[])).await;
        let props: &[u8] = if alias { &[0x23, 0, 1] } else { &[] };
        assert_eq!(raw.packet().await, publish5(topic, payload, 0, false, props));
    }
    raw.send(&publish5("another", "4", 0, false, &[])).await;
    assert_eq!(raw.packet().await, publish5("another", "4", 0, false, &[]));
    // Alias 0 stands for nothing.
    raw.send(&publish5("alias", "5", 0, false, &[0x23, 0, 0])).await;
    assert_eq!(raw.packet().await, [0xe0, 2, 0x94, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_names_all_subscriptions_that_a_message_came_by() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "raw", true, &[]).await;
    subscribe5(&mut raw, "i", 2, &[0x0b, 2]).await;
    subscribe5(&mut raw, "i/#", 2, &[0x0b, 3]).await;
    raw.send(&publish5("i", "x", 0, false, &[])).await;
    assert_eq!(raw.packet().await, publish5("i", "x", 0, false, &[0x0b, 2, 0x0b, 3]));
    nothing_more(&mut raw, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_subscription_brings_each_message_to_one_member() {
    let rig = Rig::new().await;
    let (mut five, _) = open5(&rig, "five", true, &[]).await;
    assert_eq!(subscribe5(&mut five, "$share/g/s/+", 1, &[]).await, 1);
    let mut four = Raw::connect(rig.addr, "four").await;
    four.send(&subscribe("$share/g/s/+", 0)).await;
    assert_eq!(four.packet().await, [0x90, 3, 0, 1, 0]);
    let mut all = Raw::connect(rig.addr, "all").await;
    all.send(&subscribe("s/#", 0)).await;
    all.packet().await;
    let mut other = Raw::connect(rig.addr, "other").await;
    other.send(&publish("s/0", "kept", 1, true, 1)).await;
    other.packet().await;
    for i in 1..6 {
        other.send(&publish("s/x", &i.to_string(), 0, false, 0)).await;
    }
    for i in 0..6 {
        assert!(all.packet().await.ends_with(if i == 0 { "kept".to_owned() } else { i.to_string() }.as_bytes()));
    }
    for payload in ["kept", "2", "4"] {
        assert!(five.packet().await.ends_with(payload.as_bytes()));
    }
    for payload in ["1", "3", "5"] {
        assert!(four.packet().await.ends_with(payload.as_bytes()));
    }
    // Nothing retained, no exception for oneself, and one less after UNSUBSCRIBE.
    assert_eq!(subscribe5(&mut five, "$share/h/s/+", 0, &[]).await, 0);
    nothing_more(&mut five, true).await;
    let mut unsubscribe = vec![0, 2];
    unsubscribe.extend(field("$share/g/s/+"));
    four.send(&packet(0xa2, &unsubscribe)).await;
    assert_eq!(four.packet().await, [0xb0, 2, 0, 2]);
    for _ in 0..2 {
        other.send(&publish("s/x", "left", 0, false, 0)).await;
        for _ in 0..2 {
            assert!(five.packet().await.ends_with(b"left"), "by g and by h");
        }
    }
    nothing_more(&mut four, false).await;
    raw_no_local(&rig).await;
}

/// No-local is forbidden on a shared subscription.
async fn raw_no_local(rig: &Rig) {
    let (mut raw, _) = open5(rig, "deaf", true, &[]).await;
    let mut body = vec![0, 1, 0];
    body.extend(field("$share/g/s"));
    body.push(4);
    raw.send(&packet(0x82, &body)).await;
    assert_eq!(raw.packet().await, [0xe0, 2, 0x82, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_away_is_passed_over() {
    let rig = Rig::new().await;
    let mut away = Raw::open(rig.addr).await;
    away.send(&connect(4, "away", false, 0)).await;
    away.packet().await;
    away.send(&subscribe("$share/g/s", 1)).await;
    away.packet().await;
    let mut here = Raw::connect(rig.addr, "here").await;
    here.send(&subscribe("$share/g/s", 1)).await;
    here.packet().await;
    away.send(&[0xe0, 0]).await;
    away.closed().await;
    rig::wait_for("it to be gone", async || rig.broker.stats().connections == 1).await;
    let mut other = Raw::connect(rig.addr, "other").await;
    for i in 0..4u8 {
        other.send(&publish("s", &i.to_string(), 1, false, 1)).await;
        other.packet().await;
        let got = here.packet().await;
        assert!(got.ends_with(i.to_string().as_bytes()));
        here.send(&[0x40, 2, got[5], got[6]]).await;
    }
    drop(here);
    rig::wait_for("it to be gone", async || rig.broker.stats().connections == 1).await;
    other.send(&publish("s", "waits", 1, false, 1)).await;
    other.packet().await;
    let mut back = Raw::open(rig.addr).await;
    back.send(&connect(4, "away", false, 0)).await;
    assert_eq!(back.packet().await, [0x20, 2, 1, 0]);
    assert!(back.packet().await.ends_with(b"waits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_unsubscribes_with_a_reason() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "raw", true, &[]).await;
    subscribe5(&mut raw, "a", 0, &[]).await;
    let mut body = vec![0, 7, 0];
    body.extend(field("a"));
    body.extend(field("b"));
    raw.send(&packet(0xa2, &body)).await;
    assert_eq!(raw.packet().await, [0xb0, 5, 0, 7, 0, 0, 0x11]);
    raw.send(&publish5("a", "x", 0, false, &[])).await;
    nothing_more(&mut raw, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_takes_an_empty_id_with_and_without_a_clean_start() {
    let rig = Rig::new().await;
    let (_one, first) = open5(&rig, "", true, &[]).await;
    let (_two, second) = open5(&rig, "", false, &[]).await;
    assert_ne!(first, second, "each gets an id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_properties_stay_with_retained_messages_and_wills() {
    let rig = Rig::new().await;
    let mut props = vec![0x26];
    props.extend(field("a"));
    props.extend(field("2"));
    props.push(0x26);
    props.extend(field("c"));
    props.extend(field("3"));
    let mut body = field("MQTT");
    body.extend([5, 2 | 4, 0, 0, 0]);
    body.extend(field("n"));
    body.push(u8::try_from(props.len()).unwrap());
    body.extend(&props);
    body.extend(field("p/will"));
    body.extend(field("gone"));
    let (mut raw, _) = open5(&rig, "raw", true, &[]).await;
    for qos in 0..3 {
        raw.send(&publish5(&format!("p/{qos}"), "kept", qos, true, &props)).await;
        if qos > 0 {
            raw.packet().await;
        }
    }
    subscribe5(&mut raw, "p/+", 2, &[]).await;
    for qos in 0..3 {
        let got = raw.packet().await;
        let id: &[u8] = if qos > 0 { &[got[7], got[8]] } else { &[] };
        let mut expected = field(&format!("p/{qos}"));
        expected.extend(id);
        expected.push(u8::try_from(props.len()).unwrap());
        expected.extend(&props);
        expected.extend(b"kept");
        assert_eq!(got, packet(0x31 | qos << 1, &expected));
    }
    let mut dies = Raw::open(rig.addr).await;
    dies.send(&packet(0x10, &body)).await;
    dies.packet().await;
    drop(dies);
    assert_eq!(raw.packet().await, publish5("p/will", "gone", 0, false, &props));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_a_will_does_not_wait_for_longer_than_its_session() {
    let rig = Rig::new().await;
    let (mut watcher, _) = open5(&rig, "watcher", true, &[]).await;
    subscribe5(&mut watcher, "w", 0, &[]).await;
    for expiry in [0, 1] {
        let mut body = field("MQTT");
        body.extend([5, 2 | 4, 0, 0, 5, 0x11, 0, 0, 0, expiry]);
        body.extend(field("n"));
        // An hour.
        body.extend([5, 0x18, 0, 0, 14, 16]);
        body.extend(field("w"));
        body.extend(field("gone"));
        let mut raw = Raw::open(rig.addr).await;
        raw.send(&packet(0x10, &body)).await;
        raw.packet().await;
        drop(raw);
        assert_eq!(watcher.packet().await, publish5("w", "gone", 0, false, &[]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_what_expired_while_a_client_was_away_is_not_sent() {
    let rig = Rig::new().await;
    let (mut raw, _) = open5(&rig, "away", true, &[0x11, 0, 0, 0, 60]).await;
    subscribe5(&mut raw, "e", 1, &[]).await;
    raw.send(&packet(0xe0, &[])).await;
    raw.closed().await;
    let (mut other, _) = open5(&rig, "other", true, &[]).await;
    for (payload, seconds) in [("short", 1), ("long", 60)] {
        other.send(&publish5("e", payload, 1, false, &[0x02, 0, 0, 0, seconds])).await;
        other.packet().await;
    }
    // The one moment that must pass, by the broker's own clock.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let (mut raw, ack) = open5(&rig, "away", false, &[0x11, 0, 0, 0, 60]).await;
    assert_eq!(ack[2], 1, "session present");
    let got = raw.packet().await;
    assert!(got.ends_with(b"long"), "{got:?}");
    let left = got.windows(4).find(|w| w[..3] == [0x02, 0, 0]).unwrap();
    assert_eq!(left[3], 0);
    nothing_more(&mut raw, true).await;
}
