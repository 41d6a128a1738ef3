//! Bright areas of a picture, by one level of brightness. Pure.
//!
//! Pixels are taken as runs along rows; runs of neighbouring rows that touch are joined (union-find).

use crate::image::{Luma, Point};

/// A run of bright pixels: row, first column, column after the last.
type Run = [u32; 3];

/// An area of bright pixels that hang together.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Width and height of the upright rectangle around it, in pixels.
    pub size: [u32; 2],
    /// How many pixels it has.
    pub pixels: u64,
    /// What it reaches over in each row that it has: a hull needs no more.
    spans: Vec<Run>,
}

impl Blob {
    /// Runs come row by row, and from the left in each.
    fn take(&mut self, run: Run) {
        match self.spans.last_mut().filter(|span| span[0] == run[0]) {
            Some(span) => span[2] = run[2],
            None => self.spans.push(run),
        }
    }

    /// Its hull: the corners of the smallest convex area that holds it, clockwise as one sees it.
    pub fn hull(&self) -> Vec<Point> {
        let ends = |[y, from, to]: &Run| {
            let (y, from, to) = (f64::from(*y), f64::from(*from), f64::from(*to));
            [[from, y], [from, y + 1.0], [to, y], [to, y + 1.0]]
        };
        let mut points: Vec<Point> = self.spans.iter().flat_map(ends).collect();
        points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        points.dedup();
        let mut hull = half(points.iter().copied());
        hull.pop();
        hull.extend(half(points.iter().rev().copied()));
        hull.pop();
        hull
    }
}

/// One half of a hull (Andrew's monotone chain), of points in order.
fn half(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut chain: Vec<Point> = Vec::new();
    for point in points {
        while let [.., a, b] = chain.as_slice()
            && turn(*a, *b, point) <= 0.0
        {
            chain.pop();
        }
        chain.push(point);
    }
    chain
}

/// Twice the area of a triangle; positive when it goes clockwise as one sees it (y goes down).
pub(crate) fn turn(a: Point, b: Point, c: Point) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The areas brighter than `level` that are at least `least` pixels wide and high and well filled, the largest first, at
/// most `most`.
pub fn blobs(luma: &Luma<'_>, level: u8, least: u32, most: usize) -> Vec<Blob> {
    let (runs, mut parents) = joined(luma, level);
    let mut boxes: Vec<Option<Bounds>> = vec![None; runs.len()];
    for (i, run) in runs.iter().enumerate() {
        let root = root(&mut parents, i);
        if let Some(bounds) = boxes.get_mut(root) {
            bounds.get_or_insert(Bounds::of(run)).take(run);
        }
    }
    let mut chosen: Vec<(usize, Bounds)> =
        boxes.into_iter().enumerate().filter_map(|(i, bounds)| Some((i, bounds.filter(|b| b.fits(least))?))).collect();
    chosen.sort_by_key(|(_, bounds)| std::cmp::Reverse(bounds.area()));
    chosen.truncate(most);
    let mut found: Vec<Blob> = chosen
        .iter()
        .map(|(_, bounds)| Blob { size: bounds.size(), pixels: bounds.pixels, spans: Vec::new() })
        .collect();
    let mut places: Vec<Option<usize>> = vec![None; runs.len()];
    for (place, (root, _)) in chosen.iter().enumerate() {
        if let Some(slot) = places.get_mut(*root) {
            *slot = Some(place);
        }
    }
    for (i, run) in runs.iter().enumerate() {
        let place = places.get(root(&mut parents, i)).copied().flatten();
        if let Some(blob) = place.and_then(|place| found.get_mut(place)) {
            blob.take(*run);
        }
    }
    found
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
    pixels: u64,
}

impl Bounds {
    fn of([y, from, to]: &Run) -> Self {
        Self { left: *from, top: *y, right: *to, bottom: y + 1, pixels: 0 }
    }

    fn take(&mut self, [y, from, to]: &Run) {
        self.left = self.left.min(*from);
        self.right = self.right.max(*to);
        self.bottom = self.bottom.max(y + 1);
        self.pixels += u64::from(to - from);
    }

    fn size(&self) -> [u32; 2] {
        [self.right - self.left, self.bottom - self.top]
    }

    fn area(&self) -> u64 {
        let [width, height] = self.size();
        u64::from(width) * u64::from(height)
    }

    /// A card on its corner fills half of the rectangle around it, and is white by half.
    fn fits(&self, least: u32) -> bool {
        let [width, height] = self.size();
        width >= least && height >= least && self.pixels * 8 >= self.area()
    }
}

/// The runs of the picture and which of them hang together.
fn joined(luma: &Luma<'_>, level: u8) -> (Vec<Run>, Vec<u32>) {
    let mut runs: Vec<Run> = Vec::new();
    let mut parents: Vec<u32> = Vec::new();
    // Where the runs of the row above begin.
    let mut above = 0;
    for (y, row) in luma.rows().enumerate() {
        let here = runs.len();
        let mut x = 0;
        while let Some(from) = row.get(x..).and_then(|rest| rest.iter().position(|p| *p > level)).map(|i| x + i) {
            let to =
                row.get(from..).and_then(|rest| rest.iter().position(|p| *p <= level)).map_or(row.len(), |i| from + i);
            parents.push(runs.len() as u32);
            runs.push([y as u32, from as u32, to as u32]);
            x = to;
        }
        let (mut a, mut b) = (above, here);
        while let (true, Some(up), Some(low)) = (a < here, runs.get(a), runs.get(b)) {
            let (up, low) = (*up, *low);
            if up[1] < low[2] && low[1] < up[2] {
                join(&mut parents, a, b);
            }
            if up[2] < low[2] { a += 1 } else { b += 1 }
        }
        above = here;
    }
    (runs, parents)
}

fn root(parents: &mut [u32], mut i: usize) -> usize {
    while let Some(parent) = parents.get(i).map(|parent| *parent as usize)
        && parent != i
    {
        // The way is halved for the next one who asks.
        let grand = parents.get(parent).copied().unwrap_or(parent as u32);
        if let Some(place) = parents.get_mut(i) {
            *place = grand;
        }
        i = grand as usize;
    }
    i
}

fn join(parents: &mut [u32], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    if let Some(place) = parents.get_mut(a.max(b)) {
        *place = a.min(b) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(rows: &[&str]) -> (usize, usize, Vec<u8>) {
        let pixels = rows.iter().flat_map(|row| row.bytes().map(|b| if b == b'#' { 200 } else { 10 })).collect();
        (rows[0].len(), rows.len(), pixels)
    }

    #[test]
    fn what_hangs_together_is_one_whatever_its_form() {
        let (w, h, pixels) = picture(&["#..#.....", "#..#..###", "####..#.#", "...#..###", "...#....."]);
        let found = blobs(&Luma::new(w, h, &pixels).unwrap(), 100, 1, 9);
        let sizes: Vec<_> = found.iter().map(|blob| (blob.size, blob.pixels)).collect();
        assert_eq!(sizes, [([4, 5], 10), ([3, 3], 8)]);
        assert_eq!(found[1].hull(), [[6.0, 1.0], [9.0, 1.0], [9.0, 4.0], [6.0, 4.0]]);
    }

    #[test]
    fn corners_that_only_touch_are_apart_and_most_bounds_the_list() {
        let (w, h, pixels) = picture(&["##..", "##..", "..##", "..##"]);
        let luma = Luma::new(w, h, &pixels).unwrap();
        assert_eq!(blobs(&luma, 100, 2, 9).len(), 2);
        assert_eq!(blobs(&luma, 100, 2, 1).len(), 1);
        assert!(blobs(&luma, 100, 3, 9).is_empty() && blobs(&luma, 255, 1, 9).is_empty());
    }
}
