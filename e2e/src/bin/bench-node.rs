//! What a node costs while it records 1280x720 at 30 frames a second: its own processor time against its encoder's,
//! and its memory over time. `bench-node [SECONDS]` (60 unless told) prints a table.

#![expect(clippy::print_stdout, reason = "it prints its table")]

use std::time::Duration;

use syncslate_e2e::process::now;
use syncslate_e2e::rig::Rig;

/// One reading of `/proc`.
struct Cost {
    /// Processor time in clock ticks, of which a second has 100.
    ticks: u64,
    rss_kib: u64,
}

fn read(pid: u32) -> Cost {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let number = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    // Fields 14 and 15 of proc(5), counted from behind the name.
    Cost { ticks: number(11) + number(12), rss_kib: rss.and_then(|r| r.trim().parse().ok()).unwrap_or(0) }
}

fn main() {
    let seconds: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(60);
    let mut rig = Rig::new().node("phase_ms=5").sized(["1280", "720", "8M"]).up("armed");
    let Some(node) = &rig.at(1).process else { return };
    let agent = node.id();
    let (Some(ffmpeg), Some(camera)) = (node.child("ffmpeg"), node.child("syncslate-node")) else {
        println!("the node's children cannot be found in /proc");
        return;
    };
    rig.roll("bench");
    rig.recorded(1, 30);
    let start = now();
    let (agent0, ffmpeg0, camera0) = (read(agent), read(ffmpeg), read(camera));
    println!("1280x720, 30 frames/s, 8 Mbit/s; processor time in percent of one core since the start");
    println!(
        "{:>6}  {:>7} {:>7} {:>7}  {:>12}  {:>9} {:>10}",
        "s", "agent", "ffmpeg", "camera", "agent/ffmpeg", "agent MiB", "ffmpeg MiB"
    );
    for step in 1..=6 {
        while start.elapsed() < Duration::from_secs(seconds * step / 6) {
            std::thread::sleep(Duration::from_millis(100));
        }
        let (a, f, c) = (read(agent), read(ffmpeg), read(camera));
        let elapsed = start.elapsed().as_secs_f64();
        let share = |now: &Cost, then: &Cost| (now.ticks - then.ticks) as f64 / elapsed;
        let ratio = (a.ticks - agent0.ticks) as f64 / (f.ticks - ffmpeg0.ticks).max(1) as f64;
        println!(
            "{elapsed:>6.0}  {:>6.2}% {:>6.2}% {:>6.2}%  {ratio:>12.3}  {:>9.1} {:>10.1}",
            share(&a, &agent0),
            share(&f, &ffmpeg0),
            share(&c, &camera0),
            a.rss_kib as f64 / 1024.0,
            f.rss_kib as f64 / 1024.0
        );
    }
    let idle = rig.cut();
    let footage = rig.finished(1, &idle);
    let manifest = footage.manifest();
    let (frames, gaps) = manifest.map_or((0, 0), |m| (m.frames, m.gaps.len()));
    println!("{frames} frames kept, {gaps} gaps");
}
