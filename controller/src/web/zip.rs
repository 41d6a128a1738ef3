//! The ZIP format around files that are stored as they are: H.264 does not get smaller. Pure.
//!
//! Checksums are known only when a file has gone by, so they stand behind it and in the directory at the end, as the
//! format has it for streams (APPNOTE.TXT, bit 3). What needs more than 32 bits stands in fields of 64 (ZIP64), and
//! only that, so that old programs read the rest.

use crc32fast::Hasher;
use syncslate_shared::take::Stamp;
use syncslate_shared::time::Wall;

use super::format::{Entry, Format};

/// What stands in a field of 32 bits when the value stands in one of 64.
const FULL: u64 = 0xffff_ffff;
/// The same of 16 bits, for the count of files.
const MANY: usize = 0xffff;
/// The checksum stands behind the file.
const BEHIND: u16 = 1 << 3;
/// Versions of the format that are needed: 2.0, with ZIP64 4.5.
const PLAIN: u16 = 20;
const ZIP64: u16 = 45;
/// Made on Unix.
const UNIX: u16 = 3 << 8;
/// A plain file that everybody may read and its owner write.
const MODE: u32 = 0o100_644 << 16;

/// A ZIP archive: what the directory at its end will say.
#[derive(Default)]
pub(super) struct Zip {
    /// Bytes so far.
    at: u64,
    /// Where the file that goes by begins.
    begin: u64,
    crc: Hasher,
    directory: Vec<u8>,
    files: usize,
}

impl Format for Zip {
    const TYPE: &'static str = "application/zip";

    fn head(&mut self, entry: &Entry) -> Vec<u8> {
        self.begin = self.at;
        self.crc = Hasher::new();
        let large = entry.bytes >= FULL;
        let size = if large { FULL } else { 0 };
        let mut head = Bytes::default();
        head.u32(0x0403_4b50).u16(version(large)).u16(BEHIND).u16(0).u32(dos_time(entry.modified_s));
        head.u32(0).size(size).size(size).name(&entry.name).u16(if large { 20 } else { 0 });
        head.text(&entry.name);
        if large {
            head.u16(1).u16(16).u64(0).u64(0);
        }
        self.at += head.0.len() as u64 + entry.bytes;
        head.0
    }

    fn body(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
    }

    fn tail(&mut self, entry: &Entry) -> Vec<u8> {
        let crc = std::mem::take(&mut self.crc).finalize();
        let mut tail = Bytes::default();
        tail.u32(0x0807_4b50).u32(crc);
        if entry.bytes >= FULL {
            tail.u64(entry.bytes).u64(entry.bytes);
        } else {
            tail.size(entry.bytes).size(entry.bytes);
        }
        self.list(entry, crc);
        self.at += tail.0.len() as u64;
        tail.0
    }

    fn end(&mut self) -> Vec<u8> {
        let (begin, length) = (self.at, self.directory.len() as u64);
        let mut end = Bytes(std::mem::take(&mut self.directory));
        if begin >= FULL || length >= FULL || self.files >= MANY {
            let files = self.files as u64;
            end.u32(0x0606_4b50).u64(44).u16(UNIX | ZIP64).u16(ZIP64).u32(0).u32(0);
            end.u64(files).u64(files).u64(length).u64(begin);
            end.u32(0x0706_4b50).u32(0).u64(begin + length).u32(1);
        }
        let files = u16::try_from(self.files.min(MANY)).unwrap_or(u16::MAX);
        end.u32(0x0605_4b50).u16(0).u16(0).u16(files).u16(files).size(length).size(begin).u16(0);
        end.0
    }
}

impl Zip {
    /// A file's line in the directory.
    fn list(&mut self, entry: &Entry, crc: u32) {
        let mut wide = Bytes::default();
        if entry.bytes >= FULL {
            wide.u64(entry.bytes).u64(entry.bytes);
        }
        if self.begin >= FULL {
            wide.u64(self.begin);
        }
        let extra = if wide.0.is_empty() { 0 } else { wide.0.len() + 4 };
        let mut line = Bytes(std::mem::take(&mut self.directory));
        line.u32(0x0201_4b50).u16(UNIX | ZIP64).u16(version(extra > 0)).u16(BEHIND).u16(0);
        line.u32(dos_time(entry.modified_s)).u32(crc).size(entry.bytes).size(entry.bytes).name(&entry.name);
        line.u16(extra as u16).u16(0).u16(0).u16(0).u32(MODE).size(self.begin).text(&entry.name);
        if extra > 0 {
            line.u16(1).u16(wide.0.len() as u16).text(wide.0);
        }
        self.directory = line.0;
        self.files += 1;
    }
}

fn version(wide: bool) -> u16 {
    if wide { ZIP64 } else { PLAIN }
}

/// Local date and time in steps of two seconds, from 1980 on: the time in the lower half.
fn dos_time(modified_s: u64) -> u32 {
    let us = i64::try_from(modified_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let stamp = Stamp::local(Wall::from_micros(us));
    let field = |from: usize, to: usize| stamp.as_str().get(from..to).and_then(|text| text.parse::<u32>().ok());
    let field = |from, to| field(from, to).unwrap_or(0);
    let (year, month, day) = (field(0, 4), field(4, 6), field(6, 8));
    if !(1980..2108).contains(&year) {
        return (1 << 21) | (1 << 16);
    }
    ((year - 1980) << 25)
        | (month << 21)
        | (day << 16)
        | (field(9, 11) << 11)
        | (field(11, 13) << 5)
        | (field(13, 15) / 2)
}

/// Numbers as the format has them: the lowest byte first.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.text(value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.text(value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.text(value.to_le_bytes())
    }

    /// A length or a place in 32 bits; [`FULL`] when it stands elsewhere.
    fn size(&mut self, value: u64) -> &mut Self {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// The length of a name. Ours have 64 + 15 + some 50 characters.
    fn name(&mut self, name: &str) -> &mut Self {
        self.u16(u16::try_from(name.len()).unwrap_or(u16::MAX))
    }

    fn text(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::length;
    use super::*;

    fn entry(name: &str, bytes: u64) -> Entry {
        Entry { name: name.into(), path: name.into(), bytes, modified_s: 1_761_220_931 }
    }

    #[test]
    fn the_length_is_known_before() {
        let entries = [entry("A/1", 0), entry("A/2", 5_000_000_000), entry("A/3", 7), entry("A/4", FULL)];
        let mut zip = Zip::default();
        let mut sent = 0;
        for entry in &entries {
            sent += zip.head(entry).len() as u64 + entry.bytes;
            zip.body(b"something else than zeros");
            sent += zip.tail(entry).len() as u64;
        }
        assert_eq!(zip.at, sent);
        assert_eq!(length::<Zip>(&entries), sent + zip.end().len() as u64);
    }

    #[test]
    fn times_before_the_format_are_its_first_day() {
        assert_eq!(dos_time(0), 0x0021_0000);
        let noon = dos_time(1_761_220_931);
        assert_eq!((1980 + (noon >> 25), noon >> 21 & 15), (2025, 10));
    }
}
