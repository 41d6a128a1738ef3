//! What a stream itself tells of its pictures, in its sequence parameter set (ITU-T H.264, 7.3.2.1.1). Pure.

/// NAL units before the first picture are looked at in so many bytes at most.
const HEAD: usize = 512;
const SPS: u8 = 7;
/// Profiles whose parameter sets tell the chroma format and may bear scaling lists.
const HIGH: [u64; 13] = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244];

/// What a sequence parameter set says of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `chroma_format_idc`
    pub chroma: u8,
    /// `bit_depth_luma_minus8`
    pub luma: u8,
    /// `bit_depth_chroma_minus8`
    pub colour: u8,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// Width and height of the pictures of an access unit that brings its parameter set; `None` when it brings none.
pub fn picture_size(unit: &[u8]) -> Option<(u32, u32)> {
    let head = unit.get(..HEAD.min(unit.len()))?;
    let starts = head.windows(4).enumerate().filter(|(_, bytes)| bytes[..3] == [0, 0, 1]);
    let (at, _) = starts.into_iter().find(|(_, bytes)| bytes[3] & 0x1f == SPS)?;
    let picture = Picture::of(head.get(at + 4..)?)?;
    Some((picture.width, picture.height))
}

/// Takes out the bytes that keep start codes from appearing.
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let escape = |(at, byte): (usize, &u8)| *byte == 3 && at >= 2 && bytes[at - 2..at] == [0, 0];
    bytes.iter().enumerate().filter(|(at, byte)| !escape((*at, byte))).map(|(_, byte)| *byte).collect()
}

impl Picture {
    /// Reads the body of a parameter set, behind the byte with the NAL unit's type; `None` when it cannot be read.
    pub fn of(body: &[u8]) -> Option<Self> {
        Self::read(&mut Bits { bytes: &unescape(body), at: 0 })
    }

    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let profile = bits.take(8)?;
        bits.take(16)?;
        bits.golomb()?;
        let (mut chroma, mut luma, mut colour) = (1, 0, 0);
        if HIGH.contains(&profile) {
            chroma = bits.golomb()?;
            if chroma == 3 {
                bits.take(1)?;
            }
            (luma, colour) = (bits.golomb()?, bits.golomb()?);
            bits.take(1)?;
            // No encoder here writes scaling lists; without reading them the rest cannot be found.
            if bits.take(1)? == 1 {
                return None;
            }
        }
        bits.golomb()?;
        match bits.golomb()? {
            0 => {
                bits.golomb()?;
            }
            1 => return None,
            _ => {}
        }
        bits.golomb()?;
        bits.take(1)?;
        let (wide, high) = (bits.golomb()? + 1, bits.golomb()? + 1);
        let fields = 2 - bits.take(1)?;
        if fields == 2 {
            bits.take(1)?;
        }
        bits.take(1)?;
        let (mut width, mut height) = (wide * 16, high * 16 * fields);
        if bits.take(1)? == 1 {
            let (step_x, step_y) = (if matches!(chroma, 1 | 2) { 2 } else { 1 }, if chroma == 1 { 2 } else { 1 });
            let mut cut = || Some(bits.golomb()? + bits.golomb()?);
            width = width.checked_sub(cut()? * step_x)?;
            height = height.checked_sub(cut()? * step_y * fields)?;
        }
        Some(Self {
            chroma: u8::try_from(chroma).ok()?,
            luma: u8::try_from(luma).ok()?,
            colour: u8::try_from(colour).ok()?,
            width: u32::try_from(width).ok()?,
            height: u32::try_from(height).ok()?,
        })
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u64> {
        (0..count).try_fold(0, |value, _| {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u64::from(bit))
        })
    }

    /// An unsigned exponential-Golomb number (9.1), of at most 32 bits.
    fn golomb(&mut self) -> Option<u64> {
        let zeros = (0..33).find_map(|zeros| match self.take(1) {
            Some(0) => None,
            Some(_) => Some(Some(zeros)),
            None => Some(None),
        })??;
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(hex: &str) -> Vec<u8> {
        let hex: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn sizes_are_read_as_encoders_write_them() {
        for (hex, size) in SETS {
            assert_eq!(picture_size(&unit(hex)), Some(size), "{hex}");
        }
        assert_eq!(picture_size(&unit("00000001 6588 84")), None);
        assert_eq!(picture_size(&[]), None);
    }

    /// Parameter sets of libx264 in its `ultrafast` and `medium` presets.
    const SETS: [(&str, (u32, u32)); 4] = [
        ("000000016742c01eda0280bfe5c044000003000400000300f03c58ba800000000168ce0fc8", (640, 360)),
        ("000000016742c028da01e0089f970110000003001000000303c0f1832a0000000168ce0fc8", (1920, 1080)),
        ("000000016764001facd940d83de6f0110000030001000003003c0f1831960000000168ebe3", (854, 480)),
        ("000000016764000bacd942c4ec0440000003004000000f03c50a65800000000168ebe3cb22", (176, 144)),
    ];

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut unit = vec![0, 0, 1, 0x67];
            unit.extend(bytes);
            let _ = picture_size(&unit);
        }
    }
}
