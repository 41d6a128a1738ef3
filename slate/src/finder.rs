//! Finds the slate in a camera's pictures, one after another. Pure.

use crate::blobs::blobs;
use crate::card::{Read, by_marks, by_outline};
use crate::image::{Luma, Point};
use crate::layout::{CYCLE_MS, FIELDS};
use crate::quad::around;

/// Levels of brightness at which a white card is looked for, in the order in which they mostly succeed.
const LEVELS: [u8; 11] = [144, 96, 192, 64, 120, 168, 216, 48, 236, 32, 22];
/// A card of less pixels along a side cannot be read: its modules would be smaller than one and a half.
const LEAST: u32 = 28;
/// So many bright areas are looked at, the largest ones.
const AREAS: usize = 48;
/// After so many pictures without a slate only every fourth is searched whole.
const LOST: u32 = 15;
/// The fields of one picture were drawn within this time; else one of them is wrong.
const TOGETHER_MS: i64 = 1000;

/// What a picture shows of a slate.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// Which display, and which opening of its page.
    pub session: u8,
    /// The display's times of the refreshes that drew each field, in milliseconds; `None` for one that cannot be read.
    pub fields: [Option<u32>; FIELDS],
    /// The card's middle, as shares of the picture's width and height.
    pub middle: Point,
    /// How large a module is in the picture, in pixels.
    pub module_px: f64,
}

impl Sight {
    /// The field drawn last and its time; `None` when no field was read.
    pub fn newest(&self) -> Option<(usize, u32)> {
        let read = self.fields.iter().enumerate().filter_map(|(n, ms)| Some((n, (*ms)?)));
        read.reduce(|a, b| if apart(b.1, a.1) > 0 { b } else { a })
    }

    /// How many fields cannot be read that are due directly after the newest one: they were changing.
    pub fn changing(&self) -> usize {
        let Some((newest, _)) = self.newest() else { return 0 };
        (1..FIELDS).take_while(|n| self.fields.get((newest + n) % FIELDS).is_some_and(Option::is_none)).count()
    }
}

/// Milliseconds from `b` to `a` on the slate's clock, the short way round.
pub fn apart(a: u32, b: u32) -> i64 {
    (i64::from(a) - i64::from(b) + CYCLE_MS / 2).rem_euclid(CYCLE_MS) - CYCLE_MS / 2
}

/// Looks for the slate where it was last, then everywhere.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    marks: Option<[Point; 4]>,
    level: Option<u8>,
    missed: u32,
}

impl Finder {
    /// What the next picture of this camera shows; `None` when no slate can be read.
    pub fn look(&mut self, luma: &Luma<'_>) -> Option<Sight> {
        let found = self.marks.and_then(|marks| good(luma, by_marks(luma, &clockwise(marks))));
        let found = found.or_else(|| {
            let everywhere = self.missed < LOST || self.missed.is_multiple_of(4);
            everywhere.then(|| self.search(luma)).flatten()
        });
        let Some((marks, sight)) = found else {
            self.missed = self.missed.saturating_add(1);
            // It may have been turned or covered for a moment: where it was is tried for a while.
            if self.missed >= LOST {
                self.marks = None;
            }
            return None;
        };
        (self.marks, self.missed) = (Some(marks), 0);
        Some(sight)
    }

    fn search(&mut self, luma: &Luma<'_>) -> Option<([Point; 4], Sight)> {
        let others = LEVELS.into_iter().filter(|level| Some(*level) != self.level);
        for level in self.level.into_iter().chain(others) {
            for blob in blobs(luma, level, LEAST, AREAS) {
                let Some(outline) = around(&blob.hull()) else { continue };
                if let Some(found) = good(luma, by_outline(luma, &outline)) {
                    self.level = Some(level);
                    return Some(found);
                }
            }
        }
        None
    }
}

/// Marks of a mirrored picture go anticlockwise.
fn clockwise(marks: [Point; 4]) -> [Point; 4] {
    let [a, b, c, d] = marks;
    if crate::quad::convex(&marks) { marks } else { [a, d, c, b] }
}

/// A card is believed when all fields that were read are of one session and were drawn shortly after one another.
fn good(luma: &Luma<'_>, read: Option<Read>) -> Option<([Point; 4], Sight)> {
    let Read { marks, fields } = read?;
    let first = fields.iter().flatten().next().copied()?;
    let one =
        |word: &crate::layout::Word| word.session == first.session && apart(word.ms, first.ms).abs() <= TOGETHER_MS;
    if !fields.iter().flatten().all(one) {
        return None;
    }
    let [a, b, c, d] = marks;
    let mean = |i: usize, size: usize| (a[i] + b[i] + c[i] + d[i]) / 4.0 / size as f64;
    let side = |a: Point, b: Point| (a[0] - b[0]).hypot(a[1] - b[1]);
    let sight = Sight {
        session: first.session,
        fields: fields.map(|word| word.map(|word| word.ms)),
        middle: [mean(0, luma.width()), mean(1, luma.height())],
        module_px: (side(a, b) + side(b, c) + side(c, d) + side(d, a)) / 4.0 / 13.0,
    };
    Some((marks, sight))
}

#[cfg(test)]
#[path = "finder_tests.rs"]
mod tests;
