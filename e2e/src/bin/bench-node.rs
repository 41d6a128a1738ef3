//! What a node costs while it records 1280x720 and 1920x1080 at 30 frames a second: its own processor time against its
//! encoder's, its memory, and what it has written for each byte of footage. `bench-node [SECONDS]`, each size: 60.

#![expect(clippy::print_stdout, reason = "it prints its tables")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::time::Duration;

use syncslate_e2e::figures::{cpu, rss_mib, written};
use syncslate_e2e::process::now;
use syncslate_e2e::rig::Rig;

/// What is asked of the camera; with noise its encoder needs all of the bit rate.
const SIZES: [[&str; 3]; 2] = [["1280", "720", "8M"], ["1920", "1080", "8M"]];
const RING: &str = "a ring of 4 s, about 4 MB";
const READINGS: u64 = 6;
const FPS: f64 = 30.0;

fn main() {
    let seconds: u64 = std::env::args().nth(1).map_or(60, |word| word.parse().unwrap());
    for size in SIZES {
        measure(size, seconds);
    }
}

fn measure(size: [&'static str; 3], seconds: u64) {
    let [width, height, _] = size;
    let mut rig = Rig::new().node("phase_ms=5,noise=4").sized(size).up("armed");
    let node = rig.at(1).process.as_ref().unwrap();
    let agent = node.id();
    let (ffmpeg, camera) = (node.child("ffmpeg").unwrap(), node.child("syncslate-node").unwrap());
    let wrote = written(agent);
    rig.roll("bench");
    rig.recorded(1, 30);
    let start = now();
    let before = [agent, ffmpeg, camera].map(cpu);
    println!("{width}x{height}, 30 frames/s, 8 Mbit/s, {RING}; processor time in percent of one core since the start");
    println!(
        "{:>6}  {:>8} {:>8} {:>8}  {:>12}  {:>9} {:>10}",
        "s", "agent", "ffmpeg", "camera", "agent/ffmpeg", "agent MiB", "ffmpeg MiB"
    );
    for step in 1..=READINGS {
        let until = Duration::from_secs(seconds) * u32::try_from(step).unwrap() / READINGS as u32;
        std::thread::sleep(until.saturating_sub(start.elapsed()));
        let elapsed = start.elapsed().as_secs_f64();
        let [a, f, c] = [(agent, before[0]), (ffmpeg, before[1]), (camera, before[2])]
            .map(|(pid, before)| cpu(pid).saturating_sub(before).as_secs_f64() / elapsed * 100.0);
        println!(
            "{elapsed:>6.0}  {a:>7.2}% {f:>7.2}% {c:>7.2}%  {:>12.3}  {:>9.1} {:>10.1}",
            a / f.max(0.001),
            rss_mib(agent),
            rss_mib(ffmpeg)
        );
    }
    let idle = rig.cut();
    let footage = rig.finished(1, &idle);
    let manifest = footage.manifest().unwrap();
    let bytes: u64 = manifest.segments.iter().map(|segment| segment.bytes).sum();
    println!(
        "{} frames kept, {} gaps, {:.1} MB of footage ({:.1} Mbit/s); {:.3} bytes handed to the disk for each of them\n",
        manifest.frames,
        manifest.gaps.len(),
        bytes as f64 / 1e6,
        bytes as f64 * 8e-6 / (manifest.frames as f64 / FPS),
        (written(agent) - wrote) as f64 / bytes as f64
    );
}
