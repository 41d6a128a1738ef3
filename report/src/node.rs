//! One camera's figures. Pure.

use std::net::Ipv4Addr;

use syncslate_shared::manifest::{Manifest, StampSource};
use syncslate_shared::time::Wall;

use crate::count::{Break, Counted, count};
use crate::fit::{Block, Fit, Stretch, blocks, fit, rough_period};
use crate::model::{Clock, Dropped, Hole, Jitter, MOST, Node};
use crate::nominal::{period_us, wrapped};
use crate::table::Table;

/// A camera that differs more from the rate it was asked for has another rate, not a drift.
const OTHER_RATE: f64 = 0.02;
/// Intervals that differ by no more than so much of a period from the period, or from some periods, are such.
const LIKE: f64 = 0.15;
/// A picture that lies so much of a period before T0 is the one of T0: a locked camera's.
const EARLY: f64 = 0.05;
/// Points of a phase curve.
const POINTS: usize = 600;
/// What sensors' stamps are true to: the regression of libcamera between its clock and the wall clock.
const SENSOR_US: u64 = 100;
/// What arrival is true to: the latency was 20 ms in the median, and varied as much.
const ARRIVAL_US: u64 = 50_000;

/// A count above this is damage: 30 frames a second take a thousand years for it.
const BEYOND: u64 = 1 << 40;

/// The grid that phases are told against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// T0.
    pub t0: Wall,
    /// Its period in µs; `None` when nobody knows a frame rate.
    pub period: Option<f64>,
}

/// A node of which nothing can be told.
pub fn unknown(ip: Ipv4Addr, problem: String) -> Node {
    Node {
        ip,
        name: ip.to_string(),
        camera: None,
        fps: None,
        stamps: None,
        stamp_error_us: None,
        table: false,
        whole: false,
        frames: 0,
        before: 0,
        skew_us: None,
        end_us: None,
        period_us: None,
        drift_ppm: None,
        drift_error_ppm: None,
        phase_us: None,
        phase_end_us: None,
        curve: Vec::new(),
        jitter: None,
        missing: 0,
        dropped: 0,
        drops: Vec::new(),
        gaps: Vec::new(),
        clock: Clock::default(),
        damaged: 0,
        damage: Vec::new(),
        problem: Some(problem),
    }
}

/// The period that a camera was asked for, in µs.
pub fn asked_us(manifest: &Manifest) -> Option<f64> {
    manifest.camera.as_ref().and_then(|camera| period_us(camera.fps))
}

/// The period that a camera's frames are counted by: what it was asked for, unless it plainly does something else.
pub fn counting_us(manifest: &Manifest, table: Option<&Table>) -> Option<f64> {
    let (asked, rough) = (asked_us(manifest), table.and_then(rough_period));
    match (asked, rough) {
        (Some(asked), Some(rough)) if (rough / asked - 1.0).abs() > OTHER_RATE => {
            let lossy = table.is_some_and(|table| loses_many(table, asked));
            Some(if lossy { asked } else { rough })
        }
        (Some(asked), _) => Some(asked),
        (None, rough) => rough,
    }
}

/// Whether frames come by this period after all, and many are missing: intervals are whole periods, a good part of them
/// a single one.
fn loses_many(table: &Table, period: f64) -> bool {
    let (mut single, mut whole, mut all) = (0, 0, 0);
    for pair in table.times.windows(2) {
        let [before, time] = pair else { continue };
        let periods = (time - before) as f64 / period;
        all += 1;
        if (periods - periods.round()).abs() <= LIKE && periods >= 0.5 {
            whole += 1;
            single += usize::from(periods < 1.5);
        }
    }
    single * 4 >= all && whole * 5 >= all * 4
}

/// The figures of a camera by its manifest and, where it is here, its frame table.
pub fn figures(manifest: &Manifest, table: Option<&Table>, grid: Grid) -> Node {
    let mut node = by_manifest(manifest, grid);
    let Some(table) = table else {
        holes_by_manifest(&mut node, manifest, grid);
        return node;
    };
    let rows = table.len() as u64;
    node.table = true;
    node.frames = rows;
    (node.damaged, node.damage) = (table.damaged, table.damage.clone());
    node.whole = manifest.finished && rows + table.damaged >= manifest.frames;
    let Some(period) = counting_us(manifest, Some(table)) else {
        holes_by_manifest(&mut node, manifest, grid);
        return node;
    };
    let first = first_row(table, manifest, period);
    node.before = first as u64;
    node.skew_us = table.times.get(first).map(|time| time - grid.t0.micros());
    let last = table.times.last();
    node.end_us = manifest.t1.filter(|_| node.whole).zip(last).map(|(t1, last)| last - t1.micros());
    let counted = count(table, period, manifest);
    holes(&mut node, manifest, table, &counted, period, grid);
    let stretches = blocks(table, &counted.periods, &counted.stretches, period);
    let fitted = fit(&stretches, period);
    rate(&mut node, manifest, fitted);
    let true_period = fitted.map_or(period, |fit| fit.period);
    node.jitter = jitter(table, &counted, true_period);
    phases(&mut node, &stretches, period, true_period - period, grid);
    node
}

fn by_manifest(manifest: &Manifest, grid: Grid) -> Node {
    let camera = manifest.camera.as_ref();
    let asked = asked_us(manifest);
    Node {
        name: manifest.name.clone(),
        camera: camera.map(|camera| camera.model.clone().unwrap_or_else(|| camera.kind.clone())),
        fps: camera.map(|camera| camera.fps).filter(|fps| fps.is_finite()),
        stamps: manifest.stamps,
        stamp_error_us: manifest.stamps.map(|stamps| stamp_error(stamps, asked)),
        frames: manifest.frames.min(BEYOND),
        before: manifest.lead_in_frames.min(BEYOND),
        skew_us: manifest.skew_us.map(|skew| skew.saturating_add(manifest.t0.since_us(grid.t0))),
        clock: clock(manifest),
        problem: None,
        ..unknown(manifest.ip, String::new())
    }
}

fn stamp_error(stamps: StampSource, period: Option<f64>) -> u64 {
    match stamps {
        StampSource::Sensor => SENSOR_US,
        // Taken when the transfer began or ended, which only the driver knows.
        StampSource::Driver => period.map_or(ARRIVAL_US, |period| period as u64),
        StampSource::Arrival => ARRIVAL_US,
    }
}

fn clock(manifest: &Manifest) -> Clock {
    let (roll, cut) = (manifest.clock_at_roll.clone(), manifest.clock_at_cut.clone());
    let ends = [Some(&roll), manifest.finished.then_some(&cut)];
    let known = ends.into_iter().flatten().map(|reading| reading.as_ref().and_then(|reading| reading.error_us));
    let known: Option<Vec<i64>> = known.collect();
    let between = manifest.clock_readings.iter().filter_map(|reading| reading.clock.error_us);
    let bound_us = known.and_then(|ends| ends.into_iter().chain(between).map(i64::unsigned_abs).max());
    Clock { roll, readings: manifest.clock_readings.clone(), cut, bound_us }
}

/// The row of the take's first frame: the one that the node itself names by its skew, else the first one at T0.
fn first_row(table: &Table, manifest: &Manifest, period: f64) -> usize {
    let t0 = manifest.t0.micros();
    let named = manifest.skew_us.and_then(|skew| table.times.iter().position(|time| *time == t0.saturating_add(skew)));
    let at_t0 = || table.times.iter().position(|time| (*time - t0) as f64 >= -period * EARLY);
    named.or_else(at_t0).unwrap_or(0)
}

/// How many frames fit between two instants without either.
fn between(from: i64, to: i64, period: f64) -> u64 {
    ((to - from) as f64 / period - 1.0).round().clamp(0.0, 1e12) as u64
}

fn hole(manifest: &Manifest, gap: Option<usize>, span: (i64, i64), grid: Grid) -> Hole {
    let gap = gap.and_then(|gap| manifest.gaps.get(gap));
    let t0 = grid.t0.micros();
    Hole {
        from_us: span.0 - t0,
        to_us: span.1 - t0,
        frames: None,
        cause: gap.map_or_else(|| "unexplained".into(), |gap| gap.cause.clone()),
        detail: gap.map_or_else(|| "the camera's manifest does not tell of it".into(), |gap| gap.detail.clone()),
        seen: Some(true),
    }
}

/// Without a table the manifest is believed.
fn holes_by_manifest(node: &mut Node, manifest: &Manifest, grid: Grid) {
    let period = asked_us(manifest);
    for (i, gap) in manifest.gaps.iter().enumerate() {
        let (from, to) = (gap.from.micros(), gap.to.micros());
        let frames = period.filter(|_| gap.cause != "clock_stepped").map(|period| between(from, to, period));
        let hole = Hole { frames, seen: None, ..hole(manifest, Some(i), (from, to), grid) };
        node.missing += frames.unwrap_or(0);
        push(&mut node.gaps, hole);
    }
    for drop in &manifest.drops {
        let frames = drop.frames.min(BEYOND);
        node.dropped += frames;
        let at_us = drop.from.since_us(grid.t0);
        push(&mut node.drops, Dropped { after_frame: None, at_us, frames, by: Some(drop.by) });
    }
    node.missing += node.dropped;
}

fn holes(node: &mut Node, manifest: &Manifest, table: &Table, counted: &Counted, period: f64, grid: Grid) {
    let mut seen = vec![false; manifest.gaps.len()];
    let mut see = |gap: Option<usize>| gap.and_then(|gap| seen.get_mut(gap)).into_iter().for_each(|seen| *seen = true);
    let time = |row: usize| table.times.get(row).copied().unwrap_or_default();
    let drop = |row: usize, frames, by| Dropped {
        after_frame: table.numbers.get(row - 1).copied(),
        at_us: time(row - 1) + period as i64 - grid.t0.micros(),
        frames,
        by,
    };
    let mut drops: Vec<_> = counted.drops.iter().map(|miss| drop(miss.row, miss.frames, miss.by)).collect();
    let mut gaps = Vec::new();
    if let Some(gap) = head(manifest, table, period, grid) {
        see(gap.0);
        gaps.push(gap.1);
    }
    for Break { row, frames, gap, told, back } in &counted.breaks {
        if let (None, Some(by), false, Some(frames)) = (gap, told, back, frames) {
            drops.push(drop(*row, *frames, Some(*by)));
            continue;
        }
        see(*gap);
        let mut hole = Hole { frames: *frames, ..hole(manifest, *gap, (time(row - 1), time(*row)), grid) };
        if gap.is_none() && *back {
            hole.detail = "the stamps go back: the camera's clock was set, and its manifest does not tell of it".into();
        }
        gaps.push(hole);
    }
    if let Some(gap) = tail(node, manifest, table, period, grid) {
        see(gap.0);
        gaps.push(gap.1);
    }
    for (i, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
        if let Some(gap) = manifest.gaps.get(i) {
            let span = (gap.from.micros(), gap.to.micros());
            gaps.push(Hole { seen: Some(false), ..hole(manifest, Some(i), span, grid) });
        }
    }
    drops.sort_by_key(|drop| drop.at_us);
    gaps.sort_by_key(|gap| gap.from_us);
    node.dropped = drops.iter().map(|drop| drop.frames).sum();
    node.missing = node.dropped + gaps.iter().filter_map(|gap| gap.frames).sum::<u64>();
    drops.truncate(MOST);
    gaps.truncate(MOST);
    (node.drops, node.gaps) = (drops, gaps);
}

/// What is missing between T0 and the first frame. A camera that runs free comes up to a period after T0.
fn head(manifest: &Manifest, table: &Table, period: f64, grid: Grid) -> Option<(Option<usize>, Hole)> {
    let (t0, first) = (manifest.t0.micros(), *table.times.first()?);
    if ((first - t0) as f64) < period * 1.5 {
        return None;
    }
    let gap = manifest.gaps.iter().position(|gap| gap.from.micros() == t0);
    let frames = Some(between(t0, first, period) + 1);
    Some((gap, Hole { frames, ..hole(manifest, gap, (t0, first), grid) }))
}

/// What is missing between the last frame and T1, once all that will come is here.
fn tail(node: &Node, manifest: &Manifest, table: &Table, period: f64, grid: Grid) -> Option<(Option<usize>, Hole)> {
    let (t1, last) = (manifest.t1.filter(|_| node.whole)?.micros(), *table.times.last()?);
    if ((t1 - last) as f64) < period * 2.0 {
        return None;
    }
    let gap = manifest.gaps.iter().position(|gap| gap.to.micros() == t1);
    let frames = Some(between(last, t1, period));
    Some((gap, Hole { frames, ..hole(manifest, gap, (last, t1), grid) }))
}

fn push<T>(list: &mut Vec<T>, entry: T) {
    if list.len() < MOST {
        list.push(entry);
    }
}

fn rate(node: &mut Node, manifest: &Manifest, fitted: Option<Fit>) {
    let Some(Fit { period, error }) = fitted else { return };
    node.period_us = Some(period);
    if let Some(asked) = asked_us(manifest).filter(|asked| (period / asked - 1.0).abs() <= OTHER_RATE) {
        node.drift_ppm = Some((period / asked - 1.0) * 1e6);
        node.drift_error_ppm = Some(error / asked * 1e6);
    }
}

/// Over intervals between frames that follow each other, with nothing missing in between.
fn jitter(table: &Table, counted: &Counted, period: f64) -> Option<Jitter> {
    let mut skipped: Vec<usize> = counted.breaks.iter().map(|b| b.row).collect();
    skipped.extend(counted.drops.iter().map(|drop| drop.row));
    skipped.sort_unstable();
    let mut skipped = skipped.into_iter().peekable();
    let mut off: Vec<f64> = Vec::with_capacity(table.len());
    let mut largest = (0.0, 0);
    let rows = table.times.windows(2).zip(table.numbers.windows(2)).enumerate();
    for (row, (times, numbers)) in rows.map(|(i, pair)| (i + 1, pair)) {
        let ([before, time], [first, last]) = (times, numbers) else { continue };
        if skipped.next_if_eq(&row).is_some() || last - first != 1 {
            continue;
        }
        let jitter = ((time - before) as f64 - period).abs();
        if jitter > largest.0 {
            largest = (jitter, *last);
        }
        off.push(jitter);
    }
    let last = off.len().checked_sub(1)?;
    let (_, p99, _) = off.select_nth_unstable_by(last * 99 / 100, f64::total_cmp);
    let p99_us = *p99;
    let (_, middle, _) = off.select_nth_unstable_by(last / 2, f64::total_cmp);
    Some(Jitter { median_us: *middle, p99_us, max_us: largest.0, max_frame: largest.1 })
}

fn phases(node: &mut Node, stretches: &[Stretch], period: f64, slope: f64, grid: Grid) {
    let Some(step) = grid.period else { return };
    let since = |stretch: &Stretch| (stretch.begin - grid.t0.micros()) as f64;
    let (first, last) = (stretches.first(), stretches.last());
    node.phase_us = first.map(|s| round(wrapped(since(s) + s.at_begin(slope), step), 1.0));
    node.phase_end_us = last.map(|s| round(wrapped(since(s) + s.length * period + s.at_end(slope), step), 1.0));
    let points: usize = stretches.iter().map(|stretch| stretch.blocks.len()).sum();
    let every = points.div_ceil(POINTS).max(1);
    let curve = |stretch: &Stretch| {
        let point = |block: &Block| {
            let due = |n: f64| since(stretch) + n * period + block.late;
            // The middle of a block may lie between two frames, but a phase is that of a frame.
            [round(due(block.n) / 1e6, 1000.0), round(wrapped(due(block.n.floor()), step), 10.0)]
        };
        stretch.blocks.iter().step_by(every).map(point).collect()
    };
    // Of a camera with more stretches than points only the first ones are drawn.
    node.curve = stretches.iter().take(POINTS).map(curve).collect();
}

fn round(value: f64, to: f64) -> f64 {
    // Adding zero makes a zero of minus zero.
    (value * to).round() / to + 0.0
}
