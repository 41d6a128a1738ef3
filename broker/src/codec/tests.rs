//! Round trips against the codec of another library (rumqttc's), bytes of all kinds, and a table of what is refused.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rumqttc::mqttbytes::{QoS, v4};

use super::*;

fn qos(n: u8) -> QoS {
    [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(n)]
}

fn name() -> impl Strategy<Value = String> {
    "[^+#\\x00]{1,40}".prop_filter("allowed", |t| crate::topic::check_name(t).is_ok())
}

fn one(bytes: &[u8], version: Version) -> Result<Packet, Bad> {
    let mut buffer = BytesMut::from(bytes);
    let frame = frame(&mut buffer, 1 << 20)?.ok_or(Bad::Malformed("not whole"))?;
    assert!(buffer.is_empty());
    decode(frame, version)
}

proptest! {
    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..200), five: bool) {
        let version = if five { Version::V5 } else { Version::V4 };
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(frame)) = frame(&mut buffer, 1000) {
            let _ = decode(frame, version);
        }
    }

    #[test]
    fn any_body_is_borne(kind in 1u8..16, flags in 0u8..16, body in prop::collection::vec(any::<u8>(), 0..80), five: bool) {
        let version = if five { Version::V5 } else { Version::V4 };
        let _ = decode(Frame { first: kind << 4 | flags, body: body.into() }, version);
    }

    #[test]
    fn the_other_library_reads_what_we_write(topic in name(), n in 0u8..3, retain: bool, pkid in 1u16.., payload: Vec<u8>) {
        let delivery = Delivery {
            dup: false, qos: n, retain, topic: topic.as_str().into(), pkid: if n > 0 { pkid } else { 0 },
            expiry: Some(7), subscription_ids: vec![300, 2], alias: None, forward: Bytes::from_static(&[1, 1]), payload: payload.clone().into(),
        };
        for version in [Version::V4, Version::V5] {
            let mut out = BytesMut::new();
            put_publish(&mut out, version, &delivery);
            prop_assert_eq!(out.len(), publish_size(version, &delivery));
            if version == Version::V4 {
                let Ok(v4::Packet::Publish(p)) = v4::Packet::read(&mut out, 1 << 20) else { panic!("no PUBLISH") };
                prop_assert_eq!((&p.topic, &p.payload[..], p.qos as u8, p.retain, p.pkid),
                                (&topic, &payload[..], n, retain, delivery.pkid));
            } else {
                use rumqttc::v5::mqttbytes::v5;
                let Ok(v5::Packet::Publish(p)) = v5::Packet::read(&mut out, Some(1 << 20)) else { panic!("no PUBLISH") };
                let props = p.properties.unwrap();
                prop_assert_eq!((&p.topic[..], &p.payload[..], p.qos as u8, p.retain, p.pkid),
                                (topic.as_bytes(), &payload[..], n, retain, delivery.pkid));
                prop_assert_eq!((props.message_expiry_interval, props.payload_format_indicator, props.subscription_identifiers),
                                (Some(7), Some(1), vec![300, 2]));
            }
        }
    }

    #[test]
    fn we_read_what_the_other_library_writes(topic in name(), n in 0u8..3, retain: bool, pkid in 1u16.., payload: Vec<u8>) {
        let mut publish = v4::Publish::new(topic.clone(), qos(n), payload.clone());
        publish.retain = retain;
        publish.pkid = if n > 0 { pkid } else { 0 };
        let mut bytes = BytesMut::new();
        publish.write(&mut bytes).unwrap();
        let Packet::Publish(p) = one(&bytes, Version::V4).unwrap() else { panic!("no PUBLISH") };
        prop_assert_eq!((p.topic, p.payload, p.qos, p.retain, p.pkid), (topic, payload.into(), n, retain, publish.pkid));
    }

    #[test]
    fn whole_connects_are_read(id in "[a-z]{0,30}", user in "[a-z]{1,9}", password in "[a-z]{1,9}", topic in name(), n in 0u8..3,
                               retain: bool, clean: bool, keep_alive: u16) {
        let mut connect = v4::Connect::new(id.clone());
        connect.clean_session = clean;
        connect.keep_alive = keep_alive;
        connect.set_login(user.clone(), password.clone());
        connect.last_will = Some(v4::LastWill::new(topic.clone(), "gone", qos(n), retain));
        let mut bytes = BytesMut::new();
        connect.write(&mut bytes).unwrap();
        let Packet::Connect(c) = one(&bytes, Version::V4).unwrap() else { panic!("no CONNECT") };
        let will = c.will.unwrap();
        prop_assert_eq!((c.client_id, c.clean, c.keep_alive, c.version), (id, clean, keep_alive, Version::V4));
        prop_assert_eq!((c.user, c.password), (Some(user), Some(password.into())));
        prop_assert_eq!((will.topic, will.qos, will.retain, &will.payload[..]), (topic, n, retain, &b"gone"[..]));
    }

    #[test]
    fn a_packet_in_pieces_is_the_same_packet(topic in name(), payload: Vec<u8>, cut: prop::sample::Index) {
        let mut whole = BytesMut::new();
        v4::Publish::new(topic, QoS::AtMostOnce, payload).write(&mut whole).unwrap();
        let cut = cut.index(whole.len());
        let mut buffer = BytesMut::from(&whole[..cut]);
        prop_assert_eq!(frame(&mut buffer, 1 << 20), Ok(None));
        buffer.extend_from_slice(&whole[cut..]);
        let found = frame(&mut buffer, 1 << 20).unwrap().unwrap();
        prop_assert_eq!(Ok(found), frame(&mut whole, 1 << 20).map(Option::unwrap));
    }
}

#[test]
fn what_is_refused() {
    let (v4, v5) = (Version::V4, Version::V5);
    let cases: &[(&[u8], Version, Bad)] = &[
        (&[0x00, 0], v4, Bad::Malformed("packet type")),
        (&[0xf0, 0], v5, Bad::Protocol("AUTH without an authentication method")),
        (&[0xc1, 0], v4, Bad::Malformed("flags of the fixed header")),
        (&[0xc0, 1, 0], v4, Bad::Malformed("bytes left over")),
        (&[0x80, 6, 0, 1, 0, 1, b'a', 0], v4, Bad::Malformed("flags of the fixed header")),
        (&[0x82, 6, 0, 0, 0, 1, b'a', 0], v4, Bad::Protocol("packet id 0")),
        (&[0x82, 2, 0, 1], v4, Bad::Protocol("SUBSCRIBE without a filter")),
        (&[0x82, 6, 0, 1, 0, 1, b'a', 3], v4, Bad::Malformed("subscription options")),
        (&[0x82, 6, 0, 1, 0, 1, b'a', 4], v4, Bad::Malformed("subscription options")),
        (&[0xa2, 2, 0, 1], v4, Bad::Protocol("UNSUBSCRIBE without a filter")),
        (&[0x36, 5, 0, 1, b'a', 0, 1], v4, Bad::Malformed("flags of PUBLISH")),
        (&[0x38, 3, 0, 1, b'a'], v4, Bad::Malformed("flags of PUBLISH")),
        (&[0x30, 4, 0, 2, 0xc3, 0x28], v4, Bad::Malformed("text is not UTF-8")),
        (&[0x30, 3, 0, 1, 0], v4, Bad::Malformed("text holds U+0000")),
        (&[0x30, 3, 0, 1, b'+'], v4, Bad::Topic("a topic may not hold a wildcard")),
        (&[0x30, 2, 0, 0], v4, Bad::Topic("a topic may not be empty")),
        (&[0x30, 3, 0, 9, b'a'], v4, Bad::Malformed("packet ends too early")),
        (&[0x30, 6, 0, 1, b'a', 2, 0x01, 2], v5, Bad::Protocol("property is neither 0 nor 1")),
        (&[0x30, 8, 0, 1, b'a', 4, 0x01, 1, 0x01, 1], v5, Bad::Protocol("property given twice")),
        (&[0x30, 6, 0, 1, b'a', 2, 0x0b, 1], v5, Bad::Malformed("property does not belong here")),
        (&[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0], v5, Bad::Alias("topic alias 0")),
        (&[0x10, 10, 0, 4, b'M', b'Q', b'T', b'T', 4, 1, 0, 0], v4, Bad::Malformed("reserved flag of CONNECT")),
        (
            &[0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 0x40, 0, 0, 0, 0],
            v4,
            Bad::Malformed("password without a user name"),
        ),
        (
            &[0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 0x20, 0, 0, 0, 0],
            v4,
            Bad::Malformed("will flags without a will"),
        ),
        (&[0x10, 10, 0, 4, b'M', b'Q', b'T', b'T', 6, 2, 0, 0], v4, Bad::Version(6)),
        (&[0x10, 12, 0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, 2, 0, 0], v4, Bad::Version(3)),
        (&[0x10, 4, 0, 1, b'X', 4], v4, Bad::Malformed("protocol name")),
        (&[0x30, 0xff, 0xff, 0xff, 0xff], v4, Bad::Malformed("remaining length")),
        (&[0x30, 0xff, 0xff, 0xff, 0x7f], v4, Bad::TooLarge(268_435_460)),
    ];
    for (bytes, version, expected) in cases {
        assert_eq!(one(bytes, *version), Err(*expected), "{bytes:02x?}");
    }
}
