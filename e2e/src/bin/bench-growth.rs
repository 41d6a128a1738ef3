//! What grows with what: the list of takes with the number of takes in the library, a MARK with the number of marks, the
//! report with the length of a take, each as a table with the exponent of its growth, 1 for linear.
//! `bench-growth [MOST TAKES] [MOST MARKS] [MOST MINUTES] [FILE.svg]`: 10000, 5000 and 600, and no plot.

#![expect(clippy::print_stdout, reason = "it prints its tables")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use syncslate_e2e::figures::{ask, median, online, rss_mib};
use syncslate_e2e::process::{command, now, ours, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_e2e::swarm::{Swarm, Word};
use syncslate_shared::files::{Base, FRAMES_HEADER, FrameRow, Kind};
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use syncslate_shared::time::Wall;

const T0: Wall = Wall::from_micros(1_761_220_930_500_000);
const NODES: u8 = 2;
/// Each figure is the median of so many looks.
const LOOKS: usize = 9;

/// How one figure grows.
struct Growth {
    name: &'static str,
    /// What grows, and the figure in milliseconds.
    points: Vec<(f64, f64)>,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: u64| words.next().map_or(usual, |word| word.parse().unwrap());
    let (takes, marks, minutes) = (number(10_000), number(5_000), number(600));
    let svg = std::env::args().nth(4);
    let mut all = library(takes);
    all.extend([marking(marks), reports(minutes)]);
    println!("{:<44} {:>9}   growth between neighbours", "", "exponent");
    for Growth { name, points } in all.iter().filter(|growth| growth.points.len() > 1) {
        let steps: Vec<String> = points.windows(2).map(|pair| format!("{:.2}", exponent(pair[0], pair[1]))).collect();
        println!("{name:<44} {:>9.2}   {}", exponent(points[0], points[points.len() - 1]), steps.join(" "));
    }
    if let Some(file) = svg {
        fs::write(&file, plot(&all)).unwrap();
        println!("{file}: each figure against what grows, both logarithmic");
    }
}

/// The steps to `most`, by tens.
fn steps(most: u64) -> Vec<u64> {
    let mut steps: Vec<u64> =
        std::iter::successors(Some(most), |n| (*n >= 10).then_some(n / 10)).take(4).filter(|n| *n > 0).collect();
    steps.reverse();
    steps
}

fn exponent((n, ms): (f64, f64), (more, longer): (f64, f64)) -> f64 {
    (longer / ms).ln() / (more / n).ln()
}

/// The list of takes.
fn library(most: u64) -> Vec<Growth> {
    let mut rig = Rig::with_settings("[report]\nautomatic = false\n");
    let (mut known, mut listed, mut page) = (Vec::new(), Vec::new(), Vec::new());
    println!("takes in the library, {NODES} cameras each; medians of {LOOKS}");
    println!(
        "{:>8} {:>16} {:>16} {:>16} {:>10} {:>10}",
        "takes", "start to list, ms", "/api/takes, ms", "/takes, ms", "kB", "MiB"
    );
    let mut made = 0;
    for takes in steps(most) {
        rig.kill_controller();
        (made..takes).for_each(|n| shelve(&rig.downloads(), n));
        made = takes;
        let started = now();
        rig.restart_controller();
        let list = || ask(rig.http, "GET", "/api/takes", "").unwrap();
        while (list().matches("\"take\":").count() as u64) < takes {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let whole = started.elapsed().as_secs_f64() * 1000.0;
        let (api, html) = (time(|| list().len()), time(|| ask(rig.http, "GET", "/takes", "").unwrap().len()));
        let memory = rss_mib(rig.controller().id());
        println!("{takes:>8} {whole:>16.0} {:>16.1} {:>16.1} {:>10} {memory:>10.1}", api.0, html.0, api.1 / 1000);
        known.push((takes as f64, whole));
        listed.push((takes as f64, api.0));
        page.push((takes as f64, html.0));
    }
    println!();
    vec![
        Growth { name: "library: start to the whole list", points: known },
        Growth { name: "library: the list of all takes", points: listed },
        Growth { name: "library: the page of takes", points: page },
    ]
}

/// A take's files of each node, with a second of footage that is none.
fn shelve(downloads: &Path, n: u64) {
    let at = T0.offset_us(i64::try_from(n).unwrap() * 60_000_000);
    let id = TakeId { name: TakeName::new(&format!("scene_{n:05}")).unwrap(), stamp: Stamp::local(at) };
    for node in 1..=NODES {
        let folder = downloads.join(id.name.as_str()).join(node_ip(node).to_string());
        write_camera(&folder, &id, node, 30);
        let base = Base { id: id.clone(), ip: node_ip(node) };
        fs::write(folder.join(base.file(Kind::Segment(0))), [0; 900]).unwrap();
    }
}

fn node_ip(node: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, node)
}

/// Table and manifest of a camera with a drift of its own.
fn write_camera(folder: &Path, id: &TakeId, node: u8, frames: u64) {
    fs::create_dir_all(folder).unwrap();
    let base = Base { id: id.clone(), ip: node_ip(node) };
    let mut table = format!("{FRAMES_HEADER}\n");
    for frame in 0..frames {
        let us = frame as f64 * 1e6 / 30.0 * (1.0 + f64::from(node) * 17e-6);
        let time = T0.offset_us(us as i64 + 3_000 * i64::from(node));
        let segment = u32::try_from(frame / 1800).unwrap();
        let row = FrameRow { frame, segment, offset: frame % 1800 * 30, bytes: 30, key: frame % 15 == 0, time };
        let _ = writeln!(table, "{row}");
    }
    fs::write(folder.join(base.file(Kind::Frames)), table).unwrap();
    let clock = json!({"source": "chrony", "synced": true, "offset_us": -17, "error_us": 83});
    let manifest = json!({
        "v": 1, "take": id.name, "id": id, "stamp": id.stamp, "ip": node_ip(node), "name": format!("cam{node}"), "t0": T0,
        "t1": T0.offset_us((frames as f64 * 1e6 / 30.0) as i64), "segment_s": 60, "encoder": null, "stamps": "sensor",
        "camera": {"kind": "test", "model": null, "width": 640, "height": 360, "fps": 30.0, "start_ms": 300, "ring_s": 4.0},
        "clock_at_roll": clock, "clock_at_cut": clock, "skew_us": 3_000 * u32::from(node), "lead_in_frames": 0,
        "frames": frames, "segments": [], "gaps": [], "marks": [], "finished": true, "version": "0.1.0"
    });
    fs::write(folder.join(base.file(Kind::Manifest)), manifest.to_string()).unwrap();
}

/// MARK when there are many already.
fn marking(most: u64) -> Growth {
    let rig = Rig::new();
    let swarm = Swarm::join(rig.mqtt, 1);
    wait_for("the node to be known", || online(rig.http) == 1);
    ask(rig.http, "POST", "/api/start", r#"{"take":"marks"}"#).unwrap();
    swarm.all(&Word::Rolls(true));
    println!("a MARK, when there are so many; medians of {LOOKS}");
    println!("{:>8} {:>16}", "marks", "answered, ms");
    let (mut points, mut made) = (Vec::new(), 0);
    let mark =
        |n: u64| ask(rig.http, "POST", "/api/mark", &json!({"note": format!("mark {n}")}).to_string()).unwrap().len();
    for marks in steps(most) {
        while made < marks - (LOOKS as u64).min(marks) {
            mark(made);
            made += 1;
        }
        let (ms, _) = time(|| {
            made += 1;
            mark(made)
        });
        println!("{marks:>8} {ms:>16.1}");
        points.push((marks as f64, ms));
    }
    println!();
    Growth { name: "marks: a MARK's answer", points }
}

/// The sync report of a take of two cameras.
fn reports(most: u64) -> Growth {
    println!("the sync report of a take of {NODES} cameras of 30 frames/s; medians of 3");
    println!("{:>8} {:>16}", "minutes", "whole, ms");
    let mut points = Vec::new();
    for minutes in steps(most) {
        let folder = tempfile::tempdir().unwrap();
        let id = TakeId { name: TakeName::new("long").unwrap(), stamp: Stamp::local(T0) };
        for node in 1..=NODES {
            write_camera(&folder.path().join("long").join(node_ip(node).to_string()), &id, node, minutes * 1800);
        }
        let mut times = Vec::new();
        for _ in 0..3 {
            let started = now();
            let mut program = command(ours("syncslate-controller"));
            program.arg("--downloads").arg(folder.path()).args(["report", "long"]);
            // Whatever the verdict, it was made.
            program.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        let made = fs::read_dir(folder.path().join("long")).unwrap().flatten();
        assert!(
            made.into_iter().any(|file| file.path().extension().is_some_and(|end| end == "html")),
            "no report was made"
        );
        println!("{minutes:>8} {:>16.0}", median(&times));
        points.push((minutes as f64, median(&times)));
    }
    println!();
    Growth { name: "report: of a take, by its length", points }
}

/// The median time of a look in milliseconds, and what the last one gave.
fn time(mut look: impl FnMut() -> usize) -> (f64, usize) {
    let (mut times, mut last) = (Vec::new(), 0);
    for _ in 0..LOOKS {
        let started = now();
        last = look();
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    (median(&times), last)
}

/// All figures in one picture, both axes logarithmic.
fn plot(all: &[Growth]) -> String {
    const COLOURS: [&str; 6] = ["#0b6", "#06c", "#c60", "#808", "#888", "#000"];
    let points = || all.iter().flat_map(|growth| &growth.points);
    let span = |of: fn(&(f64, f64)) -> f64| {
        let values = || points().map(|point| of(point).max(0.01).log10());
        (values().fold(f64::MAX, f64::min).floor(), values().fold(f64::MIN, f64::max).ceil())
    };
    let ((left, right), (low, high)) = (span(|point| point.0), span(|point| point.1));
    let x = |n: f64| 70.0 + (n.log10() - left) / (right - left).max(1.0) * 500.0;
    let y = |ms: f64| 330.0 - (ms.max(0.01).log10() - low) / (high - low).max(1.0) * 300.0;
    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 370" font-family="sans-serif" font-size="12">
<rect width="860" height="370" fill="#fff"/>
"##,
    );
    for ten in left as i32..=right as i32 {
        let (at, n) = (x(10f64.powi(ten)), 10f64.powi(ten));
        let _ = writeln!(
            svg,
            r##"<path d="M{at:.0} 30V330" stroke="#ddd"/><text x="{at:.0}" y="350" text-anchor="middle">{n}</text>"##
        );
    }
    for ten in low as i32..=high as i32 {
        let (at, ms) = (y(10f64.powi(ten)), 10f64.powi(ten));
        let _ = writeln!(
            svg,
            r##"<path d="M70 {at:.0}H570" stroke="#ddd"/><text x="62" y="{at:.0}" text-anchor="end">{ms} ms</text>"##
        );
    }
    for (n, (Growth { name, points }, colour)) in all.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let line: Vec<String> = points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let _ =
            writeln!(svg, r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#, line.join(" "));
        let at = 50 + 20 * n;
        let _ = writeln!(svg, r#"<text x="590" y="{at}" fill="{colour}">{name}</text>"#);
    }
    svg + "</svg>\n"
}
