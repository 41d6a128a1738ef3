//! Reads the primitive fields of a packet's body, never past its end.

use bytes::{Buf, Bytes};

use super::Bad;

/// A body being read from its front.
pub(super) struct Reader(pub(super) Bytes);

impl Reader {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn need(&self, n: usize) -> Result<(), Bad> {
        if self.0.len() < n { Err(Bad::Malformed("packet ends too early")) } else { Ok(()) }
    }

    pub(super) fn u8(&mut self) -> Result<u8, Bad> {
        self.need(1)?;
        Ok(self.0.get_u8())
    }

    pub(super) fn u16(&mut self) -> Result<u16, Bad> {
        self.need(2)?;
        Ok(self.0.get_u16())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Bad> {
        self.need(4)?;
        Ok(self.0.get_u32())
    }

    /// A number of one to four bytes, seven bits each.
    pub(super) fn varint(&mut self) -> Result<u32, Bad> {
        let mut value = 0;
        for i in 0..4 {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Bad::Malformed("variable length number"))
    }

    pub(super) fn take(&mut self, n: usize) -> Result<Bytes, Bad> {
        self.need(n)?;
        Ok(self.0.split_to(n))
    }

    /// Two bytes of length, then data.
    pub(super) fn binary(&mut self) -> Result<Bytes, Bad> {
        let n = self.u16()?;
        self.take(usize::from(n))
    }

    pub(super) fn string(&mut self) -> Result<String, Bad> {
        let bytes = self.binary()?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Bad::Malformed("text is not UTF-8"))?;
        if text.contains('\0') {
            return Err(Bad::Malformed("text holds U+0000"));
        }
        Ok(text.to_owned())
    }

    /// A packet id, which is never zero.
    pub(super) fn pkid(&mut self) -> Result<u16, Bad> {
        match self.u16()? {
            0 => Err(Bad::Protocol("packet id 0")),
            id => Ok(id),
        }
    }

    /// Whatever is left.
    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Bad> {
        if self.0.is_empty() { Ok(()) } else { Err(Bad::Malformed("bytes left over")) }
    }
}
