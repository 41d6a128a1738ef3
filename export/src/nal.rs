//! H.264 of Annex B as MP4 holds it: NAL units behind their lengths instead of start codes, and the parameter sets in a
//! decoder configuration (ISO/IEC 14496-15, 5.3.3.1). The bytes of the units are not changed. Pure.

use std::fmt;

use syncslate_shared::sps::Picture;

const SPS: u8 = 7;
const PPS: u8 = 8;
/// Profiles whose configuration tells the chroma format and the bit depths, too.
const HIGH: [u8; 4] = [100, 110, 122, 144];

/// The NAL units of an access unit, without start codes and the zeros around them.
pub fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = next_start(bytes);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = unit.windows(3).position(|code| code == [0, 0, 1]);
        rest = end.and_then(|end| unit.get(end + 3..));
        let unit = &unit[..end.unwrap_or(unit.len())];
        // A unit never ends with a zero: those belong to the next start code.
        let last = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&unit[..last])
    })
    .filter(|unit| !unit.is_empty())
}

fn next_start(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(3).position(|code| code == [0, 0, 1])?;
    bytes.get(at + 3..)
}

/// Appends an access unit as MP4 holds it; gives the length that was appended.
pub fn append(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let begin = out.len();
    for unit in units(bytes) {
        out.extend_from_slice(&u32::try_from(unit.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(unit);
    }
    out.len() - begin
}

/// The parameter sets of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    sps: Vec<Vec<u8>>,
    pps: Vec<Vec<u8>>,
}

/// A stream that is none for MP4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSets;

impl fmt::Display for NoSets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the first frame brings no parameter sets (SPS and PPS), so nothing can be decoded")
    }
}

impl Sets {
    /// Those that an access unit brings.
    ///
    /// # Errors
    /// It brings none, or such as nothing can be read of.
    pub fn of(bytes: &[u8]) -> Result<Self, NoSets> {
        let mut sets = Self::default();
        for unit in units(bytes) {
            let list = match unit.first().map(|head| head & 0x1f) {
                Some(SPS) => &mut sets.sps,
                Some(PPS) => &mut sets.pps,
                _ => continue,
            };
            // The configuration counts up to 31 of them, each of up to 64 KiB.
            if !list.iter().any(|known| known == unit) && list.len() < 31 && unit.len() <= usize::from(u16::MAX) {
                list.push(unit.to_vec());
            }
        }
        if sets.pps.is_empty() || sets.sps.first().is_none_or(|sps| sps.len() < 4) { Err(NoSets) } else { Ok(sets) }
    }

    /// What stands in the `avcC` box.
    pub fn configuration(&self) -> Vec<u8> {
        let first = self.sps.first().map(Vec::as_slice).unwrap_or_default();
        let head = |at: usize| first.get(at).copied().unwrap_or_default();
        // Lengths have four bytes.
        let mut out = vec![1, head(1), head(2), head(3), 0xff];
        for (list, mark) in [(&self.sps, 0xe0u8), (&self.pps, 0)] {
            out.push(mark | u8::try_from(list.len()).unwrap_or(31));
            for set in list {
                out.extend_from_slice(&u16::try_from(set.len()).unwrap_or(u16::MAX).to_be_bytes());
                out.extend_from_slice(set);
            }
        }
        if HIGH.contains(&head(1)) {
            // One that cannot be read is taken for the usual: 4:2:0 with 8 bits.
            let (chroma, luma, colour) = self.picture().map_or((1, 0, 0), |told| (told.chroma, told.luma, told.colour));
            out.extend_from_slice(&[0xfc | chroma & 3, 0xf8 | luma & 7, 0xf8 | colour & 7, 0]);
        }
        out
    }

    /// Width and height in pixels as the stream tells them; `None` when that cannot be read.
    pub fn size(&self) -> Option<(u16, u16)> {
        let told = self.picture()?;
        Some((u16::try_from(told.width).ok()?, u16::try_from(told.height).ok()?))
    }

    fn picture(&self) -> Option<Picture> {
        Picture::of(self.sps.first()?.get(1..)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn start_codes_become_lengths_and_no_byte_of_a_unit_changes() {
        let unit = bytes("0000000167420031650000016801303100000000016501000003000100aa0000");
        let found: Vec<_> = units(&unit).collect();
        assert_eq!(found.len(), 3);
        let mut out = Vec::new();
        assert_eq!(append(&unit, &mut out), out.len());
        let lengths: usize = found.iter().map(|unit| unit.len() + 4).sum();
        assert_eq!(out.len(), lengths);
        assert!(out.ends_with(found[2]) && found[2].ends_with(&[0xaa]));
    }

    #[test]
    fn configurations_are_those_of_libx264() {
        // Parameter sets of libx264, baseline by `ultrafast` and high by `medium`, and the boxes that ffmpeg made of them.
        let baseline =
            Sets::of(&bytes("000000016742c01eda0280bfe5c044000003000400000300f03c58ba800000000168ce0fc8")).unwrap();
        assert_eq!(baseline.size(), Some((640, 360)));
        assert_eq!(
            baseline.configuration(),
            bytes("0142c01effe100196742c01eda0280bfe5c044000003000400000300f03c58ba8001000468ce0fc8")
        );
        let high = Sets::of(&bytes("000000016764001facd940d83de6f0110000030001000003003c0f1831960000000168ebe3cb22c0"))
            .unwrap();
        assert_eq!(high.size(), Some((854, 480)));
        assert!(high.configuration().ends_with(&[0xfd, 0xf8, 0xf8, 0]));
        for none in ["", "00000001658884", "0000000167420131", "0000000168ce0fc8"] {
            assert_eq!(Sets::of(&bytes(none)), Err(NoSets), "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0x67), any::<u8>()], 0..200)) {
            let mut out = Vec::new();
            append(&data, &mut out);
            if let Ok(sets) = Sets::of(&data) {
                let _ = (sets.size(), sets.configuration());
            }
        }
    }
}
