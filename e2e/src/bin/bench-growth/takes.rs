//! Takes as they lie in the library of downloads: many of them, and long ones.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use syncslate_e2e::figures::{ask, median, rss_mib};
use syncslate_e2e::process::{command, now, ours};
use syncslate_e2e::rig::Rig;
use syncslate_shared::files::{Base, FRAMES_HEADER, FrameRow, Kind};
use syncslate_shared::take::{Stamp, TakeId, TakeName};

use crate::{Growth, LOOKS, T0, steps, time};

const NODES: u8 = 2;

/// The list of takes.
pub(crate) fn library(most: u64) -> Vec<Growth> {
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

/// The sync report of a take of two cameras.
pub(crate) fn reports(most: u64) -> Growth {
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
