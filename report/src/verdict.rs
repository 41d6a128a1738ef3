//! The verdict and its reasons in words. Pure.

use std::net::Ipv4Addr;

use syncslate_shared::manifest::StampSource;
use syncslate_shared::protocol::ClockReading;

use crate::model::{Fleet, MOST, Node, Reason, Report, Verdict, Weight};
use crate::words::{cause, count, list, ms, ppm, take_time};

/// Fills in verdict, reasons and summary. `differ` are nodes whose T0 or T1 is not the others'.
pub fn judge(report: &mut Report, differ: &[Ipv4Addr]) {
    let mut reasons = Reasons(Vec::new());
    for node in &report.nodes {
        let differs = differ.contains(&node.ip);
        judge_node(node, differs, report, &mut reasons);
    }
    judge_fleet(report, &mut reasons);
    let mut reasons = reasons.0;
    // Stable: within a weight the order of the nodes stays.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight));
    reasons.truncate(MOST);
    report.verdict = match reasons.first().map(|reason| reason.weight) {
        Some(Weight::Red) => Verdict::Red,
        Some(Weight::Amber) => Verdict::Amber,
        _ => Verdict::Green,
    };
    report.reasons = reasons;
    report.summary = summary(report);
}

struct Reasons(Vec<Reason>);

impl Reasons {
    fn add(&mut self, weight: Weight, code: &str, node: Option<&Node>, text: String) {
        let text = node.map_or_else(|| text.clone(), |node| format!("{}: {text}", node.name));
        self.0.push(Reason { weight, code: code.into(), node: node.map(|node| node.ip), text });
    }

    fn red(&mut self, code: &str, node: &Node, text: String) {
        self.add(Weight::Red, code, Some(node), text);
    }

    fn amber(&mut self, code: &str, node: &Node, text: String) {
        self.add(Weight::Amber, code, Some(node), text);
    }

    fn info(&mut self, code: &str, node: &Node, text: String) {
        self.add(Weight::Info, code, Some(node), text);
    }
}

fn judge_node(node: &Node, differs: bool, report: &Report, reasons: &mut Reasons) {
    if let Some(problem) = &node.problem {
        return reasons.red("unreadable", node, format!("nothing can be told of it: {problem}"));
    }
    if differs {
        reasons.red("take_differs", node, "its manifest has another T0 or T1 than the others'".into());
    }
    if !node.table {
        let text = "its frame table is not here yet, so this is told by its manifest alone";
        reasons.info("no_table", node, text.into());
    } else if !node.whole {
        reasons.info("unfinished", node, "its files are not final: the take rolls, or they are still coming".into());
    }
    if node.whole && node.frames == 0 {
        reasons.red("no_frames", node, "it recorded no frame".into());
    }
    missing(node, report, reasons);
    timing(node, report, reasons);
    clock(node, reasons);
    if node.damaged > 0 {
        let first = node.damage.first().cloned().unwrap_or_default();
        let lines = count(node.damaged, "line", "lines");
        reasons.amber("table_damaged", node, format!("{lines} of its frame table cannot be used, the first: {first}"));
    }
}

fn missing(node: &Node, report: &Report, reasons: &mut Reasons) {
    let all = node.frames + node.missing;
    let percent = if all == 0 { 0.0 } else { node.missing as f64 * 100.0 / all as f64 };
    if percent > report.limits.red_missing_percent {
        let text =
            format!("{percent:.1} % of its frames are missing, {} of them", count(node.missing, "frame", "frames"));
        reasons.red("many_missing", node, text);
    }
    if node.dropped > 0 {
        let first = node.drops.first().map(|drop| take_time(drop.at_us)).unwrap_or_default();
        let frames = count(node.dropped, "frame is missing, at", "frames are missing, the first at");
        reasons.amber("frames_missing", node, format!("{frames} {first}"));
    }
    for gap in &node.gaps {
        let length = (gap.to_us - gap.from_us) as f64;
        let what = match gap.frames {
            Some(frames) => {
                format!("gap of {} ({}) at {}", ms(length), count(frames, "frame", "frames"), take_time(gap.from_us))
            }
            None => format!("break at {}", take_time(gap.from_us)),
        };
        let text = format!("{what}: {}, {}", cause(&gap.cause), gap.detail);
        match (gap.seen, gap.cause.as_str()) {
            (Some(false), _) => {
                let text = format!("its manifest tells of a {text}; the frame table does not show it");
                reasons.info("gap_not_seen", node, text);
            }
            (_, "unexplained") => reasons.red("gap_unexplained", node, text),
            (_, "clock_stepped") => reasons.red("clock_stepped", node, text),
            _ => reasons.amber("gap", node, text),
        }
    }
}

fn timing(node: &Node, report: &Report, reasons: &mut Reasons) {
    let limits = &report.limits;
    if let (Some(fps), Some(period)) = (node.fps, node.period_us)
        && node.drift_ppm.is_none()
    {
        let text = format!("it gives {:.3} frames a second and was asked for {fps}", 1e6 / period);
        reasons.red("other_rate", node, text);
    }
    if let Some(drift) = node.drift_ppm.filter(|drift| drift.abs() > limits.amber_drift_ppm) {
        let text =
            format!("its sensor runs {} off the wall clock, more than {} ppm", ppm(drift), limits.amber_drift_ppm);
        reasons.amber("drift", node, text);
    }
    if let (Some(jitter), Some(period)) = (node.jitter, node.period_us.or(report.fleet.grid_us))
        && jitter.p99_us > period * limits.amber_jitter_frames
    {
        let text = format!("one interval in a hundred is off by {} or more", ms(jitter.p99_us));
        reasons.amber("jitter", node, text);
    }
    match node.stamps {
        Some(StampSource::Arrival) => {
            let text = "its frames are stamped when they arrive: an unknown latency of tens of milliseconds";
            reasons.amber("stamps", node, text.into());
        }
        Some(StampSource::Driver) => {
            let text = "its frames are stamped by the driver, up to about a frame after the exposure";
            reasons.info("stamps", node, text.into());
        }
        Some(StampSource::Sensor) | None => {}
    }
}

fn clock(node: &Node, reasons: &mut Reasons) {
    let clock = &node.clock;
    let readings = clock.roll.iter().chain(clock.readings.iter().map(|reading| &reading.clock)).chain(&clock.cut);
    let out_of_step = |reading: &&ClockReading| !reading.synced && reading.source.is_some();
    if let Some(reading) = readings.clone().find(out_of_step) {
        let source = reading.source.clone().unwrap_or_default();
        reasons.red("clock_not_synced", node, format!("its clock was not in step: {source} says so"));
    } else if clock.bound_us.is_none() {
        let text = "nobody tells how far its clock may be from the others', so neither does this report";
        reasons.amber("clock_unknown", node, text.into());
    }
}

fn judge_fleet(report: &Report, reasons: &mut Reasons) {
    let (fleet, limits) = (&report.fleet, &report.limits);
    if let (Some(worst), Some(period)) = (fleet.nearest, fleet.grid_us) {
        let apart = worst.worst_us as f64;
        let pair = format!("{} and {}", report.name_of(worst.a), report.name_of(worst.b));
        let at = take_time(worst.worst_at_us);
        let text = format!("nearest frames of {pair} lie up to {} apart, at {at}", ms(apart));
        if apart > period * limits.red_misaligned_frames {
            reasons.add(Weight::Red, "misaligned", None, text);
        } else if apart > period * limits.amber_misaligned_frames {
            reasons.add(Weight::Amber, "misaligned", None, text);
        }
    }
    if let Some(bound) = fleet.clock_us.map(|us| us as f64) {
        let text = format!("clocks may differ by {}, by their own account", ms(bound));
        if bound > limits.red_uncertainty_ms * 1000.0 {
            reasons.add(Weight::Red, "clocks_apart", None, text);
        } else if bound > limits.amber_uncertainty_ms * 1000.0 {
            reasons.add(Weight::Amber, "clocks_apart", None, text);
        }
    }
    if let (Some(off), Some(by_number)) = (fleet.off_by_one, fleet.by_number) {
        let pair = format!("{} and {}", report.name_of(off.a), report.name_of(off.b));
        let text = format!(
            "paired by number, frames are off by one from frame {} ({}, {pair}) and lie up to {} apart: pair them by time",
            off.frame,
            take_time(off.at_us),
            ms(by_number.worst_us as f64),
        );
        reasons.add(Weight::Info, "off_by_one", None, text);
    }
}

fn summary(report: &Report) -> String {
    let Fleet { cameras, missing, nearest, uncertainty_us, .. } = report.fleet;
    let cameras = count(cameras, "camera", "cameras");
    let frames = match missing {
        0 => "no frame is missing".into(),
        missing => count(missing, "frame is missing", "frames are missing"),
    };
    let bound = uncertainty_us.map_or_else(|| ", clocks unknown".into(), |us| format!(" ± {}", ms(us as f64)));
    let apart = match nearest {
        Some(worst) => {
            format!(
                "nearest frames lie {} apart, {} at worst{bound}",
                ms(worst.median_us as f64),
                ms(worst.worst_us as f64)
            )
        }
        None if report.nodes.len() > 1 => "how far apart frames lie is not known yet".into(),
        None => "there is no other to compare it with".into(),
    };
    let waiting: Vec<String> = report.nodes.iter().filter(|node| !node.whole).map(|node| node.name.clone()).collect();
    let first =
        if waiting.is_empty() { String::new() } else { format!("First look, without all of {}. ", list(&waiting)) };
    format!("{first}{cameras}: {frames}; {apart}.")
}
