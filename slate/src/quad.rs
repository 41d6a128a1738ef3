//! The four-sided form around a hull. Pure.

use crate::blobs::turn;
use crate::image::Point;

/// A convex form is four-sided when its hull fills so much of the four-sided form around it.
const FILLED: f64 = 0.86;
/// A hull of more corners is no straight-sided form; looking at it would only take time.
const MOST: usize = 400;

/// The corners, clockwise as one sees it, of the four-sided form around a hull that goes clockwise; `None` when the hull is
/// not of that form.
///
/// Sides are taken away until four are left, each time the one whose neighbours, made longer until they meet, add the
/// least area. So a corner that is round, nibbled or covered by noise is put where the sides would meet.
pub fn around(hull: &[Point]) -> Option<[Point; 4]> {
    if hull.len() > MOST {
        return None;
    }
    let mut form = hull.to_vec();
    let inside = area(&form);
    while form.len() > 4 {
        let n = form.len();
        let at = |i: usize| form.get(i % n).copied();
        let cost = |i: usize| {
            let (a, b, c, d) = (at(i + n - 1)?, at(i)?, at(i + 1)?, at(i + 2)?);
            let tip = meet(a, b, c, d)?;
            Some((i, turn(b, tip, c), tip))
        };
        let (i, _, tip) = (0..n).filter_map(cost).min_by(|a, b| a.1.total_cmp(&b.1))?;
        *form.get_mut(i)? = tip;
        form.remove((i + 1) % n);
    }
    let filled = inside > 0.0 && inside >= FILLED * area(&form);
    let corners: [Point; 4] = form.try_into().ok()?;
    (filled && convex(&corners)).then_some(corners)
}

/// Where the line from `a` over `b` meets the one from `d` over `c`, beyond both.
fn meet(a: Point, b: Point, c: Point, d: Point) -> Option<Point> {
    let (u, v) = ([b[0] - a[0], b[1] - a[1]], [c[0] - d[0], c[1] - d[1]]);
    let cross = u[0] * v[1] - u[1] * v[0];
    let w = [d[0] - a[0], d[1] - a[1]];
    let t = (w[0] * v[1] - w[1] * v[0]) / cross;
    let s = (w[0] * u[1] - w[1] * u[0]) / cross;
    (t >= 1.0 && s >= 1.0 && t.is_finite()).then(|| [a[0] + t * u[0], a[1] + t * u[1]])
}

fn area(form: &[Point]) -> f64 {
    let next = form.iter().cycle().skip(1);
    form.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
}

/// Whether the corners go clockwise and none is bent inwards.
pub(crate) fn convex(corners: &[Point; 4]) -> bool {
    let [a, b, c, d] = *corners;
    [(a, b, c), (b, c, d), (c, d, a), (d, a, b)].into_iter().all(|(a, b, c)| turn(a, b, c) > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbled_corners_are_put_where_the_sides_meet() {
        let hull = [[2.0, 0.0], [10.0, 0.0], [10.0, 9.0], [9.0, 10.0], [0.0, 10.0], [0.0, 1.0]];
        let mut corners = around(&hull).unwrap().map(|p| p.map(f64::round));
        corners.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(corners, [[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]]);
    }

    #[test]
    fn what_is_round_or_has_three_corners_is_refused() {
        let circle: Vec<Point> =
            (0..60).map(|i| f64::from(i) * std::f64::consts::TAU / 60.0).map(|a| [a.cos(), a.sin()]).collect();
        assert_eq!(around(&circle), None);
        assert_eq!(around(&[[0.0, 0.0], [9.0, 0.0], [9.0, 9.0]]), None);
        assert_eq!((around(&[]), around(&[[1.0, 1.0]; 7])), (None, None));
    }
}
