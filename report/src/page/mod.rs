//! The report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere. Pure.
//!
//! Whatever comes from outside (names, notes, causes) goes through `text::escaped`.

mod draw;
mod light;
mod phase;
mod style;
mod tables;
mod text;
mod timeline;

use std::fmt::Write as _;

use syncslate_slate::model::Light;

use crate::model::{Report, Verdict, Weight};
use draw::Size;
use text::{escaped, named};

/// The report as a page.
pub fn page(report: &Report) -> String {
    lit(report, None)
}

/// The report as a page, with what light said of the stamps.
pub fn lit(report: &Report, light: Option<&Light>) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let name = escaped(&report.name);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Sync of {name}: {}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
        word(report.verdict),
        style::CSS
    );
    head(&mut out, report);
    reasons(&mut out, report);
    if let Some(light) = light {
        light::section(&mut out, light);
    }
    figure(
        &mut out,
        "Phase of each camera",
        "Where each camera’s frames lie within the common frame period. A level line keeps its place; lines that cross \
         are in step at that moment; a slope is a sensor that runs fast or slow.",
        |size| phase::draw(report, size),
    );
    legend(&mut out, report);
    figure(
        &mut out,
        "Timeline",
        "What each camera has: red blocks are gaps, orange ticks lost frames, numbered lines marks.",
        |size| timeline::draw(report, size),
    );
    marks(&mut out, report);
    out.push_str("</section>\n");
    tables::all(&mut out, report);
    foot(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// The verdict for people.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Green => "In sync",
        Verdict::Amber => "Look first",
        Verdict::Red => "Not in sync",
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Green => "green",
        Verdict::Amber => "amber",
        Verdict::Red => "red",
    }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Green => "✓",
        Verdict::Amber => "!",
        Verdict::Red => "✕",
    }
}

fn head(out: &mut String, report: &Report) {
    let renamed = (report.name != report.id.name.as_str())
        .then(|| format!(" · recorded as {}", escaped(report.id.name.as_str())));
    let length = report.t1.map(|t1| format!(" · {}", crate::words::take_time(report.since_t0(t1))));
    let _ = write!(
        out,
        "<header class=\"verdict {}\">\n<p class=\"take\"><bdi>{}</bdi></p>\n\
         <h1><span class=\"sign\" aria-hidden=\"true\">{}</span> {}{}</h1>\n<p class=\"summary\">{}</p>\n\
         <p class=\"when\">{}{}{}</p>\n</header>\n",
        class(report.verdict),
        escaped(&report.name),
        sign(report.verdict),
        word(report.verdict),
        if report.complete { "" } else { " <small>first look</small>" },
        escaped(&report.summary),
        escaped(&report.id.stamp.readable()),
        length.unwrap_or_default(),
        renamed.unwrap_or_default(),
    );
}

fn reasons(out: &mut String, report: &Report) {
    /// So many stand on the page.
    const SHOWN: usize = 40;
    if report.reasons.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Why</h2>\n<ul class=\"reasons\">\n");
    for reason in report.reasons.iter().take(SHOWN) {
        let class = match reason.weight {
            Weight::Red => "red",
            Weight::Amber => "amber",
            Weight::Info => "info",
        };
        let _ = writeln!(out, "<li class=\"{class}\">{}</li>", escaped(&reason.text));
    }
    more(out, "li", report.reasons.len().saturating_sub(SHOWN));
    out.push_str("</ul>\n</section>\n");
}

/// Says that a list goes on elsewhere.
fn more(out: &mut String, tag: &str, left: usize) {
    if left > 0 {
        let _ = writeln!(out, "<{tag} class=\"quiet\">and {left} more, in the JSON file</{tag}>");
    }
}

/// A section with a picture in two sizes, of which one is shown. The section stays open.
fn figure(out: &mut String, title: &str, about: &str, draw: impl Fn(Size) -> String) {
    let _ = write!(out, "<section>\n<h2>{title}</h2>\n<p class=\"quiet\">{about}</p>\n");
    for (class, size) in [("wide", Size::Wide), ("narrow", Size::Narrow)] {
        let _ = writeln!(out, "<div class=\"{class}\">{}</div>", draw(size));
    }
}

fn legend(out: &mut String, report: &Report) {
    out.push_str("<ul class=\"legend\">\n");
    for (i, node) in report.nodes.iter().enumerate() {
        let swatch = "<svg class=\"swatch\" viewBox=\"0 0 28 8\" aria-hidden=\"true\"><path d=\"M1 4H27\"";
        let _ = writeln!(out, "<li>{swatch} class=\"line {}\"/></svg> {}</li>", draw::colour(i), named(&node.name));
    }
    out.push_str("</ul>\n</section>\n");
}

fn marks(out: &mut String, report: &Report) {
    const SHOWN: usize = 60;
    if report.marks.is_empty() {
        return;
    }
    out.push_str("<ol class=\"marks\">\n");
    for mark in report.marks.iter().take(SHOWN) {
        let at = crate::words::take_time(report.since_t0(mark.at));
        let _ = writeln!(
            out,
            "<li><b>{}</b> <span class=\"num\">{at}</span> <bdi>{}</bdi></li>",
            mark.n,
            escaped(&mark.note)
        );
    }
    more(out, "li", report.marks.len().saturating_sub(SHOWN));
    out.push_str("</ol>\n");
}

fn foot(out: &mut String, report: &Report) {
    let _ = write!(
        out,
        "<footer>\n<p>Measured from the stamps of {} by Syncslate {}. The same figures for programs: \
         <code>{}</code></p>\n</footer>\n",
        crate::words::count(report.fleet.frames, "frame", "frames"),
        escaped(&report.version),
        escaped(&crate::names::file(&report.id, crate::names::Form::Json)),
    );
}
