//! Stamps beside light: how far each node's stamps are from what the slate showed, against the middle of the fleet. Pure.
//!
//! **Sign**: positive means that the node's stamps are later than the light says.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use syncslate_shared::time::Wall;

use crate::model::{Measured, Parts, Showing};
use crate::overlap::{median, overlap};
use crate::timeline::{Reading, Refreshes, Seen};

/// A silence of so long ends a showing: what comes after it is another one.
const SILENCE_MS: i64 = 10_000;
/// A showing that lasts longer is cut: the display's clock is no better than a crystal.
const LONGEST_MS: i64 = 60_000;
/// Fewer frames than this tell nothing.
pub const LEAST_FRAMES: usize = 5;
/// The slate shows whole milliseconds.
const ROUNDING_US: f64 = 500.0;
/// The clock of a phone runs fast or slow by no more.
const CRYSTAL_PPM: f64 = 100.0;
/// When fewer of the frames agree on one offset the stamps jump about, and the middle of them all is taken.
const STEADY: f64 = 0.7;

/// One node's frames that show the slate, and what is known of its camera.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Its address.
    pub ip: Ipv4Addr,
    /// What it is and how it is read: cameras of which this is the same have the same rolling shutter.
    pub sensor: String,
    /// The time between two frames, microseconds.
    pub period_us: f64,
    /// How long a frame is exposed, microseconds; `None` when the camera does not tell.
    pub exposure_us: Option<f64>,
    /// What was read, in any order.
    pub seen: Vec<Seen>,
}

/// What one node's frames of a showing say.
struct Own<'a> {
    camera: &'a Camera,
    frames: usize,
    agree: f64,
    /// Stamps − light.
    offset_us: f64,
    /// What the frames leave open, either way.
    open_us: f64,
    /// The slate's height in the picture.
    row: f64,
    /// The middle of its stamps.
    at_us: f64,
}

impl Own<'_> {
    /// How much later than its first row a rolling shutter may expose the slate: no readout lasts longer than a frame.
    fn late_us(&self) -> f64 {
        self.row * self.camera.period_us
    }
}

/// Every time that the slate was shown, in order, with the offsets of the nodes that saw it.
pub fn compare(cameras: &[Camera]) -> Vec<Showing> {
    let mut by_session: BTreeMap<u8, Vec<(i64, usize, &Seen)>> = BTreeMap::new();
    for (i, camera) in cameras.iter().enumerate() {
        for seen in &camera.seen {
            if let Some(shown) = seen.shown_ms() {
                by_session.entry(seen.sight.session).or_default().push((shown, i, seen));
            }
        }
    }
    let mut showings = Vec::new();
    for (session, mut frames) in by_session {
        frames.sort_by_key(|(shown, ..)| *shown);
        for part in parts(&frames) {
            showings.extend(showing(cameras, session, part));
        }
    }
    showings.sort_by_key(|showing| showing.from);
    showings
}

/// Cuts frames in order of their light where the slate was away, and where it was there for long.
fn parts<'a, 'b>(frames: &'b [(i64, usize, &'a Seen)]) -> Vec<&'b [(i64, usize, &'a Seen)]> {
    let mut begun = frames.first().map_or(0, |(shown, ..)| *shown);
    let mut last = begun;
    let mut cuts = vec![0];
    for (i, (shown, ..)) in frames.iter().enumerate() {
        if shown - last > SILENCE_MS || shown - begun > LONGEST_MS {
            cuts.push(i);
            begun = *shown;
        }
        last = *shown;
    }
    cuts.push(frames.len());
    cuts.windows(2).filter_map(|cut| frames.get(*cut.first()?..*cut.last()?)).collect()
}

fn showing(cameras: &[Camera], session: u8, frames: &[(i64, usize, &Seen)]) -> Option<Showing> {
    let refreshes = Refreshes::of(frames.iter().map(|(.., seen)| *seen));
    let mut readings: BTreeMap<usize, Vec<Reading>> = BTreeMap::new();
    for (_, i, seen) in frames {
        readings.entry(*i).or_default().extend(refreshes.reading(seen));
    }
    let own: Vec<Own<'_>> = readings
        .into_iter()
        .filter(|(_, readings)| readings.len() >= LEAST_FRAMES)
        .filter_map(|(i, readings)| measure(cameras.get(i)?, &readings))
        .collect();
    if own.is_empty() {
        return None;
    }
    let stamps = || frames.iter().map(|(.., seen)| seen.stamp_us);
    Some(Showing {
        from: Wall::from_micros(stamps().min()?),
        to: Wall::from_micros(stamps().max()?),
        session,
        refresh_us: refreshes.period_us,
        nodes: own.iter().filter_map(|one| against(one, &own)).collect(),
    })
}

fn measure<'a>(camera: &'a Camera, readings: &[Reading]) -> Option<Own<'a>> {
    let spans: Vec<(f64, f64)> =
        readings.iter().map(|r| ((r.stamp_us - r.to_us) as f64, (r.stamp_us - r.from_us) as f64)).collect();
    let found = overlap(&spans)?;
    let agree = found.agree as f64 / readings.len() as f64;
    let (offset_us, open_us) = if agree >= STEADY {
        ((found.from + found.to) / 2.0, (found.to - found.from) / 2.0)
    } else {
        let middle = median(spans.iter().map(|(from, to)| (from + to) / 2.0))?;
        let off = median(spans.iter().map(|(from, to)| ((from + to) / 2.0 - middle).abs()))?;
        (middle, median(spans.iter().map(|(from, to)| (to - from) / 2.0))? + off)
    };
    let first = readings.first()?.stamp_us;
    Some(Own {
        camera,
        frames: readings.len(),
        agree,
        offset_us,
        open_us: open_us + ROUNDING_US,
        row: median(readings.iter().map(|r| r.row))?,
        at_us: first as f64 + median(readings.iter().map(|r| (r.stamp_us - first) as f64))?,
    })
}

/// One node against the middle of all.
fn against(one: &Own<'_>, all: &[Own<'_>]) -> Option<Measured> {
    let middle = |of: fn(&Own<'_>) -> f64| median(all.iter().map(of));
    let exposures: Option<Vec<f64>> = all.iter().map(|own| own.camera.exposure_us).collect();
    let exposure = exposures.and_then(median).zip(one.camera.exposure_us);
    let others = all.len() > 1;
    let alike = all.iter().all(|own| own.camera.sensor == one.camera.sensor);
    let parts = Parts {
        refresh_us: one.open_us + if others { middle(|own| own.open_us)? } else { 0.0 },
        rows_us: if alike {
            (one.late_us() - middle(|own| own.late_us())?).abs()
        } else {
            one.late_us().max(middle(|own| own.late_us())?)
        },
        exposure_us: exposure.map(|(middle, own)| (own - middle).abs() / 2.0),
        display_us: (one.at_us - middle(|own| own.at_us)?).abs() * CRYSTAL_PPM / 1e6,
    };
    Some(Measured {
        ip: one.camera.ip,
        frames: one.frames as u64,
        agree_percent: (one.agree * 1000.0).round() / 10.0,
        offset_us: if others { Some(one.offset_us - middle(|own| own.offset_us)?) } else { None },
        uncertainty_us: parts.sum(),
        parts,
    })
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
