//! Frames to packets.

use bytes::Bytes;

use super::{
    Bad, Connect, Disconnect, Filter, Frame, Packet, Props, Publish, Subscribe, Unsubscribe, Version, Will,
    props::{self, Place},
    read::Reader,
};
use crate::topic;

/// Reads one packet. `version` is what CONNECT agreed on; before it only CONNECT itself is to be decoded.
pub fn decode(frame: Frame, version: Version) -> Result<Packet, Bad> {
    let flags = frame.first & 0x0f;
    let kind = frame.first >> 4;
    let prescribed = match kind {
        3 => flags,
        6 | 8 | 10 => 2,
        _ => 0,
    };
    if flags != prescribed {
        return Err(Bad::Malformed("flags of the fixed header"));
    }
    let mut r = Reader(frame.body);
    match kind {
        1 => connect(r).map(|c| Packet::Connect(Box::new(c))),
        3 => publish(r, flags, version).map(Packet::Publish),
        4 => Ok(Packet::PubAck(ack(r, version)?.0)),
        5 => ack(r, version).map(|(id, reason)| Packet::PubRec(id, reason < 0x80)),
        6 => Ok(Packet::PubRel(ack(r, version)?.0)),
        7 => Ok(Packet::PubComp(ack(r, version)?.0)),
        8 => subscribe(r, version).map(Packet::Subscribe),
        10 => unsubscribe(r, version).map(Packet::Unsubscribe),
        12 => r.end().map(|()| Packet::PingReq),
        14 => {
            let mut d = Disconnect { reason: 0, props: Props::default() };
            if version == Version::V5 && !r.is_empty() {
                d.reason = r.u8()?;
                if !r.is_empty() {
                    d.props = props::read(&mut r, Place::Disconnect)?;
                }
            }
            r.end()?;
            Ok(Packet::Disconnect(d))
        }
        15 => Err(Bad::Protocol("AUTH without an authentication method")),
        _ => Err(Bad::Malformed("packet type")),
    }
}

fn connect(mut r: Reader) -> Result<Connect, Bad> {
    let name = r.binary()?;
    let level = r.u8()?;
    let version = match (&name[..], level) {
        (b"MQTT", 4) => Version::V4,
        (b"MQTT", 5) => Version::V5,
        (b"MQTT" | b"MQIsdp", level) => return Err(Bad::Version(level)),
        _ => return Err(Bad::Malformed("protocol name")),
    };
    let flags = r.u8()?;
    if flags & 1 != 0 {
        return Err(Bad::Malformed("reserved flag of CONNECT"));
    }
    let keep_alive = r.u16()?;
    let props = if version == Version::V5 { props::read(&mut r, Place::Connect)? } else { Props::default() };
    let client_id = r.string()?;
    let will = will(&mut r, flags, version)?;
    let user = if flags & 0x80 != 0 { Some(r.string()?) } else { None };
    if version == Version::V4 && flags & 0xc0 == 0x40 {
        return Err(Bad::Malformed("password without a user name"));
    }
    let password = if flags & 0x40 != 0 { Some(r.binary()?) } else { None };
    r.end()?;
    Ok(Connect { version, client_id, clean: flags & 2 != 0, keep_alive, will, user, password, props })
}

fn will(r: &mut Reader, flags: u8, version: Version) -> Result<Option<Will>, Bad> {
    let qos = flags >> 3 & 3;
    if flags & 4 == 0 {
        return if flags & 0x38 == 0 { Ok(None) } else { Err(Bad::Malformed("will flags without a will")) };
    }
    if qos == 3 {
        return Err(Bad::Malformed("will QoS 3"));
    }
    let props = if version == Version::V5 { props::read(r, Place::Will)? } else { Props::default() };
    let topic = r.string()?;
    let payload = r.binary()?;
    topic::check_name(&topic).map_err(Bad::Topic)?;
    Ok(Some(Will { topic, payload, qos, retain: flags & 0x20 != 0, props }))
}

fn publish(mut r: Reader, flags: u8, version: Version) -> Result<Publish, Bad> {
    let qos = flags >> 1 & 3;
    let dup = flags & 8 != 0;
    if qos == 3 || (dup && qos == 0) {
        return Err(Bad::Malformed("flags of PUBLISH"));
    }
    let topic = r.string()?;
    let pkid = if qos > 0 { r.pkid()? } else { 0 };
    let props = if version == Version::V5 { props::read(&mut r, Place::Publish)? } else { Props::default() };
    if !(topic.is_empty() && props.topic_alias.is_some()) {
        topic::check_name(&topic).map_err(Bad::Topic)?;
    }
    let payload: Bytes = r.rest();
    Ok(Publish { dup, qos, retain: flags & 1 != 0, topic, pkid, props, payload })
}

/// Packet id and reason code of the four acknowledgements.
fn ack(mut r: Reader, version: Version) -> Result<(u16, u8), Bad> {
    let pkid = r.pkid()?;
    let mut reason = 0;
    if version == Version::V5 && !r.is_empty() {
        reason = r.u8()?;
        if !r.is_empty() {
            props::read(&mut r, Place::Ack)?;
        }
    }
    r.end()?;
    Ok((pkid, reason))
}

fn subscribe(mut r: Reader, version: Version) -> Result<Subscribe, Bad> {
    let pkid = r.pkid()?;
    let props = if version == Version::V5 { props::read(&mut r, Place::Subscribe)? } else { Props::default() };
    let mut filters = Vec::new();
    while !r.is_empty() {
        let path = r.string()?;
        let options = r.u8()?;
        let reserved = if version == Version::V5 { 0xc0 } else { 0xfc };
        if options & reserved != 0 || options & 3 == 3 || options >> 4 & 3 == 3 {
            return Err(Bad::Malformed("subscription options"));
        }
        filters.push(Filter {
            path,
            qos: options & 3,
            no_local: options & 4 != 0,
            retain_as_published: options & 8 != 0,
            retain_handling: options >> 4 & 3,
        });
    }
    if filters.is_empty() {
        return Err(Bad::Protocol("SUBSCRIBE without a filter"));
    }
    Ok(Subscribe { pkid, filters, props })
}

fn unsubscribe(mut r: Reader, version: Version) -> Result<Unsubscribe, Bad> {
    let pkid = r.pkid()?;
    if version == Version::V5 {
        props::read(&mut r, Place::Unsubscribe)?;
    }
    let mut filters = Vec::new();
    while !r.is_empty() {
        filters.push(r.string()?);
    }
    if filters.is_empty() {
        return Err(Bad::Protocol("UNSUBSCRIBE without a filter"));
    }
    Ok(Unsubscribe { pkid, filters })
}
