//! A stand-in for `rpicam-vid`, for tests: takes its options, writes its outputs in its order, with the test camera's
//! pictures, so that the truth can be read back from them.
//!
//! As the original does, by its sources: it refuses unknown options, and an `-o` that does not end in `264`; opens the
//! metadata file first, the output with the first frame; writes a frame's bytes, flushes, then its record of
//! `Name=value` lines and an empty line; ends cleanly on SIGINT. Set by its environment:
//!
//! - `STAND_IN_CAMERA`: the options of the test camera (`phase_ms=11,frames=90`)
//! - `STAND_IN_STAMPS`: `us`, `ns` (`FrameWallClock` in that unit), `sensor` (only `SensorTimestamp`), `none`
//! - `STAND_IN_MODEL`: what `--list-cameras` finds; empty for no camera
//! - `STAND_IN_LENS`: whether there is a lens to focus
//! - `STAND_IN_OLD`: whether it is one that does not list its controls
//! - `STAND_IN_VERSION`: what `--version` says, 1.12.0 unless set; before 1.6 it knows no `--sync`
//! - `STAND_IN_SYNC_PORT`: where it listens for the frame grid with `--sync client`, on 127.0.0.1
//! - `STAND_IN_NODE`: the address in the pictures
//! - `STAND_IN_PID_FILE`: where it writes its process id

mod steered;
mod sync_client;

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use syncslate_node::camera::test::{TestCameraArgs, run};
use syncslate_node::fifo::Fifo;
use syncslate_node::framecrc::Line;
use syncslate_shared::child::Program;
use syncslate_shared::time::SystemClocks;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const WITH_VALUE: [&str; 17] = [
    "-t",
    "--width",
    "--height",
    "--framerate",
    "--bitrate",
    "--codec",
    "--intra",
    "--metadata",
    "--metadata-format",
    "-o",
    "--shutter",
    "--gain",
    "--awb",
    "--awbgains",
    "--autofocus-mode",
    "--lens-position",
    "--sync",
];
const FLAGS: [&str; 7] = ["-n", "--inline", "--flush", "--low-latency", "--list-cameras", "--verbose", "--version"];
/// How long a row of the sensor takes, in microseconds: exposures are whole rows.
const ROW_US: f64 = 18.904;

#[expect(clippy::print_stderr, reason = "the original says its errors there")]
#[tokio::main]
async fn main() -> ExitCode {
    let result = match Options::parse(std::env::args().skip(1)) {
        Ok(options) if options.has("--version") => print_version(),
        Ok(options) if options.has("--list-cameras") => list_cameras(options.has("--verbose")),
        Ok(options) => film(options).await,
        Err(e) => Err(e),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("ERROR: *** {e} ***");
            ExitCode::from(255)
        }
    }
}

struct Options(HashMap<String, String>);

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Fallible<Self> {
        let mut options = HashMap::new();
        while let Some(word) = words.next() {
            let known = word != "--sync" || knows_sync();
            let value = if known && WITH_VALUE.contains(&word.as_str()) {
                words.next().ok_or(format!("the required argument for option '{word}' is missing"))?
            } else if FLAGS.contains(&word.as_str()) {
                String::new()
            } else {
                return Err(format!("unrecognised option '{word}'").into());
            };
            options.insert(word, value);
        }
        Ok(Self(options))
    }

    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn get(&self, key: &str) -> Fallible<&str> {
        Ok(self.0.get(key).ok_or(format!("the stand-in needs {key}"))?)
    }

    fn number(&self, key: &str, default: f64) -> Fallible<f64> {
        Ok(self.0.get(key).map_or(Ok(default), |value| value.parse())?)
    }

    /// The options without which the pairing of stream and metadata would not hold.
    fn check(&self) -> Fallible<()> {
        if !self.get("-o")?.ends_with("264") {
            return Err("Could not deduce libav format for the output".into());
        }
        for (key, value) in [("-t", "0"), ("--codec", "h264"), ("--metadata-format", "txt")] {
            if self.get(key)? != value {
                return Err(format!("the stand-in knows {key} {value} only").into());
            }
        }
        if self.number("--gain", 1.0)? < 0.0 || self.number("--shutter", 0.0)? < 0.0 {
            return Err("the stand-in knows no negative gain or shutter".into());
        }
        const LIGHTS: [&str; 8] =
            ["auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy", "custom"];
        if let Some(awb) = self.0.get("--awb").filter(|awb| !LIGHTS.contains(&awb.as_str())) {
            return Err(format!("Invalid AWB mode: {awb}").into());
        }
        if self.0.get("--lens-position").is_some_and(|dioptres| dioptres.parse::<f64>().is_err()) {
            return Err(format!("Invalid lens position: {}", self.get("--lens-position")?).into());
        }
        match ["-n", "--inline", "--flush"].into_iter().find(|key| !self.has(key)) {
            Some(key) => Err(format!("the stand-in needs {key}").into()),
            None => Ok(()),
        }
    }
}

fn env(key: &str, default: &str) -> String {
    std::env::var(key).unwrap_or_else(|_| default.to_owned())
}

fn version() -> String {
    env("STAND_IN_VERSION", "1.12.0")
}

fn knows_sync() -> bool {
    let version = version();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(6))
}

#[expect(clippy::print_stdout, reason = "the version is the output")]
fn print_version() -> Fallible<()> {
    println!("rpicam-apps build: v{} 06-02-2026 (10:11:12)", version());
    println!("rpicam-apps capabilites: egl:1 qt:1 drm:1 libav:1\nlibcamera build: v0.7.0+rpt20260205");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the list is the output")]
fn list_cameras(verbose: bool) -> Fallible<()> {
    match env("STAND_IN_MODEL", "imx477").as_str() {
        "" => println!("No cameras available!"),
        model => println!(
            "Available cameras\n-----------------\n0 : {model} [4056x3040 12-bit RGGB] (/base/soc/i2c0mux/i2c@1/{model}@1a)\n    \
             Modes: 'SRGGB10_CSI2P' : 1332x990 [120.05 fps - (696, 528)/2664x1980 crop]"
        ),
    }
    if verbose && std::env::var_os("STAND_IN_OLD").is_none() {
        println!("\n    Available controls for 4056x3040 SRGGB12_CSI2P mode:");
        println!("    ----------------------------------------------------");
        println!("    AnalogueGain : [1.000000..22.260870]\n    ColourGains : [0.000000..32.000000]");
        println!("    ExposureTime : [114..694422939]");
        if std::env::var_os("STAND_IN_LENS").is_some() {
            println!("    LensPosition : [0.000000..15.000000]");
        }
    }
    Ok(())
}

/// Films until the pictures end or SIGINT comes, whichever is first.
async fn film(options: Options) -> Fallible<()> {
    options.check()?;
    if let Ok(file) = std::env::var("STAND_IN_PID_FILE") {
        std::fs::write(file, std::process::id().to_string())?;
    }
    let folder = tempfile::tempdir()?;
    let mut stream = Fifo::create(&folder.path().join("stream"))?;
    let mut index = Fifo::create(&folder.path().join("index"))?;
    let camera = TestCameraArgs {
        ip: env("STAND_IN_NODE", "127.0.0.1").parse()?,
        name: "rpicam-vid".into(),
        width: options.get("--width")?.parse()?,
        height: options.get("--height")?.parse()?,
        fps: options.get("--framerate")?.parse()?,
        light: 1.0,
        options: env("STAND_IN_CAMERA", "").parse()?,
    };
    let pictures = match options.0.get("--sync").map_or("off", String::as_str) {
        "client" => steered::start(camera, env("STAND_IN_SYNC_PORT", "10000").parse()?)?,
        "off" => {
            let (pictures, sensor) = std::io::pipe()?;
            std::thread::spawn(move || run(&camera, sensor, &SystemClocks));
            pictures
        }
        other => return Err(format!("the stand-in knows no --sync {other}").into()),
    };
    let (rate, intra) = (options.get("--framerate")?, options.get("--intra")?);
    // Two slices a picture, as encoders with two threads write them.
    let x264 = format!("fps={rate}:threads=1:slices=2:repeat-headers=1:scenecut=0:keyint={intra}:min-keyint={intra}");
    let mut encoder = Program::new("ffmpeg")
        .args("-nostdin -loglevel error -probesize 32 -analyzeduration 0 -f ivf -i pipe:0 -map 0:v -copyts".split(' '))
        .args("-fps_mode passthrough -enc_time_base 1:1000000 -c:v libx264 -preset ultrafast".split(' '))
        .args(["-tune", "zerolatency", "-b:v", options.get("--bitrate")?, "-x264-params", &x264, "-f", "tee", "-y"])
        .arg(format!("[f=h264:onfail=abort]{}|[f=framecrc:onfail=abort]{}", stream.shown(), index.shown()))
        .stdin(pictures)
        .spawn()?;
    let stop = Arc::new(AtomicBool::new(false));
    let (from, at, told) = (stream.take_reader()?, index.take_reader()?, Arc::clone(&stop));
    let mut writer = tokio::task::spawn_blocking(move || write_frames(&options, from, at, &told));
    tokio::select! {
        done = &mut writer => done??,
        _ = encoder.wait() => {
            stream.release();
            index.release();
            writer.await??;
        }
        _ = tokio::signal::ctrl_c() => {
            stop.store(true, Ordering::Relaxed);
            // A camera that has no frame just now ends all the same.
            let _ = tokio::time::timeout(Duration::from_millis(100), &mut writer).await;
            std::process::exit(0);
        }
    }
    Ok(())
}

fn write_frames(options: &Options, mut stream: File, index: File, stop: &AtomicBool) -> Fallible<()> {
    let create = |key| -> Fallible<File> { Ok(File::options().write(true).open(options.get(key)?)?) };
    let mut metadata = create("--metadata")?;
    let mut output = None;
    for line in BufReader::new(index).lines() {
        let Line::Packet(packet) = line?.parse()? else { continue };
        let mut picture = vec![0; packet.bytes];
        stream.read_exact(&mut picture)?;
        let output = match &mut output {
            Some(open) => open,
            none => none.insert(create("-o")?),
        };
        output.write_all(&picture)?;
        for line in record(packet.pts, options)?.lines().chain([""]) {
            // The original flushes each line.
            metadata.write_all(format!("{line}\n").as_bytes())?;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(())
}

/// A frame's record, among other controls those that tell the time.
fn record(wall_us: i64, options: &Options) -> Fallible<String> {
    let boottime_ns = (wall_us - SystemClocks.boottime_to_wall_us()) * 1000;
    let stamps = match env("STAND_IN_STAMPS", "us").as_str() {
        "ns" => format!("FrameWallClock={wall_us}456\nSensorTimestamp={boottime_ns}"),
        "sensor" => format!("SensorTimestamp={boottime_ns}"),
        "none" => "Lux=321.5".to_owned(),
        _ => format!("FrameWallClock={wall_us}\nSensorTimestamp={boottime_ns}"),
    };
    // 0 is automatic, as is what is not given.
    let given = |key, automatic| {
        Ok::<f64, Box<dyn Error + Send + Sync>>(match options.number(key, 0.0)? {
            0.0 => automatic,
            number => number,
        })
    };
    let exposure = ((given("--shutter", 9_999.0)? / ROW_US).floor() * ROW_US) as u32;
    let gain = given("--gain", 1.0)?;
    let gains = options.0.get("--awbgains").map_or("1.580234, 2.102357".to_owned(), |gains| gains.replace(',', ", "));
    let lens = match std::env::var_os("STAND_IN_LENS") {
        Some(_) => format!("LensPosition={:.6}\n", options.number("--lens-position", 1.0)?),
        None => String::new(),
    };
    Ok(format!(
        "SensorBlackLevels=[ 4096, 4096, 4096, 4096 ]\nExposureTime={exposure}\nAnalogueGain={gain:.6}\n\
         ColourGains=[ {gains} ]\n{lens}{stamps}\nScalerCrop=(0, 440)/4056x2160"
    ))
}
