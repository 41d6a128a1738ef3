//! What a take for editors costs per hour of its footage: all films, timelines and the contact sheet, then once more with
//! nothing left to do, then films of a constant rate. `bench-export [SECONDS] [ROUNDS]`: a take of 60 s that is recorded
//! first, and 3 rounds.

#![expect(clippy::print_stdout, reason = "it prints its table")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use syncslate_e2e::figures::median;
use syncslate_e2e::process::now;
use syncslate_e2e::rig::Rig;

/// Cameras out of step, with the noise that makes their films as large as asked for.
const CAMERAS: [&str; 3] = ["phase_ms=0,noise=4", "phase_ms=11,noise=4", "phase_ms=22.5,noise=4"];
const PICTURE: [&str; 3] = ["1280", "720", "8M"];
const FPS: u64 = 30;

fn main() {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: u64| words.next().map_or(usual, |word| word.parse().unwrap());
    let (seconds, rounds) = (number(60), number(3));
    let rig = record(seconds);
    let here = rig.downloads().join("bench");
    let cameras = CAMERAS.len();
    let bytes: u64 = rig.ips().iter().map(|ip| size(&here.join(ip.to_string()))).sum();
    let [width, height, _] = PICTURE;
    println!(
        "a take of {cameras} cameras of {width}x{height} at {FPS} frames/s, {seconds} s, {} MB; medians of {rounds} rounds",
        bytes / 1_000_000
    );
    println!("{:<44} {:>12} {:>28}", "", "s", "s per hour of one camera");
    let hours = seconds as f64 * cameras as f64 / 3600.0;
    let row = |name: &str, seconds: f64| println!("{name:<44} {seconds:>12.2} {:>28.1}", seconds / hours);
    let editor = here.join("editor");
    let afresh = || {
        let _ = fs::remove_dir_all(&editor);
    };
    row("all of it, the pictures as they are", time(rounds, afresh, || rig.export("bench", &[])));
    row("once more, with nothing left to do", time(rounds, || {}, || rig.export("bench", &[])));
    row("all of it, decoded to a constant rate", time(rounds, afresh, || rig.export("bench", &["--conform"])));
}

/// A take that is here and rests.
fn record(seconds: u64) -> Rig {
    let rig = CAMERAS.iter().fold(Rig::new(), |rig, camera| rig.node(camera).sized(PICTURE)).up("armed");
    rig.roll("bench");
    std::thread::sleep(Duration::from_secs(seconds));
    (1..=CAMERAS.len()).for_each(|i| rig.recorded(i, seconds * FPS));
    rig.cut();
    rig.download("bench");
    rig
}

fn time(rounds: u64, prepare: impl Fn(), work: impl Fn() -> String) -> f64 {
    let times: Vec<f64> = (0..rounds)
        .map(|_| {
            prepare();
            let begun = now();
            work();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    median(&times)
}

fn size(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}
