//! Where a camera's frames lie between T0 and T1: as a film whose frames bear their true times, and as stretches and gaps
//! on a timeline. Pure.

use syncslate_report::count::{Counted, count};
use syncslate_report::node::counting_us;
use syncslate_report::table::Table;
use syncslate_shared::files::FrameRow;
use syncslate_shared::manifest::Manifest;
use syncslate_shared::time::Wall;

use crate::boxes::Edit;
use crate::rate::Rate;

/// A frame that lies so much of a period before T0 is the one of T0: a locked camera's. So the sync report has it.
const EARLY: f64 = 0.05;
/// Microseconds are kept as they are …
const MICRO: u32 = 1_000_000;
/// … but where a camera was away for more than 71 minutes, which 32 bits cannot tell in microseconds.
const COARSE: u32 = 90_000;
/// Where nobody knows the rate.
const GUESS_US: f64 = 40_000.0;
/// What is missing at the ends of a take is a gap when it is more than so many periods.
const END: f64 = 2.0;

/// From T0 to T1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// T0.
    pub t0: Wall,
    /// T1, after T0.
    pub t1: Wall,
}

impl Span {
    /// Its length in microseconds, at least 1.
    pub fn us(self) -> i64 {
        self.t1.since_us(self.t0).max(1)
    }
}

/// The times of a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// Units a second.
    pub scale: u32,
    /// How long each frame stays: to the next one, the last one to T1.
    pub lengths: Vec<u32>,
    /// What is shown.
    pub edit: Edit,
    /// Rows whose stamps do not grow, because the clock was set: they stand a microsecond after the one before.
    pub set_back: u64,
}

/// A stretch of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its first tick.
    pub start: u64,
    /// How many ticks, at least 1.
    pub ticks: u64,
    /// Whether the camera has pictures there.
    pub footage: bool,
}

/// The period that a camera's frames come in, in microseconds.
pub fn period_us(rows: &[FrameRow], manifest: &Manifest) -> f64 {
    counting_us(manifest, Some(&table(rows))).unwrap_or(GUESS_US)
}

/// The rate of a camera: what it was asked for, unless it plainly has another one.
pub fn rate(rows: &[FrameRow], manifest: &Manifest) -> Option<Rate> {
    let asked = manifest.camera.as_ref().map(|camera| camera.fps).filter(|fps| Rate::of(*fps).is_some());
    let counted = counting_us(manifest, Some(&table(rows))).map(|period| 1e6 / period);
    match (asked, counted) {
        (Some(asked), Some(counted)) if (counted / asked - 1.0).abs() > 0.02 => Rate::of(rounded(counted)),
        (Some(asked), _) => Rate::of(asked),
        (None, counted) => Rate::of(rounded(counted?)),
    }
}

/// A measured rate as the one that was meant, when it is within 1 % of a usual one.
fn rounded(fps: f64) -> f64 {
    let near = |usual: &f64| (fps / usual - 1.0).abs() < 0.01;
    [25.0, 30.0, 50.0, 60.0, 24.0, 15.0, 10.0, 5.0, 120.0, 100.0, 90.0].into_iter().find(near).unwrap_or(fps)
}

fn table(rows: &[FrameRow]) -> Table {
    Table {
        numbers: rows.iter().map(|row| u32::try_from(row.frame).unwrap_or(u32::MAX)).collect(),
        times: rows.iter().map(|row| row.time.micros()).collect(),
        ..Table::default()
    }
}

/// The row of the first frame that is shown: the first one at or after T0, or a little before; the last one when all lie
/// before.
pub fn first_shown(rows: &[FrameRow], span: Span, period: f64) -> usize {
    let early = (period * EARLY) as i64;
    let from = span.t0.offset_us(-early);
    rows.iter().position(|row| row.time >= from).unwrap_or(rows.len().saturating_sub(1))
}

/// The times of a film of these frames; `None` without any.
pub fn times(rows: &[FrameRow], span: Span, period: f64) -> Option<Times> {
    let shown = first_shown(rows, span, period);
    let (mut stamps, mut set_back) = (Vec::with_capacity(rows.len() + 1), 0);
    let mut last = i64::MIN;
    for (row, frame) in rows.iter().enumerate() {
        let stamp = frame.time.micros();
        // The frame of T0 is shown from T0 on, also when a locked camera took it some microseconds before.
        let stamp = if row == shown { stamp.max(span.t0.micros()) } else { stamp };
        set_back += u64::from(frame.time.micros() <= last);
        last = stamp.max(last.saturating_add(1));
        stamps.push(last);
    }
    let first = *stamps.first()?;
    // It stays to the end of the take; one that was kept after it has its period.
    stamps.push(if last < span.t1.micros() { span.t1.micros() } else { last + (period as i64).max(1) });
    let coarse = stamps.windows(2).any(|pair| matches!(pair, [a, b] if b - a > i64::from(u32::MAX)));
    let scale = if coarse { COARSE } else { MICRO };
    // Each stamp by itself, so that no error adds up.
    let ticks = |us: i64| u64::try_from(i128::from(us) * i128::from(scale) / 1_000_000).unwrap_or(0);
    let at: Vec<u64> = stamps.iter().map(|stamp| ticks(stamp - first)).collect();
    let length = |pair: &[u64]| match pair {
        [a, b] => u32::try_from(b.saturating_sub(*a)).unwrap_or(u32::MAX),
        _ => 0,
    };
    let begin = *stamps.get(shown)?;
    let empty = (begin - span.t0.micros()).clamp(0, span.us() - 1);
    let edit = Edit {
        empty: ticks(empty),
        media: at.get(shown).copied()?,
        length: ticks(span.us()).saturating_sub(ticks(empty)).max(1),
    };
    Some(Times { scale, lengths: at.windows(2).map(length).collect(), edit, set_back })
}

/// The row of the frame nearest to `at`; `None` without any.
pub fn nearest(rows: &[FrameRow], at: Wall) -> Option<usize> {
    (0..rows.len()).min_by_key(|row| rows.get(*row).map(|frame| frame.time.since_us(at).unsigned_abs()))
}

/// How many ticks a take has.
pub fn ticks(span: Span, rate: Rate) -> u64 {
    rate.nearest(span.us()).max(1)
}

/// The stretches and gaps of a camera on a timeline of `rate`, without a hole and to the end. Dropped frames are no
/// gaps: the picture before them stays.
pub fn pieces(rows: &[FrameRow], manifest: &Manifest, span: Span, rate: Rate) -> Vec<Piece> {
    let table = table(rows);
    let period = counting_us(manifest, Some(&table)).unwrap_or(GUESS_US);
    let all = ticks(span, rate);
    let Counted { breaks, .. } = count(&table, period, manifest);
    let us = |row: &FrameRow| row.time.since_us(span.t0);
    let tick = |us: i64| rate.nearest(us).min(all);
    let whole = period as i64;
    let mut gaps: Vec<(u64, u64)> = Vec::new();
    match (rows.get(first_shown(rows, span, period)), rows.last()) {
        (Some(first), Some(last)) => {
            if us(first) as f64 > period * END {
                gaps.push((0, tick(us(first))));
            }
            for at in &breaks {
                if let (Some(before), Some(after)) =
                    (at.row.checked_sub(1).and_then(|row| rows.get(row)), rows.get(at.row))
                {
                    gaps.push((tick(us(before) + whole), tick(us(after))));
                }
            }
            if (span.us() - us(last)) as f64 > period * END {
                gaps.push((tick(us(last) + whole), all));
            }
        }
        _ => gaps.push((0, all)),
    }
    let mut pieces = Vec::new();
    let mut at = 0;
    for (from, to) in gaps {
        let (from, to) = (from.max(at), to.max(at));
        for (end, footage) in [(from, true), (to, false)] {
            if end > at {
                pieces.push(Piece { start: at, ticks: end - at, footage });
                at = end;
            }
        }
    }
    if all > at {
        pieces.push(Piece { start: at, ticks: all - at, footage: true });
    }
    pieces
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
