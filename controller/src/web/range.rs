//! The header `Range`. Pure.

/// What of a file is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, one that cannot be read, or several, which nobody has to serve.
    Whole,
    /// From the first to the last byte, both included.
    Part(u64, u64),
    /// Nothing that is there.
    Beyond,
}

/// Reads the header's value for a file of `length` bytes.
pub(super) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    header.and_then(|text| read(text, length)).unwrap_or(Wanted::Whole)
}

fn read(text: &str, length: u64) -> Option<Wanted> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    Some(match (number(first)?, number(last)?) {
        (None, None) => return None,
        (Some(first), Some(last)) if last < first => return None,
        (Some(first), _) if first >= length => Wanted::Beyond,
        (Some(first), last) => Wanted::Part(first, last.map_or(length - 1, |last| last.min(length - 1))),
        (None, Some(0)) => Wanted::Beyond,
        (None, Some(_)) if length == 0 => Wanted::Beyond,
        (None, Some(suffix)) => Wanted::Part(length.saturating_sub(suffix), length - 1),
    })
}

/// A number or nothing; `None` for something else. One too large for us is as good as the largest.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        use Wanted::{Beyond, Part, Whole};
        let table = [
            ("bytes=0-0", Part(0, 0)),
            ("bytes=3-7", Part(3, 7)),
            ("BYTES = 3-7", Part(3, 7)),
            ("bytes=3-", Part(3, 10)),
            ("bytes=-4", Part(7, 10)),
            ("bytes=-400", Part(0, 10)),
            ("bytes=3-99999999999999999999999", Part(3, 10)),
            ("bytes=10-10", Part(10, 10)),
            ("bytes=11-", Beyond),
            ("bytes=99999999999999999999999-", Beyond),
            ("bytes=-0", Beyond),
            ("bytes=7-3", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=+1-2", Whole),
            ("lines=0-1", Whole),
            ("", Whole),
        ];
        for (text, expected) in table {
            assert_eq!(wanted(Some(text), 11), expected, "{text}");
        }
        assert_eq!(wanted(None, 11), Whole);
        assert_eq!(wanted(Some("bytes=-5"), 0), Beyond);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(text in "bytes=[0-9]{0,22}-[0-9]{0,22}|\\PC{0,20}", length in 0u64..1000) {
            if let Wanted::Part(first, last) = wanted(Some(&text), length) {
                prop_assert!(first <= last && last < length);
            }
        }
    }
}
