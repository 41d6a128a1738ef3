//! The card in a picture: its corner marks, its modules, its fields. Pure.

use crate::image::{Luma, Point};
use crate::layout::{FIELDS, MARGIN, MARKS, SIDE, Word, corners, field};
use crate::plane::Plane;
use crate::quad::convex;

/// Points along a side of the window in which a mark is looked for.
const WINDOW: usize = 15;
/// Black and white differ at least by so much of 255.
const CONTRAST: f64 = 10.0;
/// So many of the 64 modules of the corners are as they must be.
const CORNERS_RIGHT: usize = 60;
/// Points along a side of a module's inner half of which the mean is taken.
const POINTS: usize = 3;
/// A module takes this share of each neighbour's difference back: blur has spread it. The first that a checksum bears
/// out is taken.
const SHARPENED: [f64; 3] = [0.0, 0.12, 0.25];
/// Modules along a side with one of the margin around.
const WIDE: usize = SIDE + 2;

/// What was read of a card.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The middles of its marks, clockwise from its own upper left one (anticlockwise in a picture that is mirrored).
    pub marks: [Point; 4],
    /// What each field says; `None` for one that cannot be read.
    pub fields: [Option<Word>; FIELDS],
}

/// Reads the card whose outline has these corners, clockwise from any of them; `None` when it is none.
pub fn by_outline(luma: &Luma<'_>, outline: &[Point; 4]) -> Option<Read> {
    let margin = MARGIN as f64;
    let plane = Plane::of(-margin, SIDE as f64 + margin, outline)?;
    by_marks(luma, &MARKS.map(|mark| plane.at(mark)))
}

/// Reads the card whose marks lie about there, clockwise from any of them; `None` when it is none.
pub fn by_marks(luma: &Luma<'_>, near: &[Point; 4]) -> Option<Read> {
    let mut marks = *near;
    for reach in [2.5, 2.2] {
        marks = settle(luma, &marks, reach)?;
    }
    let first = hollow(luma, &marks)?;
    marks.rotate_left(first);
    let grid = Grid::sample(luma, &plane(&marks)?)?;
    let fields = grid.fields();
    if fields.iter().any(Option::is_some) {
        return Some(Read { marks, fields });
    }
    // Cameras before a mirror are there, and cameras that turn their pictures.
    let [a, b, c, d] = marks;
    Some(Read { marks: [a, d, c, b], fields: grid.mirrored().fields() })
}

fn plane(marks: &[Point; 4]) -> Option<Plane> {
    Plane::of(MARKS[0][0], MARKS[2][0], marks)
}

/// Moves each mark to the middle of what is dark around it.
fn settle(luma: &Luma<'_>, marks: &[Point; 4], reach: f64) -> Option<[Point; 4]> {
    let plane = plane(marks)?;
    let mut found = *marks;
    for (at, middle) in found.iter_mut().zip(MARKS) {
        let mut middle = middle;
        for _ in 0..3 {
            let [x, y] = darkness(luma, &plane, middle, reach)?;
            middle = [middle[0] + x, middle[1] + y];
        }
        *at = plane.at(middle);
        if !luma.holds(*at) {
            return None;
        }
    }
    convex(&found).then_some(found)
}

/// From the middle of a window, `reach` modules to each side, to the centre of what is dark in it.
fn darkness(luma: &Luma<'_>, plane: &Plane, middle: Point, reach: f64) -> Option<Point> {
    let step = |i: usize| (i as f64 / (WINDOW - 1) as f64 * 2.0 - 1.0) * reach;
    let mut values = [0.0; WINDOW * WINDOW];
    for (i, value) in values.iter_mut().enumerate() {
        *value = luma.sample(plane.at([middle[0] + step(i % WINDOW), middle[1] + step(i / WINDOW)]));
    }
    let mut sorted = values;
    sorted.sort_by(f64::total_cmp);
    // A mark is a third of its window: the tenths at both ends are surely black and white.
    let (black, white) = (sorted[WINDOW * WINDOW / 10], sorted[WINDOW * WINDOW * 9 / 10]);
    if white - black < CONTRAST {
        return None;
    }
    let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        // What is nearer to white counts for nothing, whatever noise it has.
        let weight = ((0.6 - (value - black) / (white - black)) / 0.6).clamp(0.0, 1.0);
        sum += weight;
        x += weight * step(i % WINDOW);
        y += weight * step(i / WINDOW);
    }
    (sum > 0.0).then(|| [x / sum, y / sum])
}

/// Which mark has the white middle: the card's upper left one.
fn hollow(luma: &Luma<'_>, marks: &[Point; 4]) -> Option<usize> {
    let plane = plane(marks)?;
    let grid = Levels::measure(luma, &plane)?;
    let middle = |corner: usize| {
        let [x, y] = MARKS[corner];
        grid.share(corner, module(luma, &plane, x - 0.5, y - 0.5))
    };
    (0..4).max_by(|a, b| middle(*a).total_cmp(&middle(*b)))
}

/// The mean brightness of the inner half of a module, given by its upper left corner.
fn module(luma: &Luma<'_>, plane: &Plane, x: f64, y: f64) -> f64 {
    let step = |i: usize| 0.25 + 0.5 * i as f64 / (POINTS - 1) as f64;
    let points = (0..POINTS * POINTS).map(|i| luma.sample(plane.at([x + step(i % POINTS), y + step(i / POINTS)])));
    points.sum::<f64>() / (POINTS * POINTS) as f64
}

/// What is black and what is white at each corner: light falls unevenly, and lenses darken corners.
struct Levels {
    black: [f64; 4],
    white: [f64; 4],
}

impl Levels {
    fn measure(luma: &Luma<'_>, plane: &Plane) -> Option<Self> {
        let (mut black, mut white) = ([(0.0, 0.0); 4], [(0.0, 0.0); 4]);
        for (corner, [x, y], is_black) in corners() {
            let middle = [x as f64 + 0.5, y as f64 + 0.5] == MARKS[corner];
            if middle {
                continue;
            }
            let value = module(luma, plane, x as f64, y as f64);
            let (sum, count) = if is_black { &mut black[corner] } else { &mut white[corner] };
            *sum += value;
            *count += 1.0;
        }
        let levels = Self { black: black.map(|(sum, n)| sum / n), white: white.map(|(sum, n)| sum / n) };
        let clear = levels.white.iter().zip(levels.black).all(|(white, black)| white - black >= CONTRAST);
        clear.then_some(levels)
    }

    /// How white something at a corner is, from 0 to 1.
    fn share(&self, corner: usize, value: f64) -> f64 {
        (value - self.black[corner]) / (self.white[corner] - self.black[corner])
    }

    /// How white something at a module is, by the levels of the four corners around.
    fn share_at(&self, [x, y]: Point, value: f64) -> f64 {
        let along = |at: f64| ((at - MARKS[0][0]) / (MARKS[2][0] - MARKS[0][0])).clamp(0.0, 1.0);
        let (right, low) = (along(x + 0.5), along(y + 0.5));
        let between = |[a, b, c, d]: [f64; 4]| {
            (a * (1.0 - right) + b * right) * (1.0 - low) + (d * (1.0 - right) + c * right) * low
        };
        let (black, white) = (between(self.black), between(self.white));
        (value - black) / (white - black)
    }
}

/// How white each module is, from 0 to 1, with one row of the margin around.
struct Grid([[f64; WIDE]; WIDE]);

impl Grid {
    /// `None` when the corners are not those of a card.
    fn sample(luma: &Luma<'_>, plane: &Plane) -> Option<Self> {
        let levels = Levels::measure(luma, plane)?;
        let mut grid = [[0.0; WIDE]; WIDE];
        for (j, row) in grid.iter_mut().enumerate() {
            for (i, share) in row.iter_mut().enumerate() {
                let (x, y) = (i as f64 - 1.0, j as f64 - 1.0);
                *share = levels.share_at([x, y], module(luma, plane, x, y));
            }
        }
        let grid = Self(grid);
        let right = corners().filter(|(_, at, black)| grid.is_black(*at, 0.0) == *black).count();
        (right >= CORNERS_RIGHT).then_some(grid)
    }

    fn at(&self, x: usize, y: usize) -> f64 {
        self.0.get(y).and_then(|row| row.get(x)).copied().unwrap_or(1.0)
    }

    fn is_black(&self, [x, y]: [usize; 2], sharpened: f64) -> bool {
        // The grid begins one module further out.
        let (x, y) = (x + 1, y + 1);
        let around = self.at(x - 1, y) + self.at(x + 1, y) + self.at(x, y - 1) + self.at(x, y + 1);
        let here = self.at(x, y);
        here + sharpened * (4.0 * here - around) < 0.5
    }

    fn mirrored(&self) -> Self {
        let mut other = self.0;
        for (j, row) in other.iter_mut().enumerate() {
            for (i, share) in row.iter_mut().enumerate() {
                *share = self.at(j, i);
            }
        }
        Self(other)
    }

    fn fields(&self) -> [Option<Word>; FIELDS] {
        std::array::from_fn(|n| {
            SHARPENED.into_iter().find_map(|sharpened| {
                let bits = field(n).fold(0, |bits, at| bits << 1 | u64::from(self.is_black(at, sharpened)));
                Word::read(bits, n)
            })
        })
    }
}
