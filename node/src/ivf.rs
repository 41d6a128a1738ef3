//! The IVF container as cameras of raw pictures write it: a 32-byte file header, then a 12-byte header before each
//! picture. Pure.
//!
//! Only one form is taken: FourCC `I420`, time base 1/1000000, each frame's pts the wall clock of its exposure in
//! microseconds. A stream that says anything else is refused by name, since it would be recorded wrongly stamped.

use std::fmt;

use syncslate_shared::time::Wall;

/// Length of the file header in bytes.
pub const FILE_HEADER_BYTES: usize = 32;
/// Length of a frame header in bytes.
pub const FRAME_HEADER_BYTES: usize = 12;

const SIGNATURE: &[u8; 4] = b"DKIF";
const FOUR_CC: &[u8; 4] = b"I420";
const UNITS_PER_SECOND: u32 = 1_000_000;
/// No camera is larger, and a picture's length always fits its field.
const MAX_SIDE: u16 = 8192;

/// The picture size that a stream declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Width in pixels, even.
    pub width: u16,
    /// Height in pixels, even.
    pub height: u16,
}

/// What precedes each picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of the picture.
    pub size: u32,
    /// The wall clock of its exposure.
    pub time: Wall,
}

/// Why a stream is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IvfError {
    /// It does not begin with `DKIF`.
    #[error("it begins with `{0}`, an IVF stream begins with `DKIF`")]
    Signature(Tag),
    /// Another version of the container.
    #[error("IVF version is {0}, 0 is known")]
    Version(u16),
    /// Another length of the file header.
    #[error("the IVF header says it is {0} bytes long, it is 32")]
    HeaderLength(u16),
    /// Another kind of picture.
    #[error("FourCC is `{0}`, a camera writes `I420`")]
    FourCc(Tag),
    /// A size that I420 does not have.
    #[error("the picture size is {0}x{1}, both must be even and at most 8192")]
    PictureSize(u16, u16),
    /// Stamps in another unit.
    #[error("the time base is {0}/{1}, a camera's is 1/1000000")]
    TimeBase(u32, u32),
    /// A frame that is no whole picture.
    #[error("a frame is {found} bytes long, a {width}x{height} picture in I420 is {wanted}")]
    FrameSize {
        /// What its header says.
        found: u32,
        /// What it has to be.
        wanted: u32,
        /// The stream's width.
        width: u16,
        /// The stream's height.
        height: u16,
    },
    /// A stamp that is no wall clock.
    #[error("a frame's pts is {0}, which is no wall clock in microseconds since 1970")]
    Stamp(u64),
}

/// Four bytes that should be letters, shown so that anything can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub [u8; 4]);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl FileHeader {
    /// The header of a stream of pictures of this size.
    ///
    /// # Errors
    /// The size is odd, zero or above 8192.
    pub fn new(width: u32, height: u32) -> Result<Self, IvfError> {
        let clamp = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        let (width, height) = (clamp(width), clamp(height));
        let even = |n: u16| n.is_multiple_of(2) && (2..=MAX_SIDE).contains(&n);
        if even(width) && even(height) { Ok(Self { width, height }) } else { Err(IvfError::PictureSize(width, height)) }
    }

    /// Reads it.
    ///
    /// # Errors
    /// What a camera's stream must not say.
    pub fn parse(bytes: &[u8; FILE_HEADER_BYTES]) -> Result<Self, IvfError> {
        let [d, k, i, f, v0, v1, l0, l1, c0, c1, c2, c3, w0, w1, h0, h1, rest @ ..] = *bytes;
        let signature = [d, k, i, f];
        if &signature != SIGNATURE {
            return Err(IvfError::Signature(Tag(signature)));
        }
        match u16::from_le_bytes([v0, v1]) {
            0 => {}
            version => return Err(IvfError::Version(version)),
        }
        match u16::from_le_bytes([l0, l1]) {
            32 => {}
            length => return Err(IvfError::HeaderLength(length)),
        }
        let four_cc = [c0, c1, c2, c3];
        if &four_cc != FOUR_CC {
            return Err(IvfError::FourCc(Tag(four_cc)));
        }
        let header = Self::new(u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into())?;
        let [d0, d1, d2, d3, n0, n1, n2, n3, ..] = rest;
        match (u32::from_le_bytes([n0, n1, n2, n3]), u32::from_le_bytes([d0, d1, d2, d3])) {
            (1, UNITS_PER_SECOND) => Ok(header),
            (numerator, denominator) => Err(IvfError::TimeBase(numerator, denominator)),
        }
    }

    /// Writes it.
    pub fn bytes(self) -> [u8; FILE_HEADER_BYTES] {
        let mut out = [0; FILE_HEADER_BYTES];
        let fields: [&[u8]; 8] = [
            SIGNATURE,
            &0u16.to_le_bytes(),
            &32u16.to_le_bytes(),
            FOUR_CC,
            &self.width.to_le_bytes(),
            &self.height.to_le_bytes(),
            &UNITS_PER_SECOND.to_le_bytes(),
            &1u32.to_le_bytes(),
        ];
        // The last eight bytes, the number of frames and a reserve, stay zero: a live stream has no length.
        for (to, from) in out.iter_mut().zip(fields.concat()) {
            *to = from;
        }
        out
    }

    /// Bytes of one picture: the luma plane and two chroma planes of a quarter each.
    pub fn picture_bytes(self) -> usize {
        usize::from(self.width) * usize::from(self.height) * 3 / 2
    }

    /// Reads the header before a picture of this stream.
    ///
    /// # Errors
    /// The frame is not one picture long, or its stamp is no wall clock.
    pub fn parse_frame(self, bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<FrameHeader, IvfError> {
        let [s0, s1, s2, s3, p @ ..] = *bytes;
        let (size, pts) = (u32::from_le_bytes([s0, s1, s2, s3]), u64::from_le_bytes(p));
        let wanted = u32::try_from(self.picture_bytes()).unwrap_or(u32::MAX);
        if size != wanted {
            return Err(IvfError::FrameSize { found: size, wanted, width: self.width, height: self.height });
        }
        let time = i64::try_from(pts).map(Wall::from_micros).ok().filter(|t| u64::try_from(t.micros()) == Ok(pts));
        time.map(|time| FrameHeader { size, time }).ok_or(IvfError::Stamp(pts))
    }

    /// Writes the header before a picture of this stream, exposed at `time`.
    pub fn frame_bytes(self, time: Wall) -> [u8; FRAME_HEADER_BYTES] {
        let size = u32::try_from(self.picture_bytes()).unwrap_or(u32::MAX);
        // A wall time is never negative.
        let ([s0, s1, s2, s3], [a, b, c, d, e, f, g, h]) = (size.to_le_bytes(), time.micros().to_le_bytes());
        [s0, s1, s2, s3, a, b, c, d, e, f, g, h]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(change: impl FnOnce(&mut [u8; 32])) -> String {
        let mut bytes = FileHeader::new(640, 360).unwrap().bytes();
        change(&mut bytes);
        FileHeader::parse(&bytes).unwrap_err().to_string()
    }

    #[test]
    fn the_header_is_byte_for_byte_what_ffmpeg_reads() {
        let bytes = FileHeader::new(640, 360).unwrap().bytes();
        assert_eq!(&bytes[..16], b"DKIF\0\0\x20\0I420\x80\x02\x68\x01");
        assert_eq!(&bytes[16..], b"\x40\x42\x0f\0\x01\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_wrong_stream_is_refused_by_name() {
        assert_eq!(refused(|b| b[0] = b'\n'), r"it begins with `\nKIF`, an IVF stream begins with `DKIF`");
        assert_eq!(refused(|b| b[4] = 1), "IVF version is 1, 0 is known");
        assert_eq!(refused(|b| b[6] = 33), "the IVF header says it is 33 bytes long, it is 32");
        assert_eq!(refused(|b| b[8..12].copy_from_slice(b"VP80")), "FourCC is `VP80`, a camera writes `I420`");
        assert_eq!(refused(|b| b[12] = 0x81), "the picture size is 641x360, both must be even and at most 8192");
        assert_eq!(
            refused(|b| b[16..20].copy_from_slice(&90_000u32.to_le_bytes())),
            "the time base is 1/90000, a camera's is 1/1000000"
        );
    }

    #[test]
    fn a_wrong_frame_is_refused_by_name() {
        let header = FileHeader::new(640, 360).unwrap();
        let frame = |size: u32, pts: u64| {
            let bytes: Vec<u8> = [&size.to_le_bytes()[..], &pts.to_le_bytes()].concat();
            header.parse_frame(&bytes.try_into().unwrap()).map_err(|e| e.to_string())
        };
        assert!(frame(345_600, 1_761_220_930_000_000).is_ok());
        assert_eq!(frame(921_600, 0).unwrap_err(), "a frame is 921600 bytes long, a 640x360 picture in I420 is 345600");
        assert_eq!(
            frame(345_600, u64::MAX).unwrap_err(),
            "a frame's pts is 18446744073709551615, which is no wall clock in microseconds since 1970"
        );
    }

    proptest! {
        #[test]
        fn headers_survive_their_bytes(w in 1u32..=4096, h in 1u32..=4096, us in 0i64..4_000_000_000_000_000) {
            let header = FileHeader::new(w * 2, h * 2).unwrap();
            prop_assert_eq!(FileHeader::parse(&header.bytes()), Ok(header));
            let frame = header.parse_frame(&header.frame_bytes(Wall::from_micros(us))).unwrap();
            prop_assert_eq!(frame.time, Wall::from_micros(us));
            prop_assert_eq!(frame.size as usize, header.picture_bytes());
        }

        #[test]
        fn no_bytes_make_the_readers_panic(file: [u8; 32], frame: [u8; 12]) {
            if let Ok(header) = FileHeader::parse(&file) {
                let _ = header.parse_frame(&frame);
            }
            let _ = FileHeader::new(640, 360).unwrap().parse_frame(&frame);
        }
    }
}
