//! The marks as a spreadsheet, and as an edit list (CMX 3600) with locators. Pure.

use std::fmt::Write as _;

use syncslate_shared::markers::take_time;

use crate::timeline::{Camera, Marker, Timeline};

/// RFC 4180: a line for each mark.
pub fn csv(line: &Timeline) -> String {
    let mut out = String::from("n,time,take_time,timecode,frame,note\r\n");
    for mark in &line.marks {
        let Marker { tick, n, at, note } = mark;
        let since = take_time(at.since_us(line.span.t0));
        let _ = write!(out, "{n},{at},{since},{},{tick},{}\r\n", line.rate.shown(line.start + tick), field(note));
    }
    out
}

/// A text in quotes. Spreadsheets take one that begins like a formula for one: an apostrophe before it makes it text
/// (CWE-1236).
fn field(text: &str) -> String {
    let formula =
        text.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// An edit list has one track of pictures: the first camera with a film, its marks as locators of its events.
pub fn edl(line: &Timeline) -> String {
    let mut out = format!("TITLE: {}\r\nFCM: NON-DROP FRAME\r\n", line.id);
    let with_film = |camera: &&Camera| camera.film.is_some() && camera.pieces.iter().any(|piece| piece.footage);
    let Some(camera) = line.cameras.iter().find(with_film) else { return out };
    let footage: Vec<_> = camera.pieces.iter().filter(|piece| piece.footage).collect();
    let shown = |tick: u64| line.rate.shown(line.start + tick);
    for (i, piece) in footage.iter().enumerate() {
        let (from, to) = (shown(piece.start), shown(piece.start + piece.ticks));
        let reel = &camera.reel;
        let _ = write!(out, "\r\n{:03}  {reel:<8} V     C        {from} {to} {from} {to}\r\n", i + 1);
        let _ = write!(out, "* FROM CLIP NAME: {}\r\n", camera.film.as_deref().unwrap_or_default());
        // What lies in a gap stands with the footage before it, or with the first.
        let begin = if i == 0 { 0 } else { piece.start };
        let end = footage.get(i + 1).map_or(u64::MAX, |next| next.start);
        for mark in line.marks.iter().filter(|mark| (begin..end).contains(&mark.tick)) {
            let _ = write!(out, "* LOC: {} {:<7} {}\r\n", shown(mark.tick), "RED", one_line(mark));
        }
    }
    out
}

/// A mark's text on one line.
fn one_line(mark: &Marker) -> String {
    let plain: String = mark.note.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<_> = plain.split_whitespace().collect();
    if words.is_empty() { mark.name() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::kit::line;

    #[test]
    fn marks_stand_with_their_timecodes() {
        assert_eq!(
            csv(&line()),
            "n,time,take_time,timecode,frame,note\r\n\
             1,2025-10-23T12:02:11.751000Z,00:00:01.251,12:02:11:22,37,\"</note>\u{1}\n\"\"he laughs\"\" & waits\"\r\n\
             2,2025-10-23T12:02:19.500000Z,00:00:09.000,12:02:19:14,269,\"\"\r\n"
        );
        assert_eq!(
            edl(&line()),
            "TITLE: A_20251023_140210\r\nFCM: NON-DROP FRAME\r\n\r\n\
             001  left     V     C        12:02:10:15 12:02:20:15 12:02:10:15 12:02:20:15\r\n\
             * FROM CLIP NAME: A_10_0_0_1_20251023_140210.mp4\r\n\
             * LOC: 12:02:11:22 RED     </note> \"he laughs\" & waits\r\n\
             * LOC: 12:02:19:14 RED     mark 2\r\n"
        );
    }

    #[test]
    fn events_are_cut_at_gaps() {
        let mut line = line();
        line.cameras.remove(0);
        line.cameras[0].reel = "RIGHT".into();
        let text = edl(&line);
        assert!(
            text.contains("002  RIGHT    V     C        12:02:15:15 12:02:20:15 12:02:15:15 12:02:20:15"),
            "{text}"
        );
        line.cameras.clear();
        assert_eq!(edl(&line), "TITLE: A_20251023_140210\r\nFCM: NON-DROP FRAME\r\n");
    }
}
