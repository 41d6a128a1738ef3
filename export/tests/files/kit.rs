//! Takes of real H.264 with stamps of our choice, and the tools that judge what is made of them.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use syncslate_export::Stopped;
use syncslate_export::footage::{self, Footage};
use syncslate_export::job::{Job, Outcome};
use syncslate_export::rate::Zone;
use syncslate_shared::files::{Base, FRAMES_HEADER, Kind};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;
use tempfile::TempDir;

/// 2025-10-23T12:02:10.5Z
pub(crate) const T0: i64 = 1_761_220_930_500_000;
pub(crate) const ID: &str = "A_20251023_140210";

/// The folder of a take.
pub(crate) struct Take {
    folder: TempDir,
}

/// A camera of it.
pub(crate) struct Camera<'a> {
    pub(crate) ip: Ipv4Addr,
    pub(crate) name: &'a str,
    pub(crate) fps: f64,
    /// What ffmpeg encodes with, beside `-tune zerolatency`.
    pub(crate) encoder: &'a [&'a str],
    /// Frames of a footage file.
    pub(crate) segment: usize,
    /// Microseconds of each frame after T0.
    pub(crate) times: Vec<i64>,
}

impl Default for Camera<'_> {
    fn default() -> Self {
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        Self { ip, name: "left", fps: 30.0, encoder: &["-preset", "ultrafast"], segment: 60, times: Vec::new() }
    }
}

/// `count` times from `from` on, with a small jitter that is always the same.
pub(crate) fn times(count: usize, from: i64, period: f64) -> Vec<i64> {
    (0..count).map(|i| from + (i as f64 * period) as i64 + if i > 0 { (i as i64 * 7919) % 300 } else { 0 }).collect()
}

pub(crate) fn id() -> TakeId {
    TakeId::try_from(ID.to_owned()).unwrap()
}

impl Take {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn footage(&self, camera: &Camera<'_>) -> Footage {
        footage::read(self.folder(), &id(), camera.ip).unwrap()
    }

    /// Records: one picture of ffmpeg's test source for each time, a key frame every 15.
    pub(crate) fn record(&self, camera: &Camera<'_>, t1_us: i64) {
        let node = self.folder().join(camera.ip.to_string());
        fs::create_dir_all(&node).unwrap();
        let base = Base { id: id(), ip: camera.ip };
        let count = camera.times.len();
        let (mut table, mut segments) = (format!("{FRAMES_HEADER}\n"), Vec::new());
        for (index, first) in (0..count).step_by(camera.segment).enumerate() {
            let frames = camera.segment.min(count - first);
            let file = base.file(Kind::Segment(index as u32));
            encode(&node.join(&file), camera.encoder, first, frames);
            let places = places(&node.join(&file));
            assert_eq!(places.len(), frames);
            let bytes = fs::metadata(node.join(&file)).unwrap().len();
            for (i, (at, key)) in places.iter().enumerate() {
                let end = places.get(i + 1).map_or(bytes, |next| next.0);
                let time = T0 + camera.times[first + i];
                table += &format!("{},{index},{at},{},{},{time}\n", first + i, end - at, u8::from(*key));
            }
            segments.push(json!({"index": index, "file": file, "first_frame": first, "frames": frames, "bytes": bytes,
                "start": Wall::from_micros(T0 + camera.times[first]), "sha256": "0".repeat(64)}));
        }
        fs::write(node.join(base.file(Kind::Frames)), table).unwrap();
        let manifest = json!({
            "v": 1, "take": "A", "id": ID, "stamp": "20251023_140210", "ip": camera.ip, "name": camera.name,
            "t0": Wall::from_micros(T0), "t1": Wall::from_micros(T0 + t1_us), "segment_s": 60,
            "camera": {"kind": "test", "model": null, "width": 320, "height": 180, "fps": camera.fps, "start_ms": 1,
                "ring_s": 4.0},
            "encoder": "libx264", "stamps": "sensor", "clock_at_roll": null, "clock_at_cut": null, "skew_us": null,
            "lead_in_frames": 0, "frames": count, "segments": segments, "gaps": [], "marks": [], "finished": true,
            "version": "0.1.0",
        });
        fs::write(node.join(base.file(Kind::Manifest)), manifest.to_string()).unwrap();
    }
}

fn encode(file: &Path, encoder: &[&str], first: usize, frames: usize) {
    let source = format!("testsrc2=size=320x180:rate=30,trim=start_frame={first}");
    let mut ffmpeg = program("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", &source, "-frames:v", &frames.to_string()]);
    ffmpeg.args(["-pix_fmt", "yuv420p", "-c:v", "libx264", "-tune", "zerolatency", "-g", "15"]).args(encoder);
    done(ffmpeg.args(["-f", "h264"]).arg(file));
}

/// Where each frame of a raw stream begins, and whether it is a key frame.
fn places(file: &Path) -> Vec<(u64, bool)> {
    let packets = probe(&["-f", "h264", "-show_entries", "packet=pos,flags"], file);
    let place = |packet: &Value| {
        let flags = packet["flags"].as_str().unwrap();
        (packet["pos"].as_str().unwrap().parse().unwrap(), flags.starts_with('K'))
    };
    packets["packets"].as_array().unwrap().iter().map(place).collect()
}

#[allow(clippy::disallowed_methods, reason = "tools that judge, in a test")]
pub(crate) fn program(name: &str) -> Command {
    Command::new(name)
}

pub(crate) fn done(command: &mut Command) -> Output {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out
}

/// What ffprobe says of a file.
pub(crate) fn probe(args: &[&str], file: &Path) -> Value {
    let out = done(program("ffprobe").args(["-hide_banner", "-loglevel", "error", "-of", "json"]).args(args).arg(file));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The MD5 of a film's video as ffmpeg gives it in Annex B.
pub(crate) fn stream_md5(file: &Path) -> String {
    let mut ffmpeg = program("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-ignore_editlist", "1", "-i"]).arg(file);
    ffmpeg.args(["-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "md5", "-"]);
    String::from_utf8(done(&mut ffmpeg).stdout).unwrap().trim().to_owned()
}

/// The MD5 of the footage files' bytes.
pub(crate) fn footage_md5(footage: &Footage) -> String {
    let paths: Vec<PathBuf> = footage.segments().into_iter().map(|segment| footage.path(segment)).collect();
    let mut ffmpeg = program("sh");
    ffmpeg.args(["-c", r#"cat "$@" | md5sum | cut -d' ' -f1"#, "sh"]).args(paths);
    format!("MD5={}", String::from_utf8(done(&mut ffmpeg).stdout).unwrap().trim())
}

/// The times of a film's shown frames in microseconds, as a decoder gives them.
pub(crate) fn shown_us(file: &Path) -> Vec<i64> {
    let frames = probe(&["-select_streams", "v:0", "-show_entries", "frame=pts_time"], file);
    let us = |frame: &Value| (frame["pts_time"].as_str().unwrap().parse::<f64>().unwrap() * 1e6).round() as i64;
    frames["frames"].as_array().unwrap().iter().map(us).collect()
}

/// The whole export of the take, into a folder beside its footage.
pub(crate) fn job(take: &Take, conform: bool) -> Job {
    let to = take.folder().join("editor");
    Job { folder: take.folder().to_owned(), id: id(), to, conform, proxies: false, zone: Zone::Utc, marks: Vec::new() }
}

/// Does it.
pub(crate) async fn run(job: Job) -> Result<Outcome, Stopped> {
    tokio::task::spawn_blocking(move || syncslate_export::job::run(&job, &mut |_| true)).await.unwrap()
}
