//! What the Eclipse Paho interoperability tests ask of a broker in version 3.1.1, each of their cases written anew with
//! packets made by hand. Wills, keep alives and refused subscriptions are in `clients.rs`, `hostile.rs` and
//! `security.rs`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{Raw, Rig, connect, nothing_more, publish, subscribe};

#[tokio::test(flavor = "multi_thread")]
async fn the_smaller_quality_is_delivered() {
    let rig = Rig::new().await;
    for wanted in 0..3u8 {
        for sent in 0..3u8 {
            let mut raw = Raw::connect(rig.addr, "both").await;
            raw.send(&subscribe("q", wanted)).await;
            assert_eq!(raw.packet().await, [0x90, 3, 0, 1, wanted]);
            let mut other = Raw::connect(rig.addr, "other").await;
            other.send(&publish("q", "x", sent, false, 1)).await;
            let got = raw.packet().await;
            assert_eq!(got[0] >> 1 & 3, wanted.min(sent), "wanted {wanted}, sent {sent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_subscriptions_bring_one_message_in_the_best_quality() {
    let rig = Rig::new().await;
    for (first, second) in [(("a/#", 2), ("a/+", 1)), (("a/#", 1), ("a/+", 2))] {
        let mut raw = Raw::connect(rig.addr, "raw").await;
        for (filter, qos) in [first, second] {
            raw.send(&subscribe(filter, qos)).await;
            raw.packet().await;
        }
        let mut other = Raw::connect(rig.addr, "other").await;
        other.send(&publish("a/b", "x", 2, false, 1)).await;
        let got = raw.packet().await;
        assert_eq!((got[0], got.last()), (0x34, Some(&b'x')));
        nothing_more(&mut raw, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dollar_topics_are_hidden_from_wildcards() {
    let rig = Rig::new().await;
    let mut raw = Raw::connect(rig.addr, "raw").await;
    for filter in ["#", "+/x"] {
        raw.send(&subscribe(filter, 0)).await;
        raw.packet().await;
    }
    raw.send(&publish("$dollar/x", "x", 1, true, 1)).await;
    assert_eq!(raw.packet().await, [0x40, 2, 0, 1]);
    // The next thing that comes is what `#` does select.
    raw.send(&publish("mark", "", 0, false, 0)).await;
    assert_eq!(raw.packet().await, publish("mark", "", 0, false, 0));
    raw.send(&subscribe("$dollar/#", 0)).await;
    raw.packet().await;
    assert_eq!(raw.packet().await, publish("$dollar/x", "x", 0, true, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acknowledged_comes_again_after_a_reconnect() {
    let rig = Rig::new().await;
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&connect(4, "again", false, 0)).await;
    assert_eq!(raw.packet().await, [0x20, 2, 0, 0]);
    raw.send(&subscribe("q/#", 2)).await;
    raw.packet().await;
    let mut other = Raw::connect(rig.addr, "other").await;
    for qos in 0..3 {
        other.send(&publish(&format!("q/{qos}"), "x", qos, false, 1)).await;
        raw.packet().await;
    }
    drop(raw);
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&connect(4, "again", false, 0)).await;
    assert_eq!(raw.packet().await, [0x20, 2, 1, 0]);
    for qos in 1..3u8 {
        let got = raw.packet().await;
        assert_eq!(got[0], 0x38 | qos << 1, "DUP");
        let id = [got[7], got[8]];
        if qos == 1 {
            raw.send(&[0x40, 2, id[0], id[1]]).await;
        } else {
            raw.send(&[0x50, 2, id[0], id[1]]).await;
            assert_eq!(raw.packet().await, [0x62, 2, id[0], id[1]]);
            raw.send(&[0x70, 2, id[0], id[1]]).await;
        }
    }
    nothing_more(&mut raw, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_keep_their_order_in_every_quality() {
    let rig = Rig::new().await;
    for qos in 0..3u8 {
        let mut sub = Raw::connect(rig.addr, "sub").await;
        sub.send(&subscribe("o", qos)).await;
        sub.packet().await;
        let mut raw = Raw::connect(rig.addr, "pub").await;
        for i in 0..1000u16 {
            raw.send(&publish("o", &format!("{i:04}"), qos, false, i + 1)).await;
            if qos == 2 {
                raw.packet().await;
                let [high, low] = (i + 1).to_be_bytes();
                raw.send(&[0x62, 2, high, low]).await;
            }
            if qos > 0 {
                raw.packet().await;
            }
            let got = sub.packet().await;
            assert!(got.ends_with(format!("{i:04}").as_bytes()));
            if qos > 0 {
                sub.send(&[if qos == 1 { 0x40 } else { 0x50 }, 2, got[5], got[6]]).await;
            }
            if qos == 2 {
                sub.packet().await;
                sub.send(&[0x70, 2, got[5], got[6]]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_counts_from_the_moment_it_is_sent() {
    let rig = Rig::new().await;
    for i in 0..50 {
        let mut sub = Raw::connect(rig.addr, &format!("sub-{i}")).await;
        let mut publisher = Raw::connect(rig.addr, "pub").await;
        let mut both = subscribe("s", 0);
        both.extend([0xc0, 0]);
        sub.send(&both).await;
        assert_eq!(sub.packet().await, [0x90, 3, 0, 1, 0]);
        assert_eq!(sub.packet().await, [0xd0, 0]);
        publisher.send(&publish("s", "x", 0, false, 0)).await;
        assert_eq!(sub.packet().await, publish("s", "x", 0, false, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_buffer_full_goes_out_without_being_asked() {
    let rig = Rig::new().await;
    let payload = "x".repeat(1000);
    for i in 0..500 {
        rig.raw_retain(&format!("many/{i:03}"), &payload).await;
    }
    let mut raw = Raw::connect(rig.addr, "raw").await;
    raw.send(&subscribe("many/+", 0)).await;
    raw.packet().await;
    for i in 0..500 {
        assert_eq!(raw.packet().await, publish(&format!("many/{i:03}"), &payload, 0, true, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_windows_of_pipelined_messages_are_answered_in_order() {
    let rig = Rig::new().await;
    let mut raw = Raw::connect(rig.addr, "raw").await;
    let all: Vec<u8> = (1..=5000u16).flat_map(|i| publish("w", "x", 1, false, i)).collect();
    let (mut read, mut write) = raw.stream.split();
    let sending = async { tokio::io::AsyncWriteExt::write_all(&mut write, &all).await.unwrap() };
    let receiving = async {
        let mut answers = vec![0; 4 * 5000];
        tokio::io::AsyncReadExt::read_exact(&mut read, &mut answers).await.unwrap();
        for (i, ack) in answers.chunks(4).enumerate() {
            let [high, low] = u16::try_from(i + 1).unwrap().to_be_bytes();
            assert_eq!(ack, [0x40, 2, high, low]);
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_send_at_once_all_arrives() {
    let rig = Rig::new().await;
    for (bytes, each) in [(20, 5000), (100_000, 40), (2_000_000, 2)] {
        let mut sub = Raw::connect(rig.addr, "sub").await;
        sub.send(&subscribe("large", 1)).await;
        sub.packet().await;
        let payload = "x".repeat(bytes);
        let all: Vec<u8> = (1..=each).flat_map(|i| publish("large", &payload, 1, false, i)).collect();
        let publishing = futures_util::future::join_all((0..8).map(async |n| {
            let mut raw = Raw::connect(rig.addr, &format!("pub-{n}")).await;
            raw.send(&all).await;
            for _ in 0..each {
                raw.packet().await;
            }
        }));
        let receiving = async {
            for _ in 0..8 * each {
                let got = sub.packet().await;
                // Behind the length, which has as many bytes as it needs, and the topic.
                let id = &got[got.len() - bytes - 2..][..2];
                sub.send(&[0x40, 2, id[0], id[1]]).await;
            }
        };
        tokio::join!(publishing, receiving);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connect_and_another_protocol_are_closed() {
    let rig = Rig::new().await;
    for level in [4, 5] {
        let mut raw = Raw::open(rig.addr).await;
        raw.send(&connect(level, "twice", true, 0)).await;
        raw.packet().await;
        raw.send(&connect(level, "twice", true, 0)).await;
        if level == 5 {
            assert_eq!(raw.packet().await, [0xe0, 2, 0x82, 0]);
        }
        raw.closed().await;
        let mut raw = Raw::open(rig.addr).await;
        let mut other = connect(level, "hj", true, 0);
        other[4..8].copy_from_slice(b"MQTX");
        raw.send(&other).await;
        raw.closed().await;
    }
}
