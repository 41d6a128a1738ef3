//! What each camera has of the take: gaps, lost frames, marks. Pure.

use std::fmt::Write as _;

use super::draw::{Axis, Size, picture, seconds};
use super::text::{escaped, short};
use crate::model::{Node, Report};

/// More marks than this stand so close that their numbers are left out.
const NUMBERED: usize = 40;
const BAR: f64 = 16.0;

/// Draws it.
pub(super) fn draw(report: &Report, size: Size) -> String {
    // On a phone names stand above the bars.
    let (left, row, most) = match size {
        Size::Wide => (150.0, 30.0, 18),
        Size::Narrow => (4.0, 42.0, 36),
    };
    let top = if report.marks.is_empty() { 6.0 } else { 24.0 };
    let bottom = top + row * report.nodes.len() as f64 + 4.0;
    let axis = Axis { left, right: size.width() - 8.0, seconds: seconds(report) };
    let mut out = String::new();
    axis.draw(&mut out, size, top, bottom);
    for (i, node) in report.nodes.iter().enumerate() {
        let y = top + row * (i + 1) as f64 - BAR - 4.0;
        let name = escaped(&short(&node.name, most));
        let (x, base) = if size == Size::Wide { (0.0, y + 13.0) } else { (left, y - 5.0) };
        let _ = write!(out, "<text class=\"name\" x=\"{x:.1}\" y=\"{base:.1}\">{name}</text>");
        bar(&mut out, report, node, &axis, y);
    }
    for mark in &report.marks {
        let x = axis.x(report.since_t0(mark.at) as f64 / 1e6);
        let _ = write!(out, "<path class=\"mark\" d=\"M{x:.1} {:.1}V{bottom:.1}\"/>", top - 4.0);
        if report.marks.len() <= NUMBERED {
            let _ = write!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", top - 9.0, mark.n);
        }
    }
    picture(size, bottom + 24.0, "What each camera has of the take", &out)
}

fn bar(out: &mut String, report: &Report, node: &Node, axis: &Axis, y: f64) {
    let x = |us: i64| axis.x(us as f64 / 1e6);
    if node.frames > 0 {
        let t1 = report.t1.map_or((axis.seconds * 1e6) as i64, |t1| report.since_t0(t1));
        let (from, to) = (x(node.skew_us.unwrap_or(0)), x(t1.saturating_add(node.end_us.unwrap_or(0))));
        rectangle(out, "bar", from, to, y, BAR);
    }
    for gap in node.gaps.iter().filter(|gap| gap.seen != Some(false)) {
        let (from, to) = (gap.from_us.min(gap.to_us), gap.from_us.max(gap.to_us));
        let title = format!("{} {}", crate::words::cause(&gap.cause), crate::words::take_time(gap.from_us));
        let _ = write!(out, "<g><title>{}</title>", escaped(&title));
        rectangle(out, "gap", x(from), x(to), y - 2.0, BAR + 4.0);
        out.push_str("</g>");
    }
    let mut ticks = String::new();
    for drop in &node.drops {
        let _ = write!(ticks, "M{:.1} {:.1}v{:.1}", x(drop.at_us), y - 2.0, BAR + 4.0);
    }
    if !ticks.is_empty() {
        let _ = write!(out, "<path class=\"drop\" d=\"{ticks}\"/>");
    }
}

/// At least so wide that it is seen.
fn rectangle(out: &mut String, class: &str, from: f64, to: f64, y: f64, height: f64) {
    let width = (to - from).max(2.5);
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>"
    );
}
