//! How fast a report is made: writes an hour of 12 cameras at 30 frames a second into a temporary folder, reads it, makes
//! the report and writes it. `bench-report [CAMERAS] [MINUTES]`.

#![expect(clippy::print_stdout, reason = "it prints its table")]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use syncslate_report::folder::{make, write};
use syncslate_report::model::Report;
use syncslate_report::{Limits, page};
use syncslate_shared::files::{Base, FRAMES_HEADER, Kind};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::{Clocks as _, SystemClocks, Wall};

const T0: i64 = 1_761_220_930_500_000;
const ROUNDS: usize = 5;

fn main() -> io::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse().ok());
    let cameras: u8 = numbers.next().flatten().unwrap_or(12);
    let minutes = numbers.next().flatten().unwrap_or(60);
    let folder = tempfile::tempdir()?;
    let take = folder.path().join("bench");
    let id = TakeId::try_from("bench_20251023_140210".to_owned()).map_err(io::Error::other)?;
    let mut bytes = 0;
    for n in 1..=cameras {
        bytes += camera(&take, &id, n, u64::from(minutes) * 1800)?;
    }
    println!("{cameras} cameras, {minutes} min: {:.1} MB of frame tables", bytes as f64 / 1e6);
    println!("round   read and reckon ms   page ms   write ms   whole ms   frames   page kB   JSON kB");
    for round in 1..=ROUNDS {
        let begin = SystemClocks.mono();
        let elapsed = || SystemClocks.mono().since(begin);
        let report = make(&take, &id, &Limits::default()).map_err(io::Error::other)?;
        let made = elapsed();
        let html = page::page(&report).len();
        let drawn = elapsed();
        write(&take, &report).map_err(io::Error::other)?;
        let whole = elapsed();
        let ms = |length: Duration| length.as_secs_f64() * 1e3;
        println!(
            "{round:>5} {:>20.0} {:>9.1} {:>10.1} {:>10.0} {:>8} {:>9} {:>9}",
            ms(made),
            ms(drawn - made),
            ms(whole - drawn),
            ms(whole),
            report.fleet.frames,
            html / 1000,
            json(&report) / 1000,
        );
    }
    Ok(())
}

fn json(report: &Report) -> usize {
    serde_json::to_vec(report).map_or(0, |json| json.len())
}

/// A camera with a drift, a phase, jitter, and a frame in 5000 that is lost; gives the length of its table.
fn camera(take: &Path, id: &TakeId, n: u8, frames: u64) -> io::Result<u64> {
    let ip = std::net::Ipv4Addr::new(10, 0, 0, n);
    let base = Base { id: id.clone(), ip };
    let folder = take.join(ip.to_string());
    fs::create_dir_all(&folder)?;
    let mut text = format!("{FRAMES_HEADER}\n");
    let mut chance = u64::from(n);
    let period = 1e6 / 30.0 * (1.0 + (f64::from(n) - 6.0) * 20e-6);
    let (mut kept, mut offset) = (0u64, 0u64);
    for k in 0..frames {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if (chance >> 33).is_multiple_of(5000) {
            continue;
        }
        let jitter = (chance >> 40) as f64 / (1u64 << 24) as f64 * 200.0;
        let time = T0 + (2_500.0 * f64::from(n) + k as f64 * period + jitter) as i64;
        let length = 30_000 + (chance >> 50);
        let _ = writeln!(text, "{kept},{},{offset},{length},{},{time}", k / 1800, u8::from(k % 15 == 0));
        (kept, offset) = (kept + 1, if k % 1800 == 1799 { 0 } else { offset + length });
    }
    let clock = r#"{"source":"chrony","synced":true,"offset_us":-17,"error_us":83}"#;
    let manifest = format!(
        r#"{{"v":1,"take":"{}","id":"{id}","stamp":"{}","ip":"{ip}","name":"cam{n}","t0":"{}","t1":"{}","segment_s":60,
        "camera":{{"kind":"test","model":null,"width":1920,"height":1080,"fps":30.0,"start_ms":300,"ring_s":4.0}},
        "encoder":null,"stamps":"sensor","clock_at_roll":{clock},"clock_at_cut":{clock},"skew_us":null,"lead_in_frames":0,
        "frames":{kept},"segments":[],"gaps":[],"marks":[],"finished":true,"version":"0.1.0"}}"#,
        id.name,
        id.stamp,
        Wall::from_micros(T0),
        Wall::from_micros(T0 + frames as i64 * 100_000 / 3),
    );
    fs::write(folder.join(base.file(Kind::Manifest)), manifest)?;
    fs::write(folder.join(base.file(Kind::Frames)), &text)?;
    Ok(text.len() as u64)
}
