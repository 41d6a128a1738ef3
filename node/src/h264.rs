//! H.264 in Annex B form: where its NAL units begin and which of them make one picture. Pure.
//!
//! Needed where a camera encodes by itself and nobody tells the size of its pictures. Nothing is decoded: the type of
//! a NAL unit and the first bit of a slice are enough.

use bytes::Bytes;

/// A picture is never larger than this: what has no start code for so long is no H.264.
const MAX_UNIT: usize = 64 * 1024 * 1024;

const SLICE: u8 = 1;
const PARTITION_A: u8 = 2;
const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

/// One coded picture and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its bytes, start codes and all: units one after the other are the stream again.
    pub data: Bytes,
    /// Whether it is an IDR picture.
    pub key: bool,
}

/// Cuts a stream that comes in pieces of any size into access units. A unit is complete when the next one begins.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    /// Begins at the start of the current unit.
    buffer: Vec<u8>,
    /// Up to here no further start code is to be found.
    scanned: usize,
    has_picture: bool,
    key: bool,
}

impl Splitter {
    /// Takes the next bytes and gives the units that they complete.
    ///
    /// # Errors
    /// What comes is no H.264.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Unit>, String> {
        self.buffer.extend_from_slice(bytes);
        let mut units = Vec::new();
        loop {
            let Some(nal) = next_nal(&self.buffer, self.scanned) else {
                self.scanned = self.buffer.len();
                break;
            };
            // The byte behind the NAL unit's type tells whether a slice begins a picture.
            let Some(&[first, second]) = self.buffer.get(nal.header..nal.header + 2) else { break };
            self.scanned = nal.header + 1;
            let kind = first & 0x1f;
            if nal.start > 0 && self.ends_before(kind, second) {
                units.push(self.cut(nal.start));
            }
            self.has_picture |= is_picture(kind);
            self.key |= kind == IDR;
        }
        if self.buffer.len() > MAX_UNIT {
            return Err(format!("{MAX_UNIT} bytes came without the end of a picture: this is no H.264 stream"));
        }
        Ok(units)
    }

    /// The last unit, once the stream has ended; it may be cut off.
    pub fn finish(&mut self) -> Option<Unit> {
        let length = self.buffer.len();
        self.has_picture.then(|| self.cut(length))
    }

    /// Whether the current unit is complete before a NAL unit of this kind (H.264, 7.4.1.2.3 and 7.4.1.2.4).
    fn ends_before(&self, kind: u8, second: u8) -> bool {
        // A slice whose first macroblock is number 0, written as a single 1 bit, begins a picture; pictures from
        // several slices have others behind it.
        let begins_picture = is_picture(kind) && second & 0x80 != 0;
        self.has_picture && (begins_picture || matches!(kind, SEI | SPS | PPS | DELIMITER | 14..=18))
    }

    fn cut(&mut self, at: usize) -> Unit {
        let rest = self.buffer.split_off(at);
        let data = Bytes::from(std::mem::replace(&mut self.buffer, rest));
        self.scanned = self.scanned.saturating_sub(at);
        self.has_picture = false;
        Unit { data, key: std::mem::take(&mut self.key) }
    }
}

fn is_picture(kind: u8) -> bool {
    matches!(kind, SLICE | PARTITION_A | IDR)
}

/// Where a NAL unit begins.
#[derive(Clone, Copy, Debug)]
struct NalStart {
    /// Its start code, of three or four bytes.
    start: usize,
    /// The byte that tells its type.
    header: usize,
}

/// The first NAL unit whose start code's `00 00 01` ends behind `from`.
fn next_nal(bytes: &[u8], from: usize) -> Option<NalStart> {
    // Back over zeros that an earlier piece may have ended with, but never into a start code found before.
    let mut at = from.saturating_sub(2);
    loop {
        match bytes.get(at..at + 3)? {
            [0, 0, 1] if at + 3 > from => {
                let long = at > 0 && bytes.get(at - 1) == Some(&0);
                return Some(NalStart { start: at - usize::from(long), header: at + 3 });
            }
            // A byte above 1 can be no part of a start code: the next one begins behind it at the earliest.
            [_, _, above] if *above > 1 => at += 3,
            _ => at += 1,
        }
    }
}

/// The NAL units of a whole unit, without their start codes.
pub fn nals(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = next_nal(data, 0);
    std::iter::from_fn(move || {
        let nal = next?;
        next = next_nal(data, nal.header);
        let end = next.map_or(data.len(), |n| n.start);
        data.get(nal.header..end)
    })
}

/// Whether a unit is an IDR picture.
pub fn is_idr(data: &[u8]) -> bool {
    nals(data).any(|nal| nal.first().is_some_and(|first| first & 0x1f == IDR))
}

/// The SPS and PPS of a unit with their start codes, for putting before an IDR that lacks them; `None` unless the unit
/// has both.
pub fn parameter_sets(data: &[u8]) -> Option<Vec<u8>> {
    let of_kind = |kind: u8| nals(data).filter(move |nal| nal.first().is_some_and(|first| first & 0x1f == kind));
    of_kind(SPS).next().and(of_kind(PPS).next())?;
    Some(of_kind(SPS).chain(of_kind(PPS)).flat_map(|nal| [&[0, 0, 0, 1], nal].concat()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A NAL unit as an encoder writes it: no start code can occur within, its last byte is not 0.
    fn nal(kind: u8, second: u8, long: bool, body: &[u8]) -> Vec<u8> {
        let start: &[u8] = if long { &[0, 0, 0, 1] } else { &[0, 0, 1] };
        [start, &[0x60 | kind, second], body, &[0x80]].concat()
    }

    prop_compose! {
        fn body()(bytes in proptest::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(0)], 0..40)) -> Vec<u8> {
            let mut out: Vec<u8> = Vec::new();
            for byte in bytes {
                if byte <= 3 && out.ends_with(&[0, 0]) {
                    out.push(3);
                }
                out.push(byte);
            }
            out
        }
    }

    prop_compose! {
        /// A unit: perhaps a delimiter, parameter sets, SEI, then one to four slices.
        fn unit()(
            key: bool, delimiter: bool, sei: bool, long: bool,
            slices in proptest::collection::vec((0u8..0x80, body()), 1..4),
        ) -> Unit {
            let mut data = Vec::new();
            if delimiter {
                data.extend(nal(DELIMITER, 0x10, true, &[]));
            }
            if key {
                data.extend(nal(SPS, 0x42, true, &[1, 2, 3]));
                data.extend(nal(PPS, 0xce, long, &[4]));
            }
            if sei {
                data.extend(nal(SEI, 5, long, &[9, 9]));
            }
            for (n, (second, body)) in slices.iter().enumerate() {
                let first_of_picture = if n == 0 { 0x80 } else { 0 };
                let kind = if key { IDR } else { SLICE };
                data.extend(nal(kind, second | first_of_picture, long, body));
            }
            Unit { data: data.into(), key }
        }
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_units(
            units in proptest::collection::vec(unit(), 1..8), chunk in 1usize..60,
        ) {
            let stream: Vec<u8> = units.iter().flat_map(|u| u.data.to_vec()).collect();
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for piece in stream.chunks(chunk) {
                found.extend(splitter.push(piece).unwrap());
            }
            found.extend(splitter.finish());
            prop_assert_eq!(found, units);
        }

        #[test]
        fn parameter_sets_are_found_in_every_key_unit(unit in unit()) {
            prop_assert_eq!(is_idr(&unit.data), unit.key);
            let sets = parameter_sets(&unit.data);
            let wanted = [nal(SPS, 0x42, true, &[1, 2, 3]), nal(PPS, 0xce, true, &[4])].concat();
            prop_assert_eq!(sets, unit.key.then_some(wanted));
        }

        #[test]
        fn no_bytes_make_it_panic_or_lose_one(bytes in proptest::collection::vec(0u8..4, 0..300), chunk in 1usize..40) {
            let mut splitter = Splitter::default();
            let mut all = Vec::new();
            for piece in bytes.chunks(chunk) {
                for unit in splitter.push(piece).unwrap() {
                    all.extend_from_slice(&unit.data);
                }
            }
            all.extend_from_slice(&splitter.buffer);
            prop_assert_eq!(&all, &bytes);
            let _ = (nals(&bytes).count(), is_idr(&bytes), parameter_sets(&bytes));
        }
    }
}
