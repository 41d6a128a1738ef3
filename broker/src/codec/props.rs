//! The properties of version 5.
//!
//! What the guard acts on is read into fields; what belongs to the message alone (content type, user properties and
//! the like) is checked and then kept as the very bytes that came, to be passed on untouched.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Bad, read::Reader};

/// The properties of one packet. In version 3.1.1 all are absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Props {
    /// Seconds that a session outlives its connection; `u32::MAX` = for ever.
    pub session_expiry: Option<u32>,
    /// How many QoS 1 and 2 messages the client takes unacknowledged.
    pub receive_max: Option<u16>,
    /// The largest packet that the client takes, in bytes.
    pub max_packet: Option<u32>,
    /// Stands for a topic.
    pub topic_alias: Option<u16>,
    /// The largest topic alias that the client takes.
    pub topic_alias_max: Option<u16>,
    /// Seconds that the last will waits.
    pub will_delay: Option<u32>,
    /// Seconds after which the message is worthless.
    pub message_expiry: Option<u32>,
    /// Comes back with each message of the subscription.
    pub subscription_id: Option<u32>,
    /// Whether an authentication method was named (none is supported).
    pub auth_method: bool,
    /// Encoded properties that travel with the message: payload format, content type, response topic, correlation
    /// data, user properties.
    pub forward: Bytes,
}

/// Where properties stand decides which may occur.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    Connect,
    Will,
    Publish,
    Ack,
    Subscribe,
    Unsubscribe,
    Disconnect,
}

fn allowed(place: Place, id: u8) -> bool {
    let ids: &[u8] = match place {
        Place::Connect => &[0x11, 0x21, 0x27, 0x22, 0x19, 0x17, 0x26, 0x15, 0x16],
        Place::Will => &[0x18, 0x01, 0x02, 0x03, 0x08, 0x09, 0x26],
        // A subscription identifier (0x0B) from a client ends rumqttd's connection too, so it stays forbidden here.
        Place::Publish => &[0x01, 0x02, 0x23, 0x08, 0x09, 0x26, 0x03],
        Place::Ack => &[0x1f, 0x26],
        Place::Subscribe => &[0x0b, 0x26],
        Place::Unsubscribe => &[0x26],
        Place::Disconnect => &[0x11, 0x1f, 0x26],
    };
    ids.contains(&id)
}

/// Reads a length and the properties that it covers.
pub(super) fn read(reader: &mut Reader, place: Place) -> Result<Props, Bad> {
    let length = reader.varint()? as usize;
    let mut block = Reader(reader.take(length)?);
    let mut props = Props::default();
    let mut forward = BytesMut::new();
    let mut seen = 0u64;
    while !block.is_empty() {
        let before = block.0.clone();
        let id = block.u8()?;
        if !allowed(place, id) {
            return Err(Bad::Malformed("property does not belong here"));
        }
        if id != 0x26 && seen & (1 << id) != 0 {
            return Err(Bad::Protocol("property given twice"));
        }
        seen |= 1 << id;
        read_one(&mut block, id, &mut props)?;
        if matches!(id, 0x01 | 0x03 | 0x08 | 0x09 | 0x26) {
            forward.put_slice(&before[..before.len() - block.0.len()]);
        }
    }
    if seen & (1 << 0x16) != 0 && !props.auth_method {
        return Err(Bad::Protocol("authentication data without a method"));
    }
    props.forward = forward.freeze();
    Ok(props)
}

fn read_one(block: &mut Reader, id: u8, props: &mut Props) -> Result<(), Bad> {
    match id {
        0x01 | 0x17 | 0x19 => {
            if block.u8()? > 1 {
                return Err(Bad::Protocol("property is neither 0 nor 1"));
            }
        }
        0x02 => props.message_expiry = Some(block.u32()?),
        0x03 | 0x1f => drop(block.string()?),
        0x08 => {
            let topic = block.string()?;
            crate::topic::check_name(&topic).map_err(|_| Bad::Protocol("response topic"))?;
        }
        0x09 | 0x16 => drop(block.binary()?),
        0x0b => match block.varint()? {
            0 => return Err(Bad::Protocol("subscription identifier 0")),
            n => props.subscription_id = Some(n),
        },
        0x11 => props.session_expiry = Some(block.u32()?),
        0x15 => {
            block.string()?;
            props.auth_method = true;
        }
        0x18 => props.will_delay = Some(block.u32()?),
        0x21 => match block.u16()? {
            0 => return Err(Bad::Protocol("receive maximum 0")),
            n => props.receive_max = Some(n),
        },
        0x22 => props.topic_alias_max = Some(block.u16()?),
        0x23 => match block.u16()? {
            0 => return Err(Bad::Alias("topic alias 0")),
            n => props.topic_alias = Some(n),
        },
        0x26 => {
            block.string()?;
            block.string()?;
        }
        0x27 => match block.u32()? {
            0 => return Err(Bad::Protocol("maximum packet size 0")),
            n => props.max_packet = Some(n),
        },
        _ => return Err(Bad::Malformed("unknown property")),
    }
    Ok(())
}

/// Whether encoded forwardable properties say that the payload is text (payload format indicator 1).
pub fn forward_text(forward: &Bytes) -> bool {
    let mut block = Reader(forward.clone());
    while let Ok(id) = block.u8() {
        let ok = match id {
            0x01 => return block.u8() == Ok(1),
            0x03 | 0x08 | 0x09 => block.binary().is_ok(),
            0x26 => block.binary().is_ok() && block.binary().is_ok(),
            _ => false,
        };
        if !ok {
            return false;
        }
    }
    false
}
