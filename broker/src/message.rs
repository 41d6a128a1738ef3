//! One message on its way, and the form in which it travels through rumqttd.
//!
//! rumqttd gives every subscriber the subscriber's QoS instead of the smaller one (`router/routing.rs:1564`), clears the
//! retain flag (`:1238`) and knows no sender, so what the guard must know again on the other side is packed into the
//! one field that rumqttd passes on untouched: the correlation data. A large payload is never copied.
//!
//! Small messages are packed into one piece instead. A payload is a slice of the buffer that it was read into, and a few
//! bytes in rumqttd's log would keep kilobytes alive; and rumqttd counts only payloads when it bounds its logs
//! (`router/logs.rs:42`).

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::codec::{Qos, Will};
use crate::filters::Slot;

/// Payloads below this many bytes are copied.
const SMALL: usize = 4096;

/// A published message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Number of the session that published it, for no-local; 0 = nobody.
    pub(crate) sender: u64,
    /// Milliseconds since the broker's start.
    pub(crate) at_ms: u64,
    /// Seconds that it is worth something, from `at_ms`.
    pub(crate) expiry: Option<u32>,
    /// Encoded properties of version 5 that belong to the message.
    pub(crate) forward: Bytes,
}

impl Message {
    /// What a will becomes.
    pub(crate) fn of_will(will: Will, sender: u64, at_ms: u64) -> Message {
        Message {
            topic: will.topic.into(),
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            sender,
            at_ms,
            expiry: will.props.message_expiry,
            forward: will.props.forward,
        }
    }

    /// All but the payload.
    pub(crate) fn header(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(24 + self.topic.len() + self.forward.len());
        out.put_u8(self.qos | u8::from(self.retain) << 2 | u8::from(self.expiry.is_some()) << 3);
        out.put_u64(self.sender);
        out.put_u64(self.at_ms);
        out.put_u32(self.expiry.unwrap_or(0));
        out.put_u16(u16::try_from(self.topic.len()).unwrap_or(u16::MAX));
        out.put_slice(self.topic.as_bytes());
        out.put_slice(&self.forward);
        out.freeze()
    }

    /// What is put on rumqttd's logs, one for each of these filters: the header, unless it is in the payload.
    pub(crate) fn packed(&self, slots: &[Slot]) -> (Option<Bytes>, Bytes) {
        let header = self.header();
        let mut out = BytesMut::with_capacity(6 + 4 * slots.len() + header.len() + SMALL.min(self.payload.len()));
        // A session that has one of them alone needs no list. In a list that was cut short the others are alone too.
        let slots = if slots.len() > 1 { &slots[..slots.len().min(usize::from(u16::MAX))] } else { &[] };
        out.put_u16(u16::try_from(slots.len()).unwrap_or(u16::MAX));
        for slot in slots {
            out.put_u32(*slot);
        }
        if self.payload.len() >= SMALL {
            out.put_slice(&header);
            return (Some(out.freeze()), self.payload.clone());
        }
        out.put_u32(u32::try_from(header.len()).unwrap_or(u32::MAX));
        out.put_slice(&header);
        out.put_slice(&self.payload);
        (None, out.freeze())
    }

    /// The way back, with the filters that it came by if there were several; `None` if this was never packed.
    pub(crate) fn unpacked(header: Option<Bytes>, mut payload: Bytes) -> Option<(Message, Vec<Slot>)> {
        if let Some(mut header) = header {
            let slots = slots(&mut header)?;
            return Some((Message::from_header(header, payload)?, slots));
        }
        let slots = slots(&mut payload)?;
        let length = payload.try_get_u32().ok()? as usize;
        if payload.len() < length {
            return None;
        }
        Some((Message::from_header(payload.split_to(length), payload)?, slots))
    }

    /// The way back from a header; `None` if these bytes are no such header.
    pub(crate) fn from_header(mut header: Bytes, payload: Bytes) -> Option<Message> {
        if header.len() < 23 {
            return None;
        }
        let flags = header.get_u8();
        let sender = header.get_u64();
        let at_ms = header.get_u64();
        let expiry = header.get_u32();
        let length = usize::from(header.get_u16());
        if header.len() < length {
            return None;
        }
        let topic = header.split_to(length);
        Some(Message {
            topic: std::str::from_utf8(&topic).ok()?.into(),
            payload,
            qos: (flags & 3).min(2),
            retain: flags & 4 != 0,
            sender,
            at_ms,
            expiry: (flags & 8 != 0).then_some(expiry),
            forward: header,
        })
    }

    /// Seconds left at `now_ms`: `Ok(None)` = no limit, `Err` = worthless.
    pub(crate) fn left(&self, now_ms: u64) -> Result<Option<u32>, ()> {
        let Some(expiry) = self.expiry else {
            return Ok(None);
        };
        let passed = now_ms.saturating_sub(self.at_ms) / 1000;
        match u64::from(expiry).saturating_sub(passed) {
            0 => Err(()),
            left => Ok(Some(u32::try_from(left).unwrap_or(u32::MAX))),
        }
    }
}

fn slots(bytes: &mut Bytes) -> Option<Vec<Slot>> {
    let n = usize::from(bytes.try_get_u16().ok()?);
    if bytes.len() < 4 * n {
        return None;
    }
    Some((0..n).map(|_| bytes.get_u32()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_header_comes_back(topic in "\\PC{1,40}", qos in 0u8..3, retain: bool, sender: u64, at_ms: u64,
                                 expiry: Option<u32>, forward: Vec<u8>, slots: Vec<Slot>) {
            let payload = Bytes::from_static(b"x");
            let m = Message { topic: topic.as_str().into(), payload: payload.clone(), qos, retain, sender, at_ms, expiry,
                              forward: forward.into() };
            prop_assert_eq!(Message::from_header(m.header(), payload.clone()), Some(m.clone()));
            for payload in [payload, vec![7; SMALL].into()] {
                let m = Message { payload, ..m.clone() };
                let (header, packed) = m.packed(&slots);
                let several = if slots.len() > 1 { slots.clone() } else { Vec::new() };
                prop_assert_eq!(Message::unpacked(header, packed), Some((m, several)));
            }
        }

        #[test]
        fn any_bytes_are_borne(bytes: Vec<u8>) {
            let _ = Message::unpacked(None, bytes.clone().into());
            let _ = Message::unpacked(Some(bytes.clone().into()), Bytes::new());
            let _ = Message::from_header(bytes.into(), Bytes::new());
        }
    }
}
