//! The tar format (POSIX.1-2001) around files. Pure.

use super::format::{Entry, Format};

const BLOCK: usize = 512;
/// The longest name that a plain header holds.
const SHORT: usize = 100;
/// The first length that a plain header does not hold.
const LARGE: u64 = 1 << 33;

/// A tar archive; it needs no memory of what it holds.
#[derive(Default)]
pub(super) struct Tar;

impl Format for Tar {
    const TYPE: &'static str = "application/x-tar";

    fn head(&mut self, entry: &Entry) -> Vec<u8> {
        let mut head = Vec::new();
        let mut records = String::new();
        if entry.name.len() > SHORT {
            records += &record("path", &entry.name);
        }
        if entry.bytes >= LARGE {
            records += &record("size", &entry.bytes.to_string());
        }
        if !records.is_empty() {
            // What the plain header cannot hold stands in an extended one before it.
            head.extend(block(b'x', "extended", records.len() as u64, entry.modified_s));
            head.extend_from_slice(records.as_bytes());
            head.resize(head.len().next_multiple_of(BLOCK), 0);
        }
        head.extend(block(b'0', &entry.name, entry.bytes, entry.modified_s));
        head
    }

    fn body(&mut self, _bytes: &[u8]) {}

    fn tail(&mut self, entry: &Entry) -> Vec<u8> {
        let block = BLOCK as u64;
        let over = entry.bytes % block;
        vec![0; if over == 0 { 0 } else { usize::try_from(block - over).unwrap_or(0) }]
    }

    fn end(&mut self) -> Vec<u8> {
        vec![0; 2 * BLOCK]
    }
}

/// A record of an extended header; its length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

/// A plain header.
fn block(kind: u8, name: &str, bytes: u64, modified_s: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, &name.as_bytes()[..name.len().min(SHORT)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", bytes.min(LARGE - 1)).as_bytes());
    put(136, format!("{:011o}\0", modified_s.min(LARGE - 1)).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in 1..300 {
            let text = record("path", &"x".repeat(length));
            assert_eq!(text.split(' ').next().unwrap().parse(), Ok(text.len()), "{length}");
        }
    }
}
