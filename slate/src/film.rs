//! A display, a lens and a sensor, for tests: pictures of which everything is known.

use crate::image::{Luma, Point};
use crate::layout::{FIELDS, MARGIN, SIDE, Word, corners, field};

/// Numbers that look like chance and are always the same.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// From 0 to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About a normal distribution of deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// Modules of dark page drawn around the card.
const PAGE: usize = 3;
const WIDE: usize = SIDE + 2 * (MARGIN + PAGE);

/// What the display shows, module by module: 0 is black, 1 white.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown(Vec<f64>);

impl Shown {
    /// The slate with these words in its fields.
    pub(crate) fn words(words: [Word; FIELDS]) -> Self {
        let mut shares = vec![0.0; WIDE * WIDE];
        let edge = PAGE..WIDE - PAGE;
        for (i, share) in shares.iter_mut().enumerate() {
            if edge.contains(&(i % WIDE)) && edge.contains(&(i / WIDE)) {
                *share = 1.0;
            }
        }
        let mut black = |[x, y]: [usize; 2]| shares[(y + MARGIN + PAGE) * WIDE + x + MARGIN + PAGE] = 0.0;
        corners().filter(|(_, _, is_black)| *is_black).for_each(|(_, at, _)| black(at));
        for (n, word) in words.into_iter().enumerate() {
            let bits = word.bits(n);
            field(n).enumerate().filter(|(i, _)| bits >> (47 - i) & 1 == 1).for_each(|(_, at)| black(at));
        }
        Self(shares)
    }

    /// The slate at refresh `k` of a display that began at `ms` and refreshes each `period` milliseconds.
    pub(crate) fn at(k: u32, ms: u32, period: f64, session: u8) -> Self {
        let word = |n: u32| {
            // Each field bears the last refresh that was its turn.
            let last = k - (k + FIELDS as u32 - n) % FIELDS as u32;
            Word { ms: ms + (f64::from(last) * period).round() as u32, session }
        };
        Self::words([0, 1, 2, 3].map(word))
    }

    /// So much of `other` and the rest of this one: an exposure across a refresh.
    pub(crate) fn blend(&self, other: &Self, share: f64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a * (1.0 - share) + b * share).collect())
    }

    /// Moves what the fields say by `n` modules: no field is a word any more.
    pub(crate) fn shuffle(&mut self, n: usize) {
        let inside: Vec<usize> =
            (0..FIELDS).flat_map(field).map(|[x, y]| (y + MARGIN + PAGE) * WIDE + x + MARGIN + PAGE).collect();
        let values: Vec<f64> = inside.iter().map(|at| self.0[*at]).collect();
        for (i, at) in inside.iter().enumerate() {
            self.0[*at] = values[(i * 5 + 1 + n) % values.len()];
        }
    }

    /// A finger over these modules of the card, margin and page counted.
    pub(crate) fn cover(mut self, x: std::ops::Range<usize>, y: std::ops::Range<usize>) -> Self {
        for row in y {
            x.clone().for_each(|column| self.0[row * WIDE + column] = 0.55);
        }
        self
    }
}

/// How it is filmed.
#[derive(Clone, Debug)]
pub(crate) struct Camera {
    pub(crate) size: [usize; 2],
    /// Where the corners of the display lie in the picture, clockwise from the upper left.
    pub(crate) corners: [Point; 4],
    /// Deviation of the blur, in pixels.
    pub(crate) blur: f64,
    /// Deviation of the noise, of 255.
    pub(crate) noise: f64,
    /// What white comes to at the left and at the right end of the picture.
    pub(crate) white: [f64; 2],
    pub(crate) black: f64,
    pub(crate) around: f64,
    pub(crate) seed: u64,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            size: [320, 240],
            corners: [[80.0, 40.0], [240.0, 40.0], [240.0, 200.0], [80.0, 200.0]],
            blur: 0.6,
            noise: 2.0,
            white: [220.0, 220.0],
            black: 25.0,
            around: 70.0,
            seed: 7,
        }
    }
}

impl Camera {
    /// A camera that sees a card of so many pixels a module, turned by so many degrees.
    pub(crate) fn turned(module_px: f64, degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let half = module_px * WIDE as f64 / 2.0;
        let corner = |x: f64, y: f64| [160.3 + half * (x * cos - y * sin), 119.6 + half * (x * sin + y * cos)];
        let corners = [corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)];
        Self { corners, ..Self::default() }
    }

    /// A camera before a display of so many pixels a module, turned by so many degrees, whose edge leans back by `lean`
    /// degrees. It is as far away as the display is wide, two times.
    pub(crate) fn leaning(module_px: f64, degrees: f64, lean: f64) -> Self {
        let half = module_px * WIDE as f64 / 2.0;
        let ((sin, cos), (back, along)) = (degrees.to_radians().sin_cos(), lean.to_radians().sin_cos());
        let corner = |x: f64, y: f64| {
            let (u, v) = (half * (x * cos + y * sin), half * (y * cos - x * sin));
            let near = 4.0 * half / (4.0 * half + u * back);
            let (u, v) = (u * along * near, v * near);
            [160.3 + u * cos - v * sin, 119.6 + u * sin + v * cos]
        };
        let corners = [corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)];
        Self { corners, ..Self::default() }
    }

    /// Takes a picture.
    pub(crate) fn shoot(&self, shown: &Shown) -> Vec<u8> {
        let [width, height] = self.size;
        let back = inverse(&self.corners);
        let mut light: Vec<f64> = Vec::with_capacity(width * height);
        for y in 0..height {
            let row = (0..width).map(|x| {
                let points =
                    (0..9).map(|i| [x as f64 + (i % 3) as f64 / 3.0 + 0.17, y as f64 + (i / 3) as f64 / 3.0 + 0.17]);
                let share = x as f64 / width as f64;
                let white = self.white[0] * (1.0 - share) + self.white[1] * share;
                let one = |point| match lookup(&back, point, shown) {
                    Some(share) => self.black + share * (white - self.black),
                    None => self.around,
                };
                points.map(one).sum::<f64>() / 9.0
            });
            light.extend(row);
        }
        let light = blurred(&blurred(&light, width, height, self.blur), height, width, self.blur);
        let mut chance = Chance(self.seed);
        light.into_iter().map(|v| (v + chance.normal() * self.noise).round().clamp(0.0, 255.0) as u8).collect()
    }

    /// The picture of a display that moves to the left by so many pixels during the exposure.
    pub(crate) fn moved(&self, pixels: &[u8], by: usize) -> Vec<u8> {
        let trail = |row: &[u8], x: usize| {
            let sum: u32 = (x..=x + by).map(|at| u32::from(row[at.min(row.len() - 1)])).sum();
            (sum / (by as u32 + 1)) as u8
        };
        pixels.chunks_exact(self.size[0]).flat_map(|row| (0..row.len()).map(|x| trail(row, x))).collect()
    }

    /// The picture with each pixel made lighter or darker: `light` is given column, row and what is there.
    pub(crate) fn lit(&self, pixels: &[u8], light: impl Fn(f64, f64, f64) -> f64) -> Vec<u8> {
        let place = |i: usize| ((i % self.size[0]) as f64, (i / self.size[0]) as f64);
        let one = |(i, pixel): (usize, &u8)| {
            let (x, y) = place(i);
            light(x, y, f64::from(*pixel)).clamp(0.0, 255.0) as u8
        };
        pixels.iter().enumerate().map(one).collect()
    }

    /// The picture as the decoder takes it.
    pub(crate) fn luma<'a>(&self, pixels: &'a [u8]) -> Luma<'a> {
        Luma::new(self.size[0], self.size[1], pixels).unwrap()
    }
}

/// The homography from the picture to the display's modules, by Cramer's rule.
fn inverse(corners: &[Point; 4]) -> [f64; 9] {
    let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = *corners;
    let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
    let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
    let under = dx1 * dy2 - dx2 * dy1;
    let (g, h) = ((sx * dy2 - dx2 * sy) / under, (dx1 * sy - sx * dy1) / under);
    let [a, b, c, d, e, f] = [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0];
    [
        e - f * h,
        c * h - b,
        b * f - c * e,
        f * g - d,
        a - c * g,
        c * d - a * f,
        d * h - e * g,
        b * g - a * h,
        a * e - b * d,
    ]
}

fn lookup(m: &[f64; 9], [x, y]: Point, shown: &Shown) -> Option<f64> {
    let w = m[6] * x + m[7] * y + m[8];
    let (u, v) = ((m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w);
    let inside = (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v);
    inside.then(|| shown.0[(v * WIDE as f64) as usize * WIDE + (u * WIDE as f64) as usize])
}

/// Blurs along rows and turns the picture over its diagonal, so that doing it twice blurs all.
fn blurred(light: &[f64], width: usize, height: usize, sigma: f64) -> Vec<f64> {
    let reach = (sigma * 3.0).ceil() as i64;
    let kernel: Vec<f64> = (-reach..=reach).map(|i| (-(i as f64 / sigma.max(0.01)).powi(2) / 2.0).exp()).collect();
    let sum: f64 = kernel.iter().sum();
    let mut out = vec![0.0; light.len()];
    for y in 0..height {
        for x in 0..width {
            let at = |i: i64| light[y * width + (x as i64 + i).clamp(0, width as i64 - 1) as usize];
            out[x * height + y] = (-reach..=reach).zip(&kernel).map(|(i, k)| at(i) * k).sum::<f64>() / sum;
        }
    }
    out
}
