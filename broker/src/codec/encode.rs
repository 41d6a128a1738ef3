//! What the server sends, written to the end of an output buffer.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Qos, Version};

/// The answer to CONNECT, with what this server tells a client of version 5.
#[derive(Debug, Clone, Default)]
pub struct ConnAck {
    /// A session was kept.
    pub session_present: bool,
    /// 0 or a refusal, in the codes of the client's version.
    pub code: u8,
    /// The id that the server chose.
    pub assigned_id: Option<String>,
    /// The largest packet that the server takes.
    pub max_packet: u32,
    /// The largest topic alias that the server takes.
    pub topic_alias_max: u16,
    /// How many unacknowledged QoS 1 and 2 messages the server takes.
    pub receive_max: u16,
    /// A session expiry other than asked for.
    pub session_expiry: Option<u32>,
    /// A keep alive other than asked for.
    pub keep_alive: Option<u16>,
}

/// A message as one subscriber gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Sent before.
    pub dup: bool,
    /// 0 to 2.
    pub qos: Qos,
    /// From the retained store, or as published when the subscriber asked so.
    pub retain: bool,
    /// The topic.
    pub topic: std::sync::Arc<str>,
    /// 0 when QoS is 0.
    pub pkid: u16,
    /// Seconds left (version 5).
    pub expiry: Option<u32>,
    /// The identifiers of the subscriptions that it comes by (version 5).
    pub subscription_ids: Vec<u32>,
    /// A number that stands for the topic (version 5).
    pub alias: Option<Alias>,
    /// Encoded properties passed on (version 5).
    pub forward: Bytes,
    /// The message.
    pub payload: Bytes,
}

/// A topic alias of the server's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alias {
    /// Not 0.
    pub number: u16,
    /// The client knows what it stands for: the topic is left out.
    pub known: bool,
}

/// CONNACK.
pub fn put_connack(out: &mut BytesMut, version: Version, ack: &ConnAck) {
    let mut props = BytesMut::new();
    if version == Version::V5 && ack.code == 0 {
        if let Some(n) = ack.session_expiry {
            props.put_u8(0x11);
            props.put_u32(n);
        }
        props.put_u8(0x21);
        props.put_u16(ack.receive_max);
        props.put_u8(0x27);
        props.put_u32(ack.max_packet);
        if let Some(id) = &ack.assigned_id {
            props.put_u8(0x12);
            put_string(&mut props, id.as_bytes());
        }
        props.put_u8(0x22);
        props.put_u16(ack.topic_alias_max);
        if let Some(n) = ack.keep_alive {
            props.put_u8(0x13);
            props.put_u16(n);
        }
    }
    let mut body = BytesMut::new();
    body.put_u8(u8::from(ack.session_present));
    body.put_u8(ack.code);
    if version == Version::V5 {
        put_varint(&mut body, props.len());
        body.put_slice(&props);
    }
    put_packet(out, 0x20, &body);
}

/// PUBLISH.
pub fn put_publish(out: &mut BytesMut, version: Version, d: &Delivery) {
    let props = delivery_props(version, d);
    let length = publish_length(version, d, props.len());
    out.reserve(length + 5);
    out.put_u8(0x30 | u8::from(d.dup) << 3 | d.qos << 1 | u8::from(d.retain));
    put_varint(out, length);
    put_string(out, wire_topic(version, d).as_bytes());
    if d.qos > 0 {
        out.put_u16(d.pkid);
    }
    if version == Version::V5 {
        put_varint(out, props.len());
        out.put_slice(&props);
    }
    out.put_slice(&d.payload);
}

/// The whole size of that PUBLISH on the wire, to be held against a client's maximum packet size.
pub fn publish_size(version: Version, d: &Delivery) -> usize {
    let length = publish_length(version, d, delivery_props(version, d).len());
    1 + varint_len(length) + length
}

fn publish_length(version: Version, d: &Delivery, props: usize) -> usize {
    let head = 2 + wire_topic(version, d).len() + if d.qos > 0 { 2 } else { 0 } + d.payload.len();
    head + if version == Version::V5 { varint_len(props) + props } else { 0 }
}

fn wire_topic(version: Version, d: &Delivery) -> &str {
    if version == Version::V5 && d.alias.is_some_and(|a| a.known) { "" } else { &d.topic }
}

fn delivery_props(version: Version, d: &Delivery) -> BytesMut {
    let mut props = BytesMut::new();
    if version == Version::V5 {
        if let Some(n) = d.expiry {
            props.put_u8(0x02);
            props.put_u32(n);
        }
        props.put_slice(&d.forward);
        for id in &d.subscription_ids {
            props.put_u8(0x0b);
            put_varint(&mut props, *id as usize);
        }
        if let Some(alias) = d.alias {
            props.put_u8(0x23);
            props.put_u16(alias.number);
        }
    }
    props
}

/// PUBACK (4), PUBREC (5), PUBREL (6) or PUBCOMP (7).
pub fn put_ack(out: &mut BytesMut, version: Version, kind: u8, pkid: u16, reason: u8) {
    let first = kind << 4 | if kind == 6 { 2 } else { 0 };
    if version == Version::V5 && reason != 0 {
        out.put_slice(&[first, 3]);
        out.put_u16(pkid);
        out.put_u8(reason);
    } else {
        out.put_slice(&[first, 2]);
        out.put_u16(pkid);
    }
}

/// SUBACK (9) or UNSUBACK (11).
pub fn put_suback(out: &mut BytesMut, version: Version, kind: u8, pkid: u16, codes: &[u8]) {
    let mut body = BytesMut::new();
    body.put_u16(pkid);
    if version == Version::V5 {
        body.put_u8(0);
    }
    if version == Version::V5 || kind == 9 {
        body.put_slice(codes);
    }
    put_packet(out, kind << 4, &body);
}

/// PINGRESP.
pub fn put_pingresp(out: &mut BytesMut) {
    out.put_slice(&[0xd0, 0]);
}

/// DISCONNECT, which only version 5 lets a server send.
pub fn put_disconnect(out: &mut BytesMut, version: Version, reason: u8) {
    if version == Version::V5 {
        out.put_slice(&[0xe0, 2, reason, 0]);
    }
}

fn put_packet(out: &mut BytesMut, first: u8, body: &[u8]) {
    out.put_u8(first);
    put_varint(out, body.len());
    out.put_slice(body);
}

/// Text or data with its length; both are at most 65,535 bytes because they came in that way.
fn put_string(out: &mut BytesMut, text: &[u8]) {
    out.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(&text[..text.len().min(65_535)]);
}

fn put_varint(out: &mut BytesMut, mut n: usize) {
    loop {
        let byte = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            out.put_u8(byte);
            return;
        }
        out.put_u8(byte | 0x80);
    }
}

fn varint_len(n: usize) -> usize {
    match n {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}
