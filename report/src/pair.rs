//! Two cameras: how far apart their frames lie when they are paired by nearest time, and by number. Pure.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use crate::model::{Apart, Node, OffByOne, Pair};
use crate::table::Table;

/// A frame whose nearest one lies further away than so much of a period has no partner: the other camera lost it. By
/// nature it is half a period; the rest is for jitter.
const PARTNER: f64 = 0.55;
/// Frames of the same number that lie further apart than so much of a period are not each other's nearest ones.
const NEAREST: f64 = 0.55;
/// So many in a row, so that one late frame does not count.
const IN_A_ROW: u32 = 8;
/// Cameras whose periods differ more have different frame rates.
const SAME_RATE: f64 = 0.02;

/// A camera's frames, ready for pairing.
#[derive(Debug)]
pub struct Track<'a> {
    ip: Ipv4Addr,
    table: &'a Table,
    /// In order, also where a clock was set back.
    sorted: Cow<'a, [i64]>,
    /// The row of the take's first frame.
    first: usize,
    period: f64,
    true_period: Option<f64>,
    clock_us: Option<u64>,
    stamp_error_us: Option<u64>,
}

impl<'a> Track<'a> {
    /// The frames of `node`, counted by `period`.
    pub fn new(node: &Node, table: &'a Table, period: f64) -> Self {
        let mut sorted = Cow::Borrowed(table.times.as_slice());
        if !sorted.is_sorted() {
            sorted.to_mut().sort_unstable();
        }
        Self {
            ip: node.ip,
            table,
            sorted,
            first: usize::try_from(node.before).unwrap_or(usize::MAX),
            period,
            true_period: node.period_us,
            clock_us: node.clock.bound_us,
            stamp_error_us: node.stamp_error_us,
        }
    }
}

/// Pairs the frames of two cameras.
pub fn pair(a: &Track<'_>, b: &Track<'_>, t0: i64) -> Pair {
    let period = a.period.max(b.period);
    let same_rate = (a.period / b.period - 1.0).abs() <= SAME_RATE;
    let (nearest, paired, unpaired) = nearest(&a.sorted, &b.sorted, period, t0);
    let numbers = if same_rate { by_number(a, b, period, t0) } else { ByNumber::default() };
    let clock_us = a.clock_us.zip(b.clock_us).map(|(a, b)| a.saturating_add(b));
    let stamps_us = a.stamp_error_us.zip(b.stamp_error_us).map(|(a, b)| a + b);
    let drift = a.true_period.zip(b.true_period).filter(|_| same_rate);
    Pair {
        a: a.ip,
        b: b.ip,
        paired,
        unpaired,
        nearest,
        by_number: numbers.apart,
        off_by_one: numbers.off_by_one,
        off_at_end: numbers.off_at_end,
        drift_ppm: drift.map(|(a, b)| (b / a - 1.0) * 1e6),
        clock_us,
        uncertainty_us: clock_us.zip(stamps_us).map(|(clock, stamps)| clock.saturating_add(stamps)),
    }
}

/// Collects distances.
#[derive(Default)]
struct Distances {
    all: Vec<u64>,
    worst: (u64, i64),
}

impl Distances {
    fn add(&mut self, distance: u64, at: i64) {
        if distance >= self.worst.0 {
            self.worst = (distance, at);
        }
        self.all.push(distance);
    }

    fn apart(mut self, t0: i64) -> Option<Apart> {
        let middle = self.all.len().checked_sub(1)? / 2;
        let (_, median_us, _) = self.all.select_nth_unstable(middle);
        Some(Apart { worst_us: self.worst.0, worst_at_us: self.worst.1 - t0, median_us: *median_us })
    }
}

/// For each frame of `a` the nearest one of `b`, while both recorded.
fn nearest(a: &[i64], b: &[i64], period: f64, t0: i64) -> (Option<Apart>, u64, u64) {
    let (Some(begin), Some(end)) = (b.first(), b.last()) else { return (None, 0, 0) };
    let half = (period / 2.0) as i64;
    let limit = (period * PARTNER) as u64;
    let mut found = Distances { all: Vec::with_capacity(a.len()), ..Distances::default() };
    let mut unpaired = 0;
    let mut rest = b.iter().copied().peekable();
    let mut before = *begin;
    for &time in a.iter().filter(|time| (begin - half..=end + half).contains(time)) {
        while let Some(passed) = rest.next_if(|next| *next <= time) {
            before = passed;
        }
        let after = rest.peek().map_or(u64::MAX, |next| next.abs_diff(time));
        let distance = before.abs_diff(time).min(after);
        if distance <= limit {
            found.add(distance, time);
        } else {
            unpaired += 1;
        }
    }
    let paired = found.all.len() as u64;
    (found.apart(t0), paired, unpaired)
}

#[derive(Default)]
struct ByNumber {
    apart: Option<Apart>,
    off_by_one: Option<OffByOne>,
    off_at_end: i64,
}

/// Frames of the same number, counted from each camera's first frame of the take.
fn by_number(a: &Track<'_>, b: &Track<'_>, period: f64, t0: i64) -> ByNumber {
    let rows = |track: &Track<'_>| {
        let from = track.first.min(track.table.len());
        let base = track.table.numbers.get(from).copied().unwrap_or_default();
        (from, base)
    };
    let ((mut i, base_a), (mut j, base_b)) = (rows(a), rows(b));
    let mut found = Distances { all: Vec::with_capacity(a.table.len()), ..Distances::default() };
    let (mut since, mut in_a_row, mut off_by_one, mut last) = (None, 0, None, 0);
    loop {
        let row = |track: &Track<'_>, i: usize, base: u32| {
            Some((track.table.numbers.get(i)? - base, *track.table.times.get(i)?))
        };
        let (Some((number, time)), Some((other, partner))) = (row(a, i, base_a), row(b, j, base_b)) else { break };
        if number != other {
            if number < other {
                i += 1
            } else {
                j += 1
            }
            continue;
        }
        last = time - partner;
        found.add(last.unsigned_abs(), time);
        if off_by_one.is_none() {
            if last.unsigned_abs() as f64 > period * NEAREST {
                let first = *since.get_or_insert(OffByOne { frame: number, at_us: time - t0 });
                in_a_row += 1;
                off_by_one = (in_a_row >= IN_A_ROW).then_some(first);
            } else {
                (since, in_a_row) = (None, 0);
            }
        }
        (i, j) = (i + 1, j + 1);
    }
    ByNumber { apart: found.apart(t0), off_by_one, off_at_end: (last as f64 / period).round() as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_frame_is_found_on_either_side() {
        let a = [0, 33_333, 66_667, 100_000, 133_333];
        let b = [30_000, 63_333, 130_000];
        let (apart, paired, unpaired) = nearest(&a, &b, 33_333.0, 0);
        // The first frame lies before `b` began; the fourth lost its partner.
        assert_eq!((paired, unpaired), (3, 1));
        assert_eq!(apart, Some(Apart { worst_us: 3_334, worst_at_us: 66_667, median_us: 3_333 }));
        assert_eq!(nearest(&a, &[], 33_333.0, 0), (None, 0, 0));
    }
}
