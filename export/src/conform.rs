//! A constant rate for all cameras: for each tick from T0 on the frame whose stamp is nearest. Pure.
//!
//! H.264 cannot show a picture twice or leave one out without being encoded anew, so ffmpeg decodes and encodes. It is
//! told which frame belongs to which tick by time stamps that only mean this: a film whose chosen frames bear the times
//! of their ticks, the others times between ticks, which a filter leaves out.

use std::net::Ipv4Addr;

use syncslate_shared::files::FrameRow;

use crate::boxes::{Edit, Movie};
use crate::plan::{Span, first_shown, ticks};
use crate::rate::Rate;

/// Time stamps within a tick; no camera has so many frames in one.
const TICK: u64 = 1000;
/// Ticks a second of the film that ffmpeg reads. It is given its true rate behind.
const MEANT: u32 = 25;
/// Frames ahead among which the nearest is looked for.
const AHEAD: usize = 1000;

/// Which frame is shown at which tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conformed {
    /// The row of each tick's frame. It never goes back.
    pub rows: Vec<usize>,
    /// Rows shown for more than one tick: the row, its first tick, how many.
    pub repeated: Vec<(usize, u64, u64)>,
    /// Rows between the first and last that are shown which are not, each with the tick that comes after it.
    pub left_out: Vec<(usize, u64)>,
}

/// Chooses; `None` without frames.
pub fn choose(rows: &[FrameRow], span: Span, rate: Rate, period: f64) -> Option<Conformed> {
    let first = first_shown(rows, span, period);
    // What was kept after T1 is shown only where there is nothing else.
    let end = rows.iter().rposition(|row| row.time < span.t1).map_or(rows.len(), |last| last + 1).max(first + 1);
    let mut row = first;
    rows.get(first)?;
    let mut chosen = Vec::new();
    for tick in 0..ticks(span, rate) {
        let at = span.t0.offset_us(rate.us(tick));
        let away = |row: usize| rows.get(row).map(|row| row.time.since_us(at).unsigned_abs());
        // Of two that are as near the earlier one. Past a clock that was set back the nearest may lie behind others.
        let ahead = (row..end.min(row.saturating_add(AHEAD))).min_by_key(|row| (away(*row), *row));
        row = ahead.unwrap_or(row);
        chosen.push(row);
    }
    let mut repeated = Vec::new();
    let mut left_out = Vec::new();
    let mut tick = 0u64;
    let mut before = None;
    for run in chosen.chunk_by(|a, b| a == b) {
        let (row, times) = (run.first().copied()?, run.len() as u64);
        let between = before.map_or(first, |before: usize| before + 1)..row;
        left_out.extend(between.map(|row| (row, tick)));
        if times > 1 {
            repeated.push((row, tick, times));
        }
        before = Some(row);
        tick += times;
    }
    Some(Conformed { rows: chosen, repeated, left_out })
}

/// The first line of a list of what was repeated and left out.
pub const HEADER: &str = "node,name,frame,what,tick,timecode,times\r\n";

/// Which frames of a camera are shown more than once, and which not at all: lines as RFC 4180 has them.
pub fn list(
    rows: &[FrameRow],
    chosen: &Conformed,
    (ip, name): (Ipv4Addr, &str),
    timecode: impl Fn(u64) -> String,
) -> String {
    let name = name.replace('"', "\"\"");
    let line = |row: usize, what: &str, tick: u64, times: u64| {
        let frame = rows.get(row).map_or(0, |row| row.frame);
        (tick, format!("{ip},\"{name}\",{frame},{what},{tick},{},{times}\r\n", timecode(tick)))
    };
    let repeated = chosen.repeated.iter().map(|(row, tick, times)| line(*row, "repeated", *tick, *times));
    let left_out = chosen.left_out.iter().map(|(row, tick)| line(*row, "left_out", *tick, 0));
    let mut lines: Vec<_> = repeated.chain(left_out).collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// How ffmpeg is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The film it reads.
    pub movie: Movie,
    /// The filter that makes the constant rate of it.
    pub filter: String,
}

/// `movie`, of the same rows, with the times that say what is chosen.
pub fn told(mut movie: Movie, conformed: &Conformed, rate: Rate) -> Told {
    let first = conformed.rows.first().copied().unwrap_or_default();
    // What lies before the first chosen frame needs room for its own stamps.
    let begin = (first as u64).div_ceil(TICK) * TICK;
    let mut stamps: Vec<u64> = (0..first as u64).collect();
    let mut ticks = 0u64;
    for run in conformed.rows.chunk_by(|a, b| a == b) {
        let row = run.first().copied().unwrap_or_default();
        fill(&mut stamps, row);
        stamps.push(begin + ticks * TICK);
        ticks += run.len() as u64;
    }
    fill(&mut stamps, movie.sizes.len());
    let last = stamps.last().copied().unwrap_or_default();
    stamps.push(last + 1);
    let length = |pair: &[u64]| match pair {
        [a, b] => u32::try_from(b.saturating_sub(*a)).unwrap_or(u32::MAX),
        _ => 0,
    };
    movie.lengths = stamps.windows(2).map(length).collect();
    movie.scale = MEANT * TICK as u32;
    movie.edit = Edit { empty: 0, media: 0, length: last + 1 };
    movie.timecode = None;
    let filter = format!(
        "select='gte(pts\\,{begin})*not(mod(pts\\,{TICK}))',setpts=PTS-{begin},fps={MEANT}:start_time=0:round=near:eof_action=pass,\
         tpad=stop=-1:stop_mode=clone,settb={}/{},setpts=N",
        rate.seconds, rate.frames
    );
    Told { movie, filter }
}

/// Stamps for the rows up to `row` that are not chosen: right behind the last one.
fn fill(stamps: &mut Vec<u64>, row: usize) {
    while stamps.len() < row {
        let next = stamps.last().map_or(0, |last| last + 1);
        stamps.push(next);
    }
}

#[cfg(test)]
mod tests {
    use syncslate_shared::time::Wall;

    use super::*;

    const RATE: Rate = Rate { frames: 25, seconds: 1 };

    fn span(ms: i64) -> Span {
        let t0 = Wall::from_micros(1_761_220_930_500_000);
        Span { t0, t1: t0.offset_us(ms * 1000) }
    }

    fn rows(ms: &[i64]) -> Vec<FrameRow> {
        let row = |(i, ms): (usize, &i64)| FrameRow {
            frame: i as u64,
            segment: 0,
            offset: 0,
            bytes: 1,
            key: i == 0,
            time: span(0).t0.offset_us(ms * 1000),
        };
        ms.iter().enumerate().map(row).collect()
    }

    #[test]
    fn each_tick_has_the_nearest_frame_and_the_rest_is_listed() {
        // A lead-in, then ticks at 0, 40, 80 …: 61 is not the nearest to any, 200 is to four.
        let rows = rows(&[-70, -30, 1, 38, 61, 79, 200, 361]);
        let found = choose(&rows, span(400), RATE, 40_000.0).unwrap();
        assert_eq!(found.rows, [2, 3, 5, 5, 6, 6, 6, 6, 7, 7]);
        assert_eq!(found.repeated, [(5, 2, 2), (6, 4, 4), (7, 8, 2)]);
        assert_eq!(found.left_out, [(4, 2)]);
    }

    #[test]
    fn without_frames_there_is_nothing_to_choose_and_one_frame_is_all() {
        assert_eq!(choose(&[], span(400), RATE, 40_000.0), None);
        let found = choose(&rows(&[3]), span(400), RATE, 40_000.0).unwrap();
        assert_eq!((found.rows, found.repeated), (vec![0; 10], vec![(0, 0, 10)]));
    }
}
