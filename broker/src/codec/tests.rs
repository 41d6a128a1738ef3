//! Round trips against rumqttc's codec, and bytes of all kinds.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..200), five: bool) {
        let version = if five { Version::V5 } else { Version::V4 };
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(frame)) = frame(&mut buffer, 1000) {
            let _ = decode(frame, version);
        }
    }
}
