//! The lines of ffmpeg's `framecrc` output: one for each packet, with its stamp and size. Pure.
//!
//! Written beside a stream by `-f tee`, they cut it into packets without looking into it.

use std::str::FromStr;

/// A packet is never larger than this: what says so is no index.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// `AV_PKT_FLAG_KEY`.
const KEY: u32 = 1;

/// What a line says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its presentation stamp in units of the stream's time base.
    pub pts: i64,
    /// Its length.
    pub bytes: usize,
    /// Whether it is a key frame.
    pub key: bool,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It begins with `#`: software, time base, codec.
    Comment,
    /// A packet.
    Packet(Packet),
}

impl FromStr for Line {
    type Err = String;
    fn from_str(line: &str) -> Result<Self, String> {
        if line.starts_with('#') || line.trim().is_empty() {
            return Ok(Self::Comment);
        }
        let bad = || format!("`{}` is no line of ffmpeg's index", line.escape_debug());
        // Stream, dts, pts, duration, size, checksum, flags.
        let columns: Vec<&str> = line.split(',').map(str::trim).collect();
        let [_, _, pts, _, bytes, _, rest @ ..] = &columns[..] else { return Err(bad()) };
        let bytes = bytes.parse().ok().filter(|bytes| *bytes <= MAX_BYTES).ok_or_else(bad)?;
        // Flags are written only when they are not those of a plain key frame.
        let flags = rest.iter().find_map(|flag| flag.strip_prefix("F=0x"));
        let flags = flags.map_or(Ok(KEY), |flags| u32::from_str_radix(flags, 16)).map_err(|_| bad())?;
        Ok(Self::Packet(Packet { pts: pts.parse().map_err(|_| bad())?, bytes, key: flags & KEY != 0 }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_tells_stamp_size_and_key_frames() {
        let packet = |line: &str| match line.parse() {
            Ok(Line::Packet(packet)) => packet,
            other => panic!("{other:?}"),
        };
        let key = packet("0, 1761220930500000, 1761220930500000,        1,     9000, 0x1a2b3c4d");
        assert_eq!(key, Packet { pts: 1_761_220_930_500_000, bytes: 9000, key: true });
        assert!(!packet("0,          1,          1,        1,       90, 0x00000000, F=0x0").key);
        assert!(packet("0, 1, 2, 1, 90, 0x00000000, F=0x11, S=1, 10").key);
        assert_eq!("#tb 0: 1/1000000".parse(), Ok(Line::Comment));
        assert!("0, 1".parse::<Line>().unwrap_err().contains("no line of ffmpeg's index"));
    }

    proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(line in "[0-9, xF=#-]{0,60}|\\PC{0,40}") {
            let _ = line.parse::<Line>();
        }
    }
}
