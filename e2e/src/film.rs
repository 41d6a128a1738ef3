//! Footage of a display, made of pictures of a real page: what a set of cameras would have brought home, of which every
//! instant is known.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use syncslate_shared::camera::{Key, Settings, Value};
use syncslate_shared::files::{Base, FRAMES_HEADER, FrameRow, Kind};
use syncslate_shared::manifest::{Manifest, SegmentEntry, StampSource};
use syncslate_shared::protocol::{CameraReport, ClockReading};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;

use crate::process::command;

/// The cameras' pictures.
pub const SIZE: [u32; 2] = [640, 360];

/// A display, refresh by refresh.
#[derive(Debug)]
pub struct Display {
    size: [usize; 2],
    /// Microseconds between two refreshes.
    pub period_us: f64,
    /// The brightness of each pixel, a picture a refresh.
    pub refreshes: Vec<Vec<u8>>,
}

impl Display {
    /// Of PNG pictures of the page.
    pub fn of(size: [usize; 2], period_us: f64, pictures: &[Vec<u8>]) -> Self {
        let input = ["-f", "image2pipe", "-c:v", "png", "-i", "pipe:0"];
        let scale = format!("scale={}:{}", size[0], size[1]);
        let output = ["-vf", &scale, "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"];
        let raw = ffmpeg(&[&input[..], &output[..]].concat(), pictures.concat());
        let refreshes: Vec<Vec<u8>> = raw.chunks_exact(size[0] * size[1]).map(<[u8]>::to_vec).collect();
        assert_eq!(refreshes.len(), pictures.len());
        Self { size, period_us, refreshes }
    }

    /// What an exposure sees that begins at `us` and lasts `exposure_us`: of each refresh as much as it lasted.
    fn exposed(&self, us: f64, exposure_us: f64) -> Vec<u8> {
        let share = |k: usize| {
            let (from, to) = (k as f64 * self.period_us, (k + 1) as f64 * self.period_us);
            ((us + exposure_us).min(to) - us.max(from)).max(0.0) / exposure_us
        };
        let mut light = vec![0.0; self.size[0] * self.size[1]];
        for (k, picture) in self.refreshes.iter().enumerate().filter(|(k, _)| share(*k) > 0.0) {
            light.iter_mut().zip(picture).for_each(|(sum, pixel)| *sum += f64::from(*pixel) * share(k));
        }
        light.into_iter().map(|sum| sum.round() as u8).collect()
    }
}

/// A camera before a display.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Its node.
    pub ip: Ipv4Addr,
    /// Frames a second.
    pub fps: f64,
    /// When the first exposure begins, in microseconds after the display's first refresh.
    pub phase_us: f64,
    /// How long each lasts.
    pub exposure_us: f64,
    /// What its stamps are late by, in microseconds.
    pub offset_us: i64,
    /// ffmpeg's filters between the display and the sensor: where it stands, its lens, its noise.
    pub lens: &'static str,
}

impl Camera {
    /// Films the display, whose first refresh was at `t0`, and writes what a node would have written to `folder`.
    pub fn film(&self, display: &Display, folder: &Path, id: &TakeId, t0: Wall) {
        let period = 1e6 / self.fps;
        let length = display.period_us * display.refreshes.len() as f64 - self.exposure_us;
        let begins: Vec<f64> =
            (0..).map(|i| self.phase_us + f64::from(i) * period).take_while(|us| *us < length).collect();
        let pictures: Vec<u8> = begins.iter().flat_map(|us| display.exposed(*us, self.exposure_us)).collect();
        let size = format!("{}x{}", display.size[0], display.size[1]);
        let input = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", &size, "-r", "25", "-i", "pipe:0"];
        let stamps = begins.iter().map(|us| t0.offset_us(*us as i64 + self.offset_us)).collect();
        self.write(folder, id, t0, &input, pictures, stamps);
    }

    /// Films nothing: so many frames of moving bars.
    pub fn film_bars(&self, frames: u32, folder: &Path, id: &TakeId, t0: Wall) {
        let [width, height] = SIZE;
        let source = format!("testsrc2=size={width}x{height}:rate=25");
        let count = frames.to_string();
        let input = ["-f", "lavfi", "-i", &source, "-frames:v", &count];
        let stamps = (0..frames).map(|i| t0.offset_us((f64::from(i) * 1e6 / self.fps) as i64)).collect();
        self.write(folder, id, t0, &input, Vec::new(), stamps);
    }

    fn write(&self, folder: &Path, id: &TakeId, t0: Wall, input: &[&str], pictures: Vec<u8>, stamps: Vec<Wall>) {
        let output = [
            "-vf",
            self.lens,
            "-fps_mode",
            "passthrough",
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
            "-g",
            "15",
            "-b:v",
            "2M",
            "-f",
            "h264",
            "pipe:1",
        ];
        let footage = ffmpeg(&[input, &output].concat(), pictures);
        let base = Base { id: id.clone(), ip: self.ip };
        let folder = folder.join(self.ip.to_string());
        fs::create_dir_all(&folder).unwrap();
        let row = |(i, time): (usize, &Wall)| {
            let bytes = (footage.len() / stamps.len()) as u64;
            let frame = i as u64;
            FrameRow { frame, segment: 0, offset: frame * bytes, bytes, key: i.is_multiple_of(15), time: *time }
        };
        let rows: Vec<String> = stamps.iter().enumerate().map(|frame| row(frame).to_string()).collect();
        fs::write(folder.join(base.file(Kind::Frames)), format!("{FRAMES_HEADER}\n{}\n", rows.join("\n"))).unwrap();
        let manifest = self.manifest(&base, t0, &stamps, footage.len());
        fs::write(folder.join(base.file(Kind::Manifest)), serde_json::to_vec(&manifest).unwrap()).unwrap();
        fs::write(folder.join(base.file(Kind::Segment(0))), footage).unwrap();
    }

    fn manifest(&self, base: &Base, t0: Wall, stamps: &[Wall], bytes: usize) -> Manifest {
        let clock =
            ClockReading { source: Some("chrony".into()), synced: true, offset_us: Some(-17), error_us: Some(83) };
        let mut actual = Settings::default();
        actual.set(Key::ExposureUs, Value::number(self.exposure_us));
        let frames = stamps.len() as u64;
        let segment = SegmentEntry {
            index: 0,
            file: base.file(Kind::Segment(0)),
            first_frame: 0,
            frames,
            bytes: bytes as u64,
            start: stamps[0],
            sha256: "0".repeat(64),
        };
        Manifest {
            v: 1,
            take: base.id.name.clone(),
            id: base.id.clone(),
            stamp: base.id.stamp.clone(),
            ip: self.ip,
            name: format!("cam{}", self.ip.octets()[3] - 100),
            t0,
            t1: stamps.last().map(|last| last.offset_us(40_000)),
            segment_s: 60,
            camera: Some(CameraReport {
                kind: "rpicam".into(),
                width: SIZE[0],
                height: SIZE[1],
                fps: self.fps,
                actual: Some(actual),
                ..CameraReport::default()
            }),
            encoder: Some("libx264".into()),
            stamps: Some(StampSource::Sensor),
            clock_at_roll: Some(clock.clone()),
            clock_at_cut: Some(clock),
            clock_readings: Vec::new(),
            skew_us: Some(stamps[0].since_us(t0)),
            lead_in_frames: 0,
            frames,
            segments: vec![segment],
            gaps: Vec::new(),
            drops: Vec::new(),
            paused: None,
            marks: Vec::new(),
            finished: true,
            version: "0.1.0".into(),
        }
    }
}

/// What ffmpeg makes of these bytes.
fn ffmpeg(arguments: &[&str], input: Vec<u8>) -> Vec<u8> {
    let mut program = command("ffmpeg");
    program.args(["-hide_banner", "-loglevel", "error"]).args(arguments);
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Else both would wait for each other once a pipe is full. One that reads nothing closes its end.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let out = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(out.status.success(), "ffmpeg {}", arguments.join(" "));
    out.stdout
}
