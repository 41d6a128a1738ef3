//! The phase of each camera over time. Pure.

use std::fmt::Write as _;

use super::draw::{Axis, Size, colour, picture, seconds};
use crate::model::Report;
use crate::nominal::BEFORE;

/// Draws it, or says why there is nothing to be drawn.
pub(super) fn draw(report: &Report, size: Size) -> String {
    let drawn = report.nodes.iter().any(|node| !node.curve.is_empty());
    let Some(period) = report.fleet.grid_us.filter(|_| drawn) else {
        return "<p class=\"quiet\">It is drawn once frame tables are here.</p>".into();
    };
    let (top, height) = (14.0, if size == Size::Wide { 300.0 } else { 240.0 });
    let bottom = height - 26.0;
    let axis = Axis { left: 62.0, right: size.width() - 8.0, seconds: seconds(report) };
    // From −0.1 to 0.9 of a period, the later the higher.
    let y = |us: f64| bottom - (us / period + BEFORE).clamp(0.0, 1.0) * (bottom - top);
    let mut out = String::new();
    axis.draw(&mut out, size, top, bottom);
    for part in [0.0, 0.25, 0.5, 0.75] {
        let (us, at) = (part * period, y(part * period));
        let _ = write!(
            out,
            "<path class=\"rule\" d=\"M{:.1} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.1} ms</text>",
            axis.left,
            axis.right,
            axis.left - 6.0,
            at + 4.0,
            us / 1000.0
        );
    }
    for (i, node) in report.nodes.iter().enumerate() {
        let mut path = String::new();
        for stretch in &node.curve {
            let mut last: Option<f64> = None;
            for [s, us] in stretch {
                // A jump of more than half a period is the curve going round.
                let joins = last.is_some_and(|last| (us - last).abs() < period / 2.0);
                let (x, y) = (axis.x(*s), y(*us));
                let _ = write!(path, "{}{x:.1} {y:.1}", if joins { "L" } else { "M" });
                if last.is_none() {
                    // So that a single point is seen, too.
                    let _ = write!(path, "h.1");
                }
                last = Some(*us);
            }
        }
        if !path.is_empty() {
            let _ = write!(out, "<path class=\"line {}\" d=\"{path}\"/>", colour(i));
        }
    }
    picture(size, height, "Phase of each camera over the take", &out)
}
