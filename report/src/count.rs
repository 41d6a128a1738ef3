//! Counts the periods between frames: what is missing, where, and how the frames that are there fall into stretches of
//! unbroken time. Pure.

use std::ops::Range;

use syncslate_shared::manifest::{Drop, DropSide, Gap, Manifest};

use crate::table::Table;

/// Missing frames of more than this are a gap, not a drop.
pub const GAP_US: f64 = 500_000.0;
/// A frame that was late, and not lost, is followed within so many frames by intervals that are too short.
const CATCH_UP: usize = 16;

/// Missing frames between two that are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// The row after them; the row before is one less.
    pub row: usize,
    /// How many.
    pub frames: u64,
    /// Who lost them, by the manifest.
    pub by: Option<DropSide>,
}

/// Where time is not unbroken.
#[derive(Clone, Debug, PartialEq)]
pub struct Break {
    /// The row after it.
    pub row: usize,
    /// How many frames are missing; `None` when the clock was set.
    pub frames: Option<u64>,
    /// The manifest's gap, by its place in the list.
    pub gap: Option<usize>,
    /// Whether the manifest tells of dropped frames here.
    pub told: Option<DropSide>,
    /// Whether time went back.
    pub back: bool,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// For each row, how many periods it lies after the first row of its stretch.
    pub periods: Vec<u32>,
    /// Rows of unbroken time.
    pub stretches: Vec<Range<usize>>,
    /// Drops.
    pub drops: Vec<Miss>,
    /// Gaps.
    pub breaks: Vec<Break>,
}

/// Counts with the period `period` in microseconds.
pub fn count(table: &Table, period: f64, manifest: &Manifest) -> Counted {
    let told = Told::of(manifest);
    let mut counted = Counted { periods: Vec::with_capacity(table.len()), ..Counted::default() };
    let (mut begin, mut last) = (0, 0u32);
    let Some(mut before) = table.times.first().copied() else { return counted };
    let mut number = table.numbers.first().copied().unwrap_or_default();
    counted.periods.push(0);
    for (row, (&time, &this)) in table.times.iter().zip(&table.numbers).enumerate().skip(1) {
        let interval = time - before;
        // Saturates for what no clock does.
        let periods = (interval as f64 / period).round().min(f64::from(u32::MAX)) as i64;
        let missing = periods - i64::from(this - number);
        let gap = told.gap(before, time, period, missing > 0 || interval <= 0);
        let long = missing as f64 * period > GAP_US;
        if gap.is_some() || interval <= 0 || long {
            let stepped = interval <= 0 || gap.is_some_and(|gap| told.is_step(gap));
            counted.breaks.push(Break {
                row,
                frames: (!stepped).then(|| u64::try_from(missing).unwrap_or(0)),
                gap,
                told: told.dropped(before, time),
                back: interval <= 0,
            });
            counted.stretches.push(begin..row);
            (begin, last) = (row, 0);
        } else {
            if missing > 0 {
                let by = told.dropped(before, time);
                counted.drops.push(Miss { row, frames: u64::try_from(missing).unwrap_or(0), by });
            } else if missing < 0 {
                caught_up(&mut counted.drops, row, missing.unsigned_abs());
            }
            last = last.saturating_add(u32::try_from(periods).unwrap_or(0));
        }
        counted.periods.push(last);
        (before, number) = (time, this);
    }
    counted.stretches.push(begin..table.len());
    counted
}

/// Frames came too close: so many of those that seemed to be missing just before were only late.
fn caught_up(drops: &mut Vec<Miss>, row: usize, mut frames: u64) {
    while frames > 0 {
        let Some(drop) = drops.last_mut().filter(|drop| row - drop.row <= CATCH_UP) else { return };
        let late = frames.min(drop.frames);
        drop.frames -= late;
        frames -= late;
        if drop.frames == 0 {
            drops.pop();
        }
    }
}

/// What the manifest tells, for looking up by time.
struct Told<'a> {
    gaps: &'a [Gap],
    /// The beginnings of gaps, with their places.
    begins: Vec<(i64, usize)>,
    drops: &'a [Drop],
}

impl<'a> Told<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let mut begins: Vec<_> = manifest.gaps.iter().enumerate().map(|(i, gap)| (gap.from.micros(), i)).collect();
        begins.sort_unstable();
        Self { gaps: &manifest.gaps, begins, drops: &manifest.drops }
    }

    fn is_step(&self, gap: usize) -> bool {
        self.gaps.get(gap).is_some_and(|gap| gap.cause == "clock_stepped")
    }

    /// The gap between these two frames. `suspect` says that something is missing: then one that covers part of it will
    /// do, as when lines of the table are damaged.
    fn gap(&self, before: i64, time: i64, period: f64, suspect: bool) -> Option<usize> {
        if self.begins.is_empty() {
            return None;
        }
        let from = self.begins.partition_point(|(from, _)| *from < before);
        let exact = self
            .begins
            .get(from)
            .filter(|(at, i)| *at == before && self.gaps.get(*i).is_some_and(|gap| gap.to.micros() == time));
        if exact.is_some() || !suspect {
            return exact.map(|(_, i)| *i);
        }
        let covers = |gap: &Gap| {
            let overlap = time.min(gap.to.micros()) - before.max(gap.from.micros());
            overlap as f64 > period / 2.0
        };
        self.gaps.iter().position(covers)
    }

    fn dropped(&self, before: i64, time: i64) -> Option<DropSide> {
        let covers = |drop: &&Drop| drop.from.micros() < time && drop.to.micros() > before;
        self.drops.iter().find(covers).map(|drop| drop.by)
    }
}
