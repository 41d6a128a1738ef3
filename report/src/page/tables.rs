//! The figures as tables. Pure.

use std::fmt::Write as _;

use syncslate_shared::manifest::{DropSide, StampSource};
use syncslate_shared::protocol::ClockReading;

use super::more;
use super::text::{escaped, named};
use crate::model::{Node, Report};
use crate::words::{cause, count, grouped, ms, ppm, signed_ms, take_time};

/// Rows of a table on the page.
const SHOWN: usize = 66;
const NONE: &str = "–";

/// All tables.
pub(super) fn all(out: &mut String, report: &Report) {
    cameras(out, report);
    if !report.pairs.is_empty() {
        pairs(out, report);
    }
    missing(out, report);
    clocks(out, report);
    meaning(out);
}

fn table(out: &mut String, title: &str, columns: &[&str], rows: impl IntoIterator<Item = String>) {
    let _ = write!(
        out,
        "<section>\n<h2>{title}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{title}\"><table>\n<thead><tr>"
    );
    for column in columns {
        let _ = write!(out, "<th scope=\"col\">{column}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let mut left = 0;
    for (i, row) in rows.into_iter().enumerate() {
        if i < SHOWN {
            let _ = writeln!(out, "<tr>{row}</tr>");
        } else {
            left += 1;
        }
    }
    out.push_str("</tbody>\n</table></div>\n");
    more(out, "p", left);
    out.push_str("</section>\n");
}

/// Cells; the first one heads the row and is HTML already, as are the others.
fn row(cells: &[String]) -> String {
    let mut out = String::new();
    for (i, cell) in cells.iter().enumerate() {
        let _ = if i == 0 { write!(out, "<th scope=\"row\">{cell}</th>") } else { write!(out, "<td>{cell}</td>") };
    }
    out
}

fn known<T>(value: Option<T>, told: impl Fn(T) -> String) -> String {
    value.map_or_else(|| NONE.into(), told)
}

fn cameras(out: &mut String, report: &Report) {
    let columns = [
        "Camera",
        "First frame − T0",
        "Phase at start",
        "at end",
        "Drift",
        "Jitter, median",
        "99 %",
        "largest",
        "Frames",
        "Lost",
        "Gaps",
        "Stamps from",
    ];
    let one = |node: &Node| {
        let model = node.camera.as_deref().map(|camera| format!("<br><small>{}</small>", escaped(camera)));
        let drift = |drift| match node.drift_error_ppm {
            Some(error) => format!("{} ± {:.2}", ppm(drift), error.max(0.01)),
            None => ppm(drift),
        };
        row(&[
            format!("{}{}", named(&node.name), model.unwrap_or_default()),
            known(node.skew_us, |us| signed_ms(us as f64)),
            known(node.phase_us, ms),
            known(node.phase_end_us, ms),
            known(node.drift_ppm, drift),
            known(node.jitter, |jitter| ms(jitter.median_us)),
            known(node.jitter, |jitter| ms(jitter.p99_us)),
            known(node.jitter, |jitter| ms(jitter.max_us)),
            grouped(node.frames),
            alarming(node.dropped),
            alarming(node.gaps.iter().filter(|gap| gap.seen != Some(false)).count() as u64),
            stamps(node.stamps).into(),
        ])
    };
    table(out, "Cameras", &columns, report.nodes.iter().map(one));
}

fn alarming(n: u64) -> String {
    if n == 0 { "0".into() } else { format!("<b class=\"warn\">{}</b>", grouped(n)) }
}

fn stamps(source: Option<StampSource>) -> &'static str {
    match source {
        Some(StampSource::Sensor) => "sensor",
        Some(StampSource::Driver) => "driver",
        Some(StampSource::Arrival) => "arrival",
        None => NONE,
    }
}

fn pairs(out: &mut String, report: &Report) {
    let columns = [
        "Two cameras",
        "Nearest frames, median",
        "worst",
        "±",
        "By number, worst",
        "Off by one from frame",
        "Off at the end",
        "Drift apart",
        "Without partner",
    ];
    let one = |pair: &crate::model::Pair| {
        row(&[
            format!("{} – {}", named(&report.name_of(pair.a)), named(&report.name_of(pair.b))),
            known(pair.nearest, |apart| ms(apart.median_us as f64)),
            known(pair.nearest, |apart| {
                format!("{} <small>at {}</small>", ms(apart.worst_us as f64), take_time(apart.worst_at_us))
            }),
            known(pair.uncertainty_us, |us| ms(us as f64)),
            known(pair.by_number, |apart| ms(apart.worst_us as f64)),
            known(pair.off_by_one, |off| format!("{} <small>at {}</small>", off.frame, take_time(off.at_us))),
            count(pair.off_at_end.unsigned_abs(), "frame", "frames"),
            known(pair.drift_ppm, ppm),
            grouped(pair.unpaired),
        ])
    };
    table(out, "Between cameras", &columns, report.pairs.iter().map(one));
}

fn missing(out: &mut String, report: &Report) {
    let mut rows: Vec<(i64, String)> = Vec::new();
    for node in &report.nodes {
        for drop in &node.drops {
            let by = match drop.by {
                Some(DropSide::Camera) => "the camera did not give it",
                Some(DropSide::Encoder) => "the encoder lost it",
                None => "seen in the stamps alone",
            };
            let after = known(drop.after_frame, |frame| frame.to_string());
            let frames = grouped(drop.frames);
            rows.push((drop.at_us, cells(node, drop.at_us, "lost", &after, &frames, by)));
        }
        for gap in &node.gaps {
            let frames = known(gap.frames, grouped);
            let length = ms((gap.to_us - gap.from_us) as f64);
            let seen = if gap.seen == Some(false) { "; the frame table does not show it" } else { "" };
            let why = format!("{}: {}{seen}", cause(&gap.cause), gap.detail);
            let what = format!("gap of {length}");
            rows.push((gap.from_us, cells(node, gap.from_us, &what, NONE, &frames, &why)));
        }
    }
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|(at, _)| *at);
    let columns = ["Camera", "Time", "What", "After frame", "Frames", "Why"];
    table(out, "Missing frames", &columns, rows.into_iter().map(|(_, row)| row));
}

fn cells(node: &Node, at_us: i64, what: &str, after: &str, frames: &str, why: &str) -> String {
    let (name, at, why) = (named(&node.name), take_time(at_us), escaped(why));
    format!(
        "<th scope=\"row\">{name}</th><td>{at}</td><td>{what}</td><td>{after}</td><td>{frames}</td><td class=\"left long\">{why}</td>"
    )
}

fn clocks(out: &mut String, report: &Report) {
    let columns = ["Clock of", "At the roll", "Once a minute, widest", "At the cut", "Bound", "Source"];
    let one = |node: &Node| {
        let clock = &node.clock;
        let widest = clock.readings.iter().max_by_key(|reading| reading.clock.error_us.map(i64::unsigned_abs));
        let source = clock.roll.as_ref().or(clock.cut.as_ref()).and_then(|reading| reading.source.clone());
        row(&[
            named(&node.name),
            reading(clock.roll.as_ref()),
            reading(widest.map(|widest| &widest.clock)),
            reading(clock.cut.as_ref()),
            known(clock.bound_us, |us| ms(us as f64)),
            known(source, |source| escaped(&source)),
        ])
    };
    table(out, "Clocks against the Control Pi’s", &columns, report.nodes.iter().map(one));
}

fn reading(reading: Option<&ClockReading>) -> String {
    let Some(reading) = reading else { return NONE.into() };
    let figures = match (reading.offset_us, reading.error_us) {
        (Some(offset), Some(error)) => format!("{} ± {}", signed_ms(offset as f64), ms(error as f64)),
        (Some(offset), None) => signed_ms(offset as f64),
        (None, _) => NONE.into(),
    };
    if reading.synced { figures } else { format!("{figures} <b class=\"bad\">not in step</b>") }
}

fn meaning(out: &mut String) {
    const WORDS: [(&str, &str); 8] = [
        ("T0, T1", "The common instants of roll and cut, by the wall clock that all nodes share."),
        ("Skew", "First frame minus T0. Cameras that run free begin up to one frame period after T0."),
        ("Phase", "Where a camera’s frames lie within the common frame period that begins at T0."),
        (
            "Drift",
            "How much longer a camera’s frame period is than it was asked for, in parts per million: 100 ppm are 360 ms an hour.",
        ),
        ("Jitter", "How much intervals between frames differ from the period found."),
        (
            "Nearest frames",
            "For each frame of one camera, how far the nearest frame of the other is. Half a period is the most that cameras that run free come to.",
        ),
        (
            "By number",
            "How far apart frames of the same number are, counted from each camera’s first frame of the take.",
        ),
        ("±", "How wrong such a distance can be: what the clocks say of themselves, and how true the stamps are."),
    ];
    out.push_str("<section>\n<h2>What the figures mean</h2>\n<dl>\n");
    for (word, about) in WORDS {
        let _ = writeln!(out, "<dt>{word}</dt><dd>{about}</dd>");
    }
    out.push_str("</dl>\n</section>\n");
}
