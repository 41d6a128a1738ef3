//! What a take is worth: three simulated cameras recorded by this project, against the naive way, an ffmpeg for each that
//! is started when the operator presses, with cameras that open at once and in 300 to 900 ms. What each frame's true
//! instant was stands in its picture. `bench-take [ROUNDS] [SECONDS A TAKE]`: 5 and 5.

#![expect(clippy::print_stdout, reason = "it prints its table")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use syncslate_e2e::figures::{ask, median};
use syncslate_e2e::judge::{Footage, PERIOD_US};
use syncslate_e2e::process::{PATIENCE, command, now, ours, send};
use syncslate_e2e::rig::Rig;
use syncslate_node::decode::read_pictures;
use syncslate_shared::time::{Clocks as _, SystemClocks, Wall};

/// Where the cameras' frames lie in their period, in milliseconds.
const PHASES_MS: [f64; 3] = [0.2, 11.0, 22.5];
/// How long the slow cameras take to open, in milliseconds; the next round takes the next one.
const OPENING_MS: [u32; 5] = [300, 450, 600, 750, 900];

/// How a take is recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Ours,
    NaiveAtOnce,
    NaiveSlow,
}

const WAYS: [(Way, &str); 3] =
    [(Way::Ours, "ours, armed"), (Way::NaiveAtOnce, "naive, 0 ms"), (Way::NaiveSlow, "naive, 300-900 ms")];

/// The rows of the table.
const ROWS: [&str; 7] = [
    "first frame after the press, ms (the last camera's)",
    "skew: first frames apart, ms",
    "frames missing between the press and the first one",
    "frames missing after the first one",
    "press to first bytes on disk, ms (the last camera's)",
    "STOP to all files closed and digested, ms",
    "frames kept",
];

/// What became of one camera.
struct Kept {
    /// The true instants of its frames, in microseconds.
    frames_us: Vec<i64>,
    /// How many are missing between the first and the last by the camera's own count.
    missing: u64,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let rounds: usize = words.next().map_or(5, |word| word.parse().unwrap());
    let length = Duration::from_secs_f64(words.next().map_or(5.0, |word| word.parse().unwrap()));
    let mut figures = vec![vec![Vec::new(); ROWS.len()]; WAYS.len()];
    for round in 0..rounds {
        // Who begins changes, so that what else the machine does falls on all.
        for at in (0..WAYS.len()).map(|turn| (turn + round) % WAYS.len()) {
            let measured = match WAYS[at].0 {
                Way::Ours => take(length),
                way => naive(length, way, round),
            };
            figures[at].iter_mut().zip(measured).for_each(|(values, value)| values.push(value));
        }
    }
    let phases = PHASES_MS[2] - PHASES_MS[0];
    println!(
        "three cameras of 640x360 at 30 frames/s whose phases are {phases} ms apart, takes of {} s, medians of {rounds}",
        length.as_secs_f64()
    );
    println!("{:<54} {:>14} {:>14} {:>18}", "", WAYS[0].1, WAYS[1].1, WAYS[2].1);
    for (row, name) in ROWS.iter().enumerate() {
        let [ours, at_once, slow] = [0, 1, 2].map(|way| median(&figures[way][row]));
        println!("{name:<54} {ours:>14.1} {at_once:>14.1} {slow:>18.1}");
    }
}

/// By the controller and three armed nodes.
fn take(length: Duration) -> Vec<f64> {
    let rig = PHASES_MS.iter().fold(Rig::new(), |rig, phase| rig.node(&format!("phase_ms={phase}"))).up("armed");
    let pressed = (now(), SystemClocks.wall());
    ask(rig.http, "POST", "/api/start", r#"{"take":"bench"}"#).unwrap();
    let footage: Vec<PathBuf> = rig.ips().iter().map(|ip| rig.videos(*ip)).collect();
    let on_disk = first_bytes(&footage, pressed.0);
    std::thread::sleep(length.saturating_sub(pressed.0.elapsed()));
    let stopped = now();
    ask(rig.http, "POST", "/api/stop", "{}").unwrap();
    let current = rig.ear.wait("the end of the take", "take/current", |take| {
        (take["state"] == "idle" && !take["id"].is_null()).then(|| take.clone())
    });
    let takes: Vec<_> = footage.iter().zip(rig.ips()).map(|(videos, ip)| Footage::new(videos, &current, ip)).collect();
    until("all manifests to be finished", || takes.iter().all(|take| take.manifest().is_some_and(|m| m.finished)));
    let done = stopped.elapsed();
    let kept: Vec<Kept> = takes
        .iter()
        .map(|take| {
            let frames = take.frames();
            let from = take.t0().micros();
            let frames: Vec<_> = frames.iter().filter(|frame| frame.truth_ns as i64 / 1000 >= from - 500).collect();
            let counters: Vec<u32> = frames.iter().map(|frame| frame.counter).collect();
            Kept { frames_us: frames.iter().map(|f| f.truth_ns as i64 / 1000).collect(), missing: missing(&counters) }
        })
        .collect();
    figures(pressed.1, &kept, on_disk, done)
}

/// By an ffmpeg for each camera, started at the press.
fn naive(length: Duration, way: Way, round: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = (0..PHASES_MS.len()).map(|n| folder.path().join(format!("{n}/cam.h264"))).collect();
    files.iter().for_each(|file| std::fs::create_dir_all(file.parent().unwrap()).unwrap());
    let pressed = (now(), SystemClocks.wall());
    let mut children: Vec<(Child, Child)> = (0..PHASES_MS.len())
        .map(|n| {
            let opening = if way == Way::NaiveSlow { OPENING_MS[(round + 2 * n) % OPENING_MS.len()] } else { 0 };
            record(n, opening, &files[n])
        })
        .collect();
    let folders: Vec<PathBuf> = files.iter().map(|file| file.parent().unwrap().to_owned()).collect();
    let on_disk = first_bytes(&folders, pressed.0);
    std::thread::sleep(length.saturating_sub(pressed.0.elapsed()));
    let stopped = now();
    for (_, encoder) in &children {
        send(encoder.id(), Signal::INT);
    }
    for (camera, encoder) in &mut children {
        encoder.wait().unwrap();
        camera.kill().unwrap();
        camera.wait().unwrap();
    }
    assert!(command("sha256sum").args(&files).stdout(Stdio::null()).status().unwrap().success());
    let done = stopped.elapsed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let kept: Vec<Kept> = files
        .iter()
        .map(|file| {
            let pictures = runtime.block_on(read_pictures(file)).unwrap();
            let codes: Vec<_> = pictures.iter().filter_map(|picture| picture.code).collect();
            let counters: Vec<u32> = codes.iter().map(|code| code.counter).collect();
            Kept { frames_us: codes.iter().map(|c| c.time_ns as i64 / 1000).collect(), missing: missing(&counters) }
        })
        .collect();
    figures(pressed.1, &kept, on_disk, done)
}

/// The camera and its encoder, as a script would start them.
fn record(n: usize, opening_ms: u32, file: &Path) -> (Child, Child) {
    let ip = Ipv4Addr::new(127, 0, 1, 101 + n as u8);
    let options = format!("phase_ms={},start_ms={opening_ms},patience_ms=8000", PHASES_MS[n]);
    let mut camera = command(ours("syncslate-node"));
    camera.args(["test-camera", "--width=640", "--height=360", "--fps=30", "--name=naive"]);
    camera.args([format!("--ip={ip}"), format!("--options={options}")]);
    let mut camera = camera.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut encoder = command("ffmpeg");
    encoder
        .args("-nostdin -hide_banner -loglevel error -f ivf -i pipe:0 -fps_mode passthrough".split(' '))
        .args("-c:v libx264 -preset ultrafast -tune zerolatency -b:v 1M -g 15 -flush_packets 1 -f h264 -y".split(' '))
        .arg(file);
    let encoder = encoder.stdin(camera.stdout.take().unwrap()).stderr(Stdio::null()).spawn().unwrap();
    (camera, encoder)
}

/// From the press to the first bytes of footage in the last of these folders.
fn first_bytes(folders: &[PathBuf], pressed: Instant) -> Duration {
    let has_bytes = |folder: &PathBuf| {
        let mut files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.any(|file| {
            let footage = file.path().extension().is_some_and(|end| end == "h264");
            footage && file.metadata().is_ok_and(|data| data.len() > 0)
        })
    };
    until("footage of all cameras", || folders.iter().all(has_bytes));
    pressed.elapsed()
}

/// Waits with short looks: what is measured is in milliseconds.
fn until(what: &str, condition: impl Fn() -> bool) {
    let limit = now() + PATIENCE;
    while !condition() {
        assert!(now() < limit, "waited in vain for {what}");
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn missing(counters: &[u32]) -> u64 {
    counters.windows(2).map(|pair| u64::from(pair[1].saturating_sub(pair[0] + 1))).sum()
}

fn figures(pressed: Wall, kept: &[Kept], on_disk: Duration, done: Duration) -> Vec<f64> {
    let firsts: Vec<i64> = kept.iter().filter_map(|kept| kept.frames_us.first().copied()).collect();
    let (earliest, latest) = (firsts.iter().min().copied().unwrap(), firsts.iter().max().copied().unwrap());
    let late = |first: &i64| ((first - pressed.micros()) / PERIOD_US).max(0) as f64;
    vec![
        (latest - pressed.micros()) as f64 / 1000.0,
        (latest - earliest) as f64 / 1000.0,
        firsts.iter().map(late).sum(),
        kept.iter().map(|kept| kept.missing as f64).sum(),
        on_disk.as_secs_f64() * 1000.0,
        done.as_secs_f64() * 1000.0,
        kept.iter().map(|kept| kept.frames_us.len() as f64).sum(),
    ]
}
