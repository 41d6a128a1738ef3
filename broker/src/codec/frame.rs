//! Cuts a byte stream into packets by the fixed header.

use bytes::{Buf, Bytes, BytesMut};

use super::Bad;

/// One packet's first byte and its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Type in the upper, flags in the lower four bits.
    pub first: u8,
    /// All after the remaining length.
    pub body: Bytes,
}

/// Takes one packet from the front of `buffer`, or tells that more bytes are needed (`None`).
///
/// The size is judged as soon as the header is there, so a client that announces too much never gets memory for it.
pub fn frame(buffer: &mut BytesMut, max: usize) -> Result<Option<Frame>, Bad> {
    let Some((length, header)) = remaining_length(buffer)? else {
        return Ok(None);
    };
    if header + length > max {
        return Err(Bad::TooLarge(header + length));
    }
    if buffer.len() < header + length {
        return Ok(None);
    }
    let first = buffer[0];
    buffer.advance(header);
    Ok(Some(Frame { first, body: buffer.split_to(length).freeze() }))
}

/// The remaining length and the size of the fixed header.
fn remaining_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, Bad> {
    let mut length = 0usize;
    for i in 0..4 {
        let Some(&byte) = buffer.get(1 + i) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((length, i + 2)));
        }
    }
    Err(Bad::Malformed("remaining length"))
}
