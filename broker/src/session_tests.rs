//! The session alone: what is sent when, and what is kept.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::*;

fn message(qos: u8, payload: &'static str) -> Message {
    Message {
        topic: "a".into(),
        payload: Bytes::from_static(payload.as_bytes()),
        qos,
        retain: false,
        sender: 7,
        at_ms: 0,
        expiry: None,
        forward: Bytes::new(),
    }
}

fn sub(qos: u8) -> Sub {
    let filter = Filter { path: "a".to_owned(), qos, no_local: false, retain_as_published: false, retain_handling: 0 };
    Sub { filter, id: None }
}

fn filled(session: &mut Session) -> usize {
    let mut out = BytesMut::new();
    session.fill(Version::V4, &mut out, 0);
    let mut n = 0;
    while let Ok(Some(_)) = codec::frame(&mut out, 1 << 20) {
        n += 1;
    }
    n
}

#[test]
fn the_window_holds_back_and_opens_in_any_order() {
    let mut s = Session::new(1, 1 << 20);
    s.window = 2;
    s.subscribe(0, sub(1));
    for _ in 0..5 {
        assert_eq!(s.offer(0, &[], &message(2, "x"), 0), Offer::Taken);
    }
    assert_eq!(filled(&mut s), 2);
    s.acknowledged(2);
    assert_eq!(filled(&mut s), 1);
    s.acknowledged(1);
    s.acknowledged(3);
    assert_eq!(filled(&mut s), 2);
}

#[test]
fn unacknowledged_ones_come_again_marked_as_such() {
    let mut s = Session::new(1, 1 << 20);
    s.subscribe(0, sub(2));
    s.offer(0, &[], &message(1, "x"), 0);
    s.offer(0, &[], &message(2, "y"), 0);
    assert_eq!(filled(&mut s), 2);
    assert!(s.received(2) && !s.received(9));
    let mut out = BytesMut::new();
    s.connected(Version::V4, &Props::default(), &mut out);
    assert_eq!(out[0], 0x3a, "PUBLISH, QoS 1, DUP");
    assert_eq!(out[out.len() - 4..], [0x62, 2, 0, 2], "PUBREL");
}

#[test]
fn a_full_queue_drops_or_tells() {
    let mut s = Session::new(1, 3 * (OVERHEAD + 1));
    s.subscribe(0, sub(1));
    for _ in 0..3 {
        assert_eq!(s.offer(0, &[], &message(0, "x"), 0), Offer::Taken);
    }
    assert_eq!(s.offer(0, &[], &message(0, "x"), 0), Offer::Dropped);
    assert_eq!(s.offer(0, &[], &message(1, "x"), 0), Offer::Overflow);
    assert_eq!(filled(&mut s), 3);
    assert_eq!(s.queued_bytes, 0);
}

#[test]
fn own_messages_are_not_sent_back_with_no_local() {
    let mut s = Session::new(7, 1 << 20);
    let mut mine = sub(0);
    mine.filter.no_local = true;
    s.subscribe(0, mine);
    s.offer(0, &[], &message(0, "x"), 0);
    assert_eq!(filled(&mut s), 0);
}

#[test]
fn expired_in_the_queue_is_not_sent() {
    let mut s = Session::new(1, 1 << 20);
    s.subscribe(0, sub(0));
    let mut m = message(0, "x");
    m.expiry = Some(3);
    s.offer(0, &[], &m, 1000);
    let mut out = BytesMut::new();
    s.fill(Version::V5, &mut out, 3000);
    assert!(out.is_empty());
}

#[test]
fn qos_2_is_taken_once() {
    let mut s = Session::new(1, 1 << 20);
    assert!(s.incoming(5) && !s.incoming(5));
    assert!(s.release(5) && !s.release(5) && s.incoming(5));
}

/// What goes out in version 5, as packets that are read again.
fn sent(s: &mut Session) -> Vec<Delivery> {
    let mut out = BytesMut::new();
    s.fill(Version::V5, &mut out, 0);
    let mut all = Vec::new();
    while let Some(frame) = codec::frame(&mut out, 1 << 20).unwrap() {
        // The topic and what stands for it; the rest is the codec's to test.
        let n = usize::from(u16::from_be_bytes([frame.body[0], frame.body[1]]));
        all.push(Delivery {
            dup: frame.first & 8 != 0,
            qos: frame.first >> 1 & 3,
            retain: frame.first & 1 != 0,
            topic: std::str::from_utf8(&frame.body[2..2 + n]).unwrap().into(),
            pkid: 0,
            expiry: None,
            subscription_ids: Vec::new(),
            alias: None,
            forward: Bytes::new(),
            payload: frame.body.slice(2 + n..),
        });
    }
    all
}

fn named(path: &str, qos: u8, id: u32) -> Sub {
    let mut sub = sub(qos);
    sub.filter.path = path.to_owned();
    sub.id = Some(id);
    sub
}

#[test]
fn overlapping_subscriptions_are_one_message_by_the_oldest() {
    let mut s = Session::new(1, 1 << 20);
    s.subscribe(9, named("a", 1, 300));
    s.subscribe(4, named("+", 2, 7));
    let both = message(2, "x");
    s.offer(4, &[4, 9], &both, 0);
    assert!(s.queue.is_empty(), "the older one brings it");
    s.offer(9, &[4, 9], &both, 0);
    assert_eq!(s.queue.len(), 1);
    let delivery = &s.queue[0].delivery;
    assert_eq!((delivery.qos, &delivery.subscription_ids[..]), (2, &[300, 7][..]));
    // By one of them alone, or by one that the list does not hold.
    s.offer(4, &[], &both, 0);
    s.offer(4, &[1, 9], &both, 0);
    assert_eq!(s.queue.len(), 3);
    // The older one is gone.
    s.unsubscribe("a");
    s.offer(4, &[4, 9], &both, 0);
    assert_eq!(s.queue.len(), 4);
}

#[test]
fn what_a_subscription_does_not_want_does_not_count() {
    let mut s = Session::new(7, 1 << 20);
    let mut deaf = named("a", 2, 1);
    deaf.filter.no_local = true;
    s.subscribe(1, deaf);
    s.subscribe(2, named("+", 0, 2));
    let mine = message(2, "x");
    s.offer(1, &[1, 2], &mine, 0);
    s.offer(2, &[1, 2], &mine, 0);
    assert_eq!(s.queue.len(), 1);
    assert_eq!((s.queue[0].delivery.qos, &s.queue[0].delivery.subscription_ids[..]), (0, &[2][..]));
}

#[test]
fn the_first_topics_get_a_number_as_many_as_the_client_takes() {
    let mut s = Session::new(1, 1 << 20);
    let props = Props { topic_alias_max: Some(1), max_packet: Some(40), ..Props::default() };
    s.connected(Version::V5, &props, &mut BytesMut::new());
    s.subscribe(0, sub(0));
    let to = |topic: &str, payload: &'static str| Message { topic: topic.into(), ..message(0, payload) };
    // Too large to be sent: the client has not learnt the number.
    for m in
        [to("first", "this is longer than what this client takes"), to("first", "1"), to("first", "2"), to("b", "3")]
    {
        s.offer(0, &[], &m, 0);
    }
    let out: Vec<_> = sent(&mut s).iter().map(|d| (d.topic.to_string(), d.payload.clone())).collect();
    let expected = [("first", &b"\x03\x23\x00\x011"[..]), ("", b"\x03\x23\x00\x012"), ("b", b"\x003")];
    assert_eq!(out, expected.map(|(topic, rest)| (topic.to_owned(), Bytes::from_static(rest))));
    s.connected(Version::V5, &Props::default(), &mut BytesMut::new());
    s.offer(0, &[], &to("first", "4"), 0);
    assert_eq!(&*sent(&mut s)[0].topic, "first", "another connection, other numbers");
}
