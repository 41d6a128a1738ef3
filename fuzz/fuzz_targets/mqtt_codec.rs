//! Bytes of a client: cut into frames alike however they come, and a message that is read is what is sent on.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use syncslate_broker::codec::{
    Bad, Delivery, Frame, Packet, Publish, Version, decode, forward_text, frame, publish_size, put_publish,
};

const MAX: usize = 4096;

fuzz_target!(|data: (bool, u8, &[u8])| {
    let (five, step, bytes) = data;
    let version = if five { Version::V5 } else { Version::V4 };
    let frames = cut(bytes, bytes.len().max(1));
    assert_eq!(cut(bytes, usize::from(step) + 1), frames);
    for frame in frames.0 {
        if let Ok(Packet::Publish(publish)) = decode(frame, version) {
            survives(publish, version);
        }
    }
});

fn cut(bytes: &[u8], step: usize) -> (Vec<Frame>, Option<Bad>) {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match frame(&mut buffer, MAX) {
                Ok(Some(whole)) => frames.push(whole),
                Ok(None) => break,
                Err(bad) => return (frames, Some(bad)),
            }
        }
    }
    (frames, None)
}

fn survives(publish: Publish, version: Version) {
    let _ = forward_text(&publish.props.forward);
    // A topic alias is resolved before anything is sent on.
    if publish.topic.is_empty() {
        return;
    }
    let delivery = Delivery {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        topic: publish.topic.as_str().into(),
        pkid: publish.pkid,
        expiry: publish.props.message_expiry,
        subscription_ids: Vec::new(),
        alias: None,
        forward: publish.props.forward.clone(),
        payload: publish.payload.clone(),
    };
    let mut out = BytesMut::new();
    put_publish(&mut out, version, &delivery);
    assert_eq!(out.len(), publish_size(version, &delivery));
    let whole = frame(&mut out, 2 * MAX).expect("a frame").expect("a whole one");
    assert!(out.is_empty());
    let Ok(Packet::Publish(again)) = decode(whole, version) else { panic!("{delivery:?} is no message any more") };
    assert_eq!((&again.topic, &again.payload, again.qos), (&publish.topic, &publish.payload, publish.qos));
    assert_eq!((again.dup, again.retain, again.pkid), (publish.dup, publish.retain, publish.pkid));
    assert_eq!(again.props.message_expiry, publish.props.message_expiry);
    assert_eq!(again.props.forward, publish.props.forward);
}
