//! Packets of version 5 with properties, and what both versions are asked in the end.

use super::{Raw, field, packet, publish, subscribe};

/// CONNECT of version 5 with properties.
pub fn connect5(id: &str, clean: bool, props: &[u8]) -> Vec<u8> {
    let mut body = field("MQTT");
    body.extend([5, if clean { 2 } else { 0 }, 0, 0, u8::try_from(props.len()).unwrap()]);
    body.extend(props);
    body.extend(field(id));
    packet(0x10, &body)
}

/// A connection of version 5 and its CONNACK.
pub async fn open5(rig: &super::Rig, id: &str, clean: bool, props: &[u8]) -> (Raw, Vec<u8>) {
    let mut raw = Raw::open(rig.addr).await;
    raw.send(&connect5(id, clean, props)).await;
    let ack = raw.packet().await;
    assert_eq!((ack[0], ack[3]), (0x20, 0), "{ack:?}");
    (raw, ack)
}

pub fn publish5(topic: &str, payload: &str, qos: u8, retain: bool, props: &[u8]) -> Vec<u8> {
    let mut body = field(topic);
    if qos > 0 {
        body.extend([0, 9]);
    }
    body.push(u8::try_from(props.len()).unwrap());
    body.extend(props);
    body.extend(payload.as_bytes());
    packet(0x30 | qos << 1 | u8::from(retain), &body)
}

pub async fn subscribe5(raw: &mut Raw, filter: &str, options: u8, props: &[u8]) -> u8 {
    let mut body = vec![0, 1, u8::try_from(props.len()).unwrap()];
    body.extend(props);
    body.extend(field(filter));
    body.push(options);
    raw.send(&packet(0x82, &body)).await;
    let ack = raw.packet().await;
    assert_eq!(ack[..5], [0x90, 4, 0, 1, 0], "{ack:?}");
    ack[5]
}

/// Nothing came before a message that the client sends to itself through the router.
pub async fn nothing_more(raw: &mut Raw, five: bool) {
    let marked = if five {
        subscribe5(raw, "mark", 0, &[]).await;
        publish5("mark", "", 0, false, &[])
    } else {
        raw.send(&subscribe("mark", 0)).await;
        assert_eq!(raw.packet().await, [0x90, 3, 0, 1, 0]);
        publish("mark", "", 0, false, 0)
    };
    raw.send(&marked).await;
    assert_eq!(raw.packet().await, marked);
}
