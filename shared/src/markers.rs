//! `<base>_markers.txt`: the marks for people and scripts. Pure.

use std::fmt::Write as _;

use crate::manifest::{Manifest, PlacedMark};
use crate::take::Mark;
use crate::time::Wall;

/// The time since T0 as `HH:MM:SS.mmm`, with a sign before T0.
pub fn take_time(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let ms = us.unsigned_abs() / 1000;
    format!("{sign}{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// The whole file.
pub fn write(manifest: &Manifest) -> String {
    let mut out = format!(
        "# take: {}\n# node: {} ({})\n# T0: {}\n# segment length: {} s\n# n\ttime\ttake time\tframe\tsegment\tnote\n",
        manifest.id,
        manifest.ip,
        manifest.name.escape_debug(),
        manifest.t0,
        manifest.segment_s
    );
    for PlacedMark { mark, frame, segment } in &manifest.marks {
        let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let _ = writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}",
            mark.n,
            mark.at,
            take_time(mark.at.since_us(manifest.t0)),
            number(*frame),
            number(segment.map(u64::from)),
            one_line(&mark.note)
        );
    }
    out
}

/// Reads the lines of marks back; lines that start with `#` are passed over.
///
/// # Errors
/// The line's number and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<PlacedMark>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    lines.map(|(i, line)| parse_line(line).map_err(|e| format!("line {}: {e}", i + 1))).collect()
}

fn parse_line(line: &str) -> Result<PlacedMark, String> {
    let columns: Vec<&str> = line.splitn(6, '\t').collect();
    let [n, at, _, frame, segment, note] = columns[..] else {
        return Err(format!("{} columns, a mark has 6", columns.len()));
    };
    let number = |name: &str, text: &str| match text {
        "-" => Ok(None),
        text => text.parse::<u64>().map(Some).map_err(|e| format!("column `{name}`: {e}")),
    };
    let segment = number("segment", segment)?.map(|s| u32::try_from(s).map_err(|e| format!("column `segment`: {e}")));
    Ok(PlacedMark {
        mark: Mark {
            n: n.parse().map_err(|e| format!("column `n`: {e}"))?,
            at: Wall::parse(at)?,
            note: unescape(note),
        },
        frame: number("frame", frame)?,
        segment: segment.transpose()?,
    })
}

/// Tabs, line ends and other control characters as `\t`, `\n`, `\u{…}`, so that a mark is always one line of six columns.
fn one_line(note: &str) -> String {
    let mut out = String::with_capacity(note.len());
    for c in note.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (c, len) = match rest.as_bytes().first() {
            Some(b't') => ('\t', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b'u') => match rest.strip_prefix("u{").and_then(|r| r.split_once('}')) {
                Some((hex, _)) => {
                    (u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'), hex.len() + 3)
                }
                None => ('\\', 0),
            },
            Some(b'\\') => ('\\', 1),
            _ => ('\\', 0),
        };
        out.push(c);
        rest = &rest[len..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn take_time_counts_hours_to_milliseconds() {
        assert_eq!(take_time(3_723_004_999), "01:02:03.004");
        assert_eq!(take_time(-1_500_000), "-00:00:01.500");
        assert_eq!(take_time(360_000_000_000), "100:00:00.000");
    }

    proptest! {
        #[test]
        fn notes_stay_on_one_line_and_survive(note in "(\\PC|[\t\n\r\\\\\u{0}\u{7f}\u{2028}]){0,20}") {
            let line = one_line(&note);
            prop_assert!(!line.contains(['\t', '\n', '\r']));
            prop_assert_eq!(unescape(&line), note);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|\t|\n|\\\\|u\\{){0,60}") {
            let _ = parse(&text);
            let _ = unescape(&text);
        }
    }
}
