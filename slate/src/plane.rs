//! The way from a flat card to its picture: a homography by four points. Pure.

use crate::image::Point;

/// Where points of a square lie in a picture. After P. Heckbert, *Fundamentals of Texture Mapping and Image Warping* (1989).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// The square's lower bound and its length, in both directions.
    from: f64,
    length: f64,
    /// x = (a·u + b·v + c) / (g·u + h·v + 1), y = (d·u + e·v + f) / (g·u + h·v + 1).
    terms: [f64; 8],
}

impl Plane {
    /// The square from (`from`, `from`) to (`to`, `to`), whose corners lie at `corners`, clockwise from the upper left;
    /// `None` when they lie on a line.
    pub fn of(from: f64, to: f64, corners: &[Point; 4]) -> Option<Self> {
        let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = *corners;
        let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
        let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
        let under = dx1 * dy2 - dx2 * dy1;
        let (g, h) = ((sx * dy2 - dx2 * sy) / under, (dx1 * sy - sx * dy1) / under);
        let terms = [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h];
        let length = to - from;
        (length > 0.0 && terms.iter().all(|term| term.is_finite())).then_some(Self { from, length, terms })
    }

    /// Where a point of the square's plane lies in the picture.
    pub fn at(&self, [u, v]: Point) -> Point {
        let (u, v) = ((u - self.from) / self.length, (v - self.from) / self.length);
        let [a, b, c, d, e, f, g, h] = self.terms;
        let under = g * u + h * v + 1.0;
        [(a * u + b * v + c) / under, (d * u + e * v + f) / under]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn corners_lie_where_they_were_seen_and_diagonals_cross_in_the_middle(
            p in proptest::array::uniform4(proptest::array::uniform2(0.0..30.0f64)),
        ) {
            let base = [[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]];
            let corners: [Point; 4] = std::array::from_fn(|i| [base[i][0] + p[i][0], base[i][1] + p[i][1]]);
            let plane = Plane::of(-2.0, 18.0, &corners).unwrap();
            for (at, seen) in [[-2.0, -2.0], [18.0, -2.0], [18.0, 18.0], [-2.0, 18.0]].into_iter().zip(corners) {
                let found = plane.at(at);
                prop_assert!((found[0] - seen[0]).abs() < 1e-6 && (found[1] - seen[1]).abs() < 1e-6);
            }
            let middle = plane.at([8.0, 8.0]);
            for (a, c) in [(corners[0], corners[2]), (corners[1], corners[3])] {
                prop_assert!(crate::blobs::turn(a, c, middle).abs() < 1e-6 * 100.0 * 100.0);
            }
        }
    }

    #[test]
    fn points_on_a_line_are_no_plane() {
        assert_eq!(Plane::of(0.0, 1.0, &[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]), None);
    }
}
