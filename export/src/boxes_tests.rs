use proptest::prelude::*;

use super::*;

fn movie() -> Movie {
    Movie {
        created: Wall::parse("2025-10-23T12:02:10.5Z").unwrap(),
        title: "A – left".into(),
        name: "left".into(),
        size: (640, 360),
        configuration: vec![1, 0x42, 0xc0, 0x1e],
        scale: 1_000_000,
        lengths: vec![33_333, 33_333, 33_334, 2_000_000, 33_333],
        sizes: vec![900, 100, 110, 120, 130],
        keys: vec![true, false, false, true, false],
        chunk: 2,
        edit: Edit { empty: 11_000, media: 33_333, length: 2_100_000 },
        timecode: Some(Timecode {
            rate: Rate { frames: 30_000, seconds: 1001 },
            first: 1_299_915,
            reel: "LEFT".into(),
        }),
    }
}

/// The inside of the box at this path.
fn inside<'a>(mut bytes: &'a [u8], path: &[(&str, usize)]) -> &'a [u8] {
    for (kind, skip) in path {
        loop {
            let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            assert!(length >= 8, "{kind} is not there");
            if &bytes[4..8] == kind.as_bytes() {
                bytes = &bytes[8 + skip..length];
                break;
            }
            bytes = &bytes[length..];
        }
    }
    bytes
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect()
}

const STBL: [(&str, usize); 5] = [("moov", 0), ("trak", 0), ("mdia", 0), ("minf", 0), ("stbl", 0)];

fn table(bytes: &[u8], kind: &'static str) -> Vec<u32> {
    numbers(inside(bytes, &[STBL.as_slice(), &[(kind, 4)]].concat()))
}

#[test]
fn tables_tell_times_keys_and_places() {
    let bytes = movie().header();
    assert_eq!(table(&bytes, "stts"), [4, 2, 33_333, 1, 33_334, 1, 2_000_000, 1, 33_333]);
    assert_eq!(table(&bytes, "stss"), [2, 1, 4]);
    assert_eq!(table(&bytes, "stsc"), [2, 1, 2, 1, 3, 1, 1]);
    assert_eq!(table(&bytes, "stsz"), [0, 5, 900, 100, 110, 120, 130]);
    let first = bytes.len() as u32;
    assert_eq!(table(&bytes, "co64"), [3, 0, first, 0, first + 1000, 0, first + 1230]);
    let elst = numbers(inside(&bytes, &[("moov", 0), ("trak", 0), ("edts", 0), ("elst", 4)]));
    assert_eq!(elst, [2, 0, 11_000, u32::MAX, u32::MAX, 0x1_0000, 0, 2_100_000, 0, 33_333, 0x1_0000]);
    // The last word of the header is the timecode's sample, and belongs to the media data.
    assert_eq!(bytes[bytes.len() - 4..], 1_299_915u32.to_be_bytes());
    assert_eq!(bytes[bytes.len() - 12..bytes.len() - 4], (16u64 + 4 + 1360).to_be_bytes());
}

#[test]
fn without_a_timecode_and_with_keys_alone_there_are_no_such_boxes() {
    let mut movie = movie();
    movie.timecode = None;
    movie.keys = vec![true; 5];
    movie.edit.empty = 0;
    let bytes = movie.header();
    let has = |word: &[u8]| bytes.windows(4).any(|found| found == word);
    assert!(!has(b"tmcd") && !has(b"stss"));
    assert_eq!(table(&bytes, "co64")[2], bytes.len() as u32);
}

proptest! {
    #[test]
    fn the_header_is_as_long_before_the_sizes_are_known(
        frames in proptest::collection::vec((1u32..5, any::<bool>(), any::<u32>()), 1..200), chunk in 1u32..70,
    ) {
        let lengths: Vec<_> = frames.iter().map(|frame| frame.0).collect();
        let keys: Vec<_> = frames.iter().map(|frame| frame.1).collect();
        let known = Movie { lengths, keys, sizes: frames.iter().map(|frame| frame.2).collect(), chunk, ..movie() };
        let unknown = Movie { sizes: vec![0; frames.len()], ..known.clone() };
        prop_assert_eq!(unknown.header().len(), known.header().len());
        // More than 4 GiB are no matter.
        let offsets = table(&known.header(), "co64");
        let last = u64::from(offsets[offsets.len() - 2]) << 32 | u64::from(offsets[offsets.len() - 1]);
        let whole: u64 = known.sizes.iter().map(|size| u64::from(*size)).sum();
        let in_last = known.sizes.chunks(chunk as usize).next_back().unwrap().iter().map(|size| u64::from(*size)).sum::<u64>();
        prop_assert_eq!(last, known.header().len() as u64 + whole - in_last);
    }
}
