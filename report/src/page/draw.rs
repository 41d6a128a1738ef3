//! What both pictures are drawn with: places, axes, colours. Pure.

use std::fmt::Write as _;

use crate::model::Report;

/// How wide a picture is drawn: text does not scale, so a phone gets a picture of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// A screen or paper.
    Wide,
    /// A phone.
    Narrow,
}

impl Size {
    /// In units of the picture.
    pub(super) fn width(self) -> f64 {
        match self {
            Self::Wide => 1040.0,
            Self::Narrow => 340.0,
        }
    }

    /// How many marks an axis of time has at most.
    pub(super) fn ticks(self) -> f64 {
        match self {
            Self::Wide => 12.0,
            Self::Narrow => 4.0,
        }
    }
}

/// The take's time from left to right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) left: f64,
    pub(super) right: f64,
    /// Length of the take in seconds, above 0.
    pub(super) seconds: f64,
}

impl Axis {
    /// Where `s` seconds after T0 lie; what lies outside the take lies at its edge.
    pub(super) fn x(&self, s: f64) -> f64 {
        self.left + (s / self.seconds).clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Draws marks of time below `y`, with lines up to `top`.
    pub(super) fn draw(&self, out: &mut String, size: Size, top: f64, y: f64) {
        let step = step(self.seconds / size.ticks());
        let mut s = 0.0;
        while s <= self.seconds * 1.000_001 {
            let x = self.x(s);
            let anchor = if x > self.right - 24.0 {
                "end"
            } else if s == 0.0 {
                "start"
            } else {
                "middle"
            };
            let _ = write!(
                out,
                "<path class=\"rule\" d=\"M{x:.1} {top:.1}V{y:.1}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                y + 17.0,
                label(s, step)
            );
            s += step;
        }
    }
}

/// A step of time that people count in, at least `s` seconds.
fn step(s: f64) -> f64 {
    const STEPS: [f64; 18] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        21_600.0,
    ];
    let days = || (s / 86_400.0).ceil().max(1.0) * 86_400.0;
    STEPS.into_iter().find(|step| *step >= s).unwrap_or_else(days)
}

fn label(s: f64, step: f64) -> String {
    let whole = s.round() as u64;
    match (step, whole) {
        (..1.0, _) => format!("{s:.1} s"),
        (_, 0) => "0".into(),
        (..60.0, ..60) => format!("{whole} s"),
        (_, ..3600) => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// The class of the nth camera's colour; after the colours come the same ones dashed.
pub(super) fn colour(n: usize) -> String {
    const COLOURS: usize = 8;
    let dashed = if n / COLOURS % 2 == 1 { " dashed" } else { "" };
    format!("c{}{dashed}", n % COLOURS)
}

/// The take's length in seconds: to T1, else to the last thing that is known.
pub(super) fn seconds(report: &Report) -> f64 {
    let points = report.nodes.iter().flat_map(|node| node.curve.iter().flatten().map(|[s, _]| *s));
    let gaps = report.nodes.iter().flat_map(|node| node.gaps.iter().map(|gap| gap.to_us as f64 / 1e6));
    let seconds = match report.t1 {
        Some(t1) => report.since_t0(t1) as f64 / 1e6,
        None => points.chain(gaps).fold(0.0, f64::max),
    };
    if seconds > 0.0 { seconds } else { 1.0 }
}

/// A picture of that height around what was drawn.
pub(super) fn picture(size: Size, height: f64, about: &str, inside: &str) -> String {
    format!("<svg viewBox=\"0 0 {} {height:.0}\" role=\"img\" aria-label=\"{about}\">{inside}</svg>", size.width())
}
