//! The names of a take's files and the lines of its tables. Pure: it opens nothing.

use std::fmt;
use std::net::Ipv4Addr;

use crate::take::{Stamp, TakeId, TakeName};
use crate::time::Wall;

/// What all files of one take on one node begin with: `<take>_<ip with underscores>_<stamp>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base {
    /// The take.
    pub id: TakeId,
    /// The node.
    pub ip: Ipv4Addr,
}

/// What one of our files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `_000000.h264`: footage, with its index.
    Segment(u32),
    /// `_markers.txt`
    Markers,
    /// `_frames.csv`
    Frames,
    /// `_take.json`
    Manifest,
    /// `.sha256`
    Digests,
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.ip.octets();
        write!(f, "{}_{a}_{b}_{c}_{d}_{}", self.id.name, self.id.stamp)
    }
}

impl Base {
    /// The name of one of its files.
    pub fn file(&self, kind: Kind) -> String {
        match kind {
            Kind::Segment(index) => format!("{self}_{index:06}.h264"),
            Kind::Markers => format!("{self}_markers.txt"),
            Kind::Frames => format!("{self}_frames.csv"),
            Kind::Manifest => format!("{self}_take.json"),
            Kind::Digests => format!("{self}.sha256"),
        }
    }

    /// Reads a file name; `None` for a file that is not ours.
    pub fn parse(file: &str) -> Option<(Self, Kind)> {
        let (base, kind) = if let Some(rest) = file.strip_suffix(".h264") {
            let (base, index) = rest.rsplit_once('_')?;
            let index =
                (index.len() >= 6 && index.bytes().all(|b| b.is_ascii_digit())).then(|| index.parse().ok())??;
            (base, Kind::Segment(index))
        } else if let Some(base) = file.strip_suffix("_markers.txt") {
            (base, Kind::Markers)
        } else if let Some(base) = file.strip_suffix("_frames.csv") {
            (base, Kind::Frames)
        } else if let Some(base) = file.strip_suffix("_take.json") {
            (base, Kind::Manifest)
        } else {
            (file.strip_suffix(".sha256")?, Kind::Digests)
        };
        let base = Self::read(base)?;
        (base.file(kind) == file).then_some((base, kind))
    }

    /// From the right, because a take's name may hold anything that an address and a stamp hold.
    fn read(text: &str) -> Option<Self> {
        let (rest, time) = text.rsplit_once('_')?;
        let (rest, date) = rest.rsplit_once('_')?;
        let stamp = Stamp::try_from(format!("{date}_{time}")).ok()?;
        let (rest, d) = rest.rsplit_once('_')?;
        let (rest, c) = rest.rsplit_once('_')?;
        let (rest, b) = rest.rsplit_once('_')?;
        let (name, a) = rest.rsplit_once('_')?;
        let ip = format!("{a}.{b}.{c}.{d}").parse().ok()?;
        Some(Self { id: TakeId { name: TakeName::new(name).ok()?, stamp }, ip })
    }
}

/// The first line of `<base>_frames.csv`.
pub const FRAMES_HEADER: &str = "frame,segment,offset,bytes,key,time_us";

/// A line of `<base>_frames.csv`: one kept frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRow {
    /// Its number on this camera in this take, from 0; frames that were missed have none.
    pub frame: u64,
    /// The segment it lies in.
    pub segment: u32,
    /// Its first byte in that segment's file.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Whether it is an IDR frame with its parameter sets.
    pub key: bool,
    /// The wall clock of its exposure.
    pub time: Wall,
}

impl fmt::Display for FrameRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frame, segment, offset, bytes, key, time } = self;
        write!(f, "{frame},{segment},{offset},{bytes},{},{}", u8::from(*key), time.micros())
    }
}

impl FrameRow {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// Which column is not what it should be.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut columns = line.split(',');
        let mut number = |name: &str| {
            let text = columns.next().ok_or_else(|| format!("column `{name}` is missing"))?;
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            plain
                .then(|| text.parse::<u64>().ok())
                .flatten()
                .ok_or_else(|| format!("column `{name}`: `{}` is no number", text.escape_debug()))
        };
        let row = Self {
            frame: number("frame")?,
            segment: u32::try_from(number("segment")?).map_err(|_| "column `segment` is too large")?,
            offset: number("offset")?,
            bytes: number("bytes")?,
            key: match number("key")? {
                0 => false,
                1 => true,
                other => return Err(format!("column `key`: `{other}` is neither 0 nor 1")),
            },
            time: number("time_us").map(|us| Wall::from_micros(i64::try_from(us).unwrap_or(i64::MAX)))?,
        };
        match columns.next() {
            None => Ok(row),
            Some(_) => Err("more columns than six".into()),
        }
    }

    /// Reads a whole table. A last line without its end is left out: a power cut tore it.
    ///
    /// # Errors
    /// The line's number and what is wrong with it.
    pub fn parse_table(text: &str) -> Result<Vec<Self>, String> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.split('\n').enumerate();
        match lines.next() {
            None | Some((_, "")) => return Ok(Vec::new()),
            Some((_, FRAMES_HEADER)) => {}
            Some(_) => return Err(format!("line 1 is not `{FRAMES_HEADER}`")),
        }
        lines.map(|(i, line)| Self::parse(line).map_err(|e| format!("line {}: {e}", i + 1))).collect()
    }
}

/// A line of `<base>.sha256` as `sha256sum -c` reads it, with its end.
pub fn digest_line(sha256: &str, file: &str) -> String {
    format!("{sha256}  {file}\n")
}

/// Reads `<base>.sha256` into pairs of file and digest; what is no such line is left out.
pub fn parse_digests(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let (sha256, file) = line.split_once("  ")?;
            let digest = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
            (digest && !file.contains('/')).then(|| (file.to_owned(), sha256.to_ascii_lowercase()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base() -> Base {
        Base {
            id: TakeId::try_from("test_001_windy_20251023_140210".to_owned()).unwrap(),
            ip: Ipv4Addr::new(192, 168, 1, 101),
        }
    }

    #[test]
    fn names_are_those_of_the_contract() {
        assert_eq!(base().file(Kind::Segment(1)), "test_001_windy_192_168_1_101_20251023_140210_000001.h264");
        assert_eq!(base().file(Kind::Markers), "test_001_windy_192_168_1_101_20251023_140210_markers.txt");
        assert_eq!(base().file(Kind::Digests), "test_001_windy_192_168_1_101_20251023_140210.sha256");
    }

    #[test]
    fn names_that_are_not_ours_are_left_alone() {
        for file in [
            "notes.txt",
            "holiday.h264",
            "a_1_2_3_4_20251023_140210_1.h264",
            "a_1_2_3_4_20251323_140210_000001.h264",
            "../a_1_2_3_4_20251023_140210_000001.h264",
            "a_1_2_3_400_20251023_140210_000001.h264",
            "a_01_2_3_4_20251023_140210_000001.h264",
        ] {
            assert_eq!(Base::parse(file), None, "{file}");
        }
    }

    #[test]
    fn a_torn_last_line_is_left_out() {
        let text = format!("{FRAMES_HEADER}\n0,0,0,90,1,7\n1,0,90,7");
        assert_eq!(FrameRow::parse_table(&text).unwrap().len(), 1);
        assert_eq!(FrameRow::parse_table("frame,seg").unwrap(), []);
        assert!(FrameRow::parse_table("a,b\n0,0,0,0,0,0\n").unwrap_err().contains("line 1"));
        assert!(
            FrameRow::parse_table(&format!("{FRAMES_HEADER}\n0,0,0,90,2,7\n"))
                .unwrap_err()
                .contains("line 2: column `key`")
        );
    }

    #[test]
    fn digests_are_read_as_they_are_written() {
        let sha = "0123456789abcdef".repeat(4);
        let text = digest_line(&sha, "a.h264") + "nonsense\n" + &digest_line(&sha, "../b");
        assert_eq!(parse_digests(&text), [("a.h264".to_owned(), sha)]);
    }

    proptest! {
        #[test]
        fn file_names_survive(
            name in "[A-Za-z0-9][A-Za-z0-9._-]{0,20}(_[0-9]{1,3}){0,6}",
            ip in any::<u32>(), us in 0i64..4_000_000_000_000_000, index in 0u32..20_000_000, kind in 0..5,
        ) {
            let id = TakeId { name: TakeName::new(&name).unwrap(), stamp: Stamp::local(Wall::from_micros(us)) };
            let base = Base { id, ip: ip.into() };
            let kind = [Kind::Segment(index), Kind::Markers, Kind::Frames, Kind::Manifest, Kind::Digests][kind as usize];
            prop_assert_eq!(Base::parse(&base.file(kind)), Some((base, kind)));
        }

        #[test]
        fn rows_survive(frame in any::<u64>(), segment in any::<u32>(), offset in any::<u64>(), bytes in any::<u64>(), key in any::<bool>(), us in 0i64..4_000_000_000_000_000) {
            let row = FrameRow { frame, segment, offset, bytes, key, time: Wall::from_micros(us) };
            prop_assert_eq!(FrameRow::parse(&row.to_string()), Ok(row));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,60}", rows in "([0-9,\n]{0,30}\n){0,4}") {
            let _ = Base::parse(&text);
            let _ = FrameRow::parse(&text);
            let _ = FrameRow::parse_table(&format!("{FRAMES_HEADER}\n{rows}"));
            let _ = parse_digests(&text);
        }
    }
}
