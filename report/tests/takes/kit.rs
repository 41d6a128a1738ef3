//! Simulated cameras: what a node would have written, of frames whose every property is known.

use std::net::Ipv4Addr;

use syncslate_report::table::Table;
use syncslate_report::{Limits, NodeInput, Report};
use syncslate_shared::files::{FRAMES_HEADER, FrameRow};
use syncslate_shared::manifest::{Drop, DropSide, Gap, Manifest, StampSource, TimedReading};
use syncslate_shared::protocol::{CameraReport, ClockReading};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;

/// On the grid of T0.
pub(crate) const T0: Wall = Wall::from_micros(1_761_220_930_500_000);
pub(crate) const PERIOD: f64 = 1e6 / 30.0;

pub(crate) fn id() -> TakeId {
    TakeId::try_from("A01_20251023_140210".to_owned()).unwrap()
}

/// A camera, as it would be with nothing wrong.
#[derive(Clone, Debug)]
pub(crate) struct Camera {
    pub(crate) n: u8,
    pub(crate) phase_us: f64,
    pub(crate) ppm: f64,
    /// Largest deviation of a stamp, either way.
    pub(crate) jitter_us: f64,
    pub(crate) seconds: f64,
    /// Frames that are lost, by number of period since T0.
    pub(crate) drops: Vec<u64>,
    /// Silence: from, to in seconds since T0, the manifest's word for it, and by how much the phase has changed after it.
    pub(crate) gaps: Vec<(f64, f64, Option<&'static str>, f64)>,
    /// The clock is set by so much at so many seconds.
    pub(crate) step: Option<(f64, f64)>,
    pub(crate) fps: f64,
    pub(crate) clock: Option<ClockReading>,
    pub(crate) stamps: StampSource,
}

pub(crate) fn camera(n: u8, phase_us: f64, ppm: f64) -> Camera {
    Camera {
        n,
        phase_us,
        ppm,
        jitter_us: 40.0,
        seconds: 180.0,
        drops: Vec::new(),
        gaps: Vec::new(),
        step: None,
        fps: 30.0,
        clock: Some(in_step(83)),
        stamps: StampSource::Sensor,
    }
}

pub(crate) fn in_step(error_us: i64) -> ClockReading {
    ClockReading { source: Some("chrony".into()), synced: true, offset_us: Some(-17), error_us: Some(error_us) }
}

/// Numbers that look like chance and are always the same.
struct Chance(u64);

impl Chance {
    /// From −1 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

impl Camera {
    pub(crate) fn ip(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 1, 100 + self.n)
    }

    /// The stamps of what is kept, by the number of the period since T0.
    pub(crate) fn frames(&self) -> Vec<(u64, i64)> {
        let mut chance = Chance(u64::from(self.n) + 1);
        let period = 1e6 / self.fps * (1.0 + self.ppm * 1e-6);
        let mut frames = Vec::new();
        for k in 0.. {
            let jumped: f64 = self.gaps.iter().filter(|gap| k as f64 * period / 1e6 >= gap.1).map(|gap| gap.3).sum();
            let us = self.phase_us + jumped + k as f64 * period + chance.next() * self.jitter_us;
            let s = us / 1e6;
            let stepped = self.step.filter(|(at, _)| s >= *at).map_or(0.0, |(_, by)| by * 1e6);
            if us + stepped >= self.seconds * 1e6 {
                return frames;
            }
            let lost = self.drops.contains(&k) || self.gaps.iter().any(|gap| (gap.0..gap.1).contains(&s));
            if us >= 0.0 && !lost {
                frames.push((k, T0.micros() + (us + stepped).round() as i64));
            }
        }
        frames
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let frames = self.frames();
        let span = |k: u64| {
            let after = frames.partition_point(|(n, _)| *n <= k);
            (Wall::from_micros(frames[after - 1].1), Wall::from_micros(frames[after].1))
        };
        let drops = self.drops.iter().map(|k| {
            let (from, to) = span(*k);
            Drop { from, to, frames: 1, by: DropSide::Camera }
        });
        let gaps = self.gaps.iter().filter(|gap| gap.2.is_some()).filter_map(|(from, to, cause, _)| {
            let middle = ((from + to) / 2.0 * 1e6 / PERIOD) as u64;
            let (from, to) = span(middle);
            let detail = "the camera sent no picture for 1.5 s and is started again".into();
            cause.map(|cause| Gap { from, to, cause: cause.into(), detail })
        });
        let minutes = (1..).map(|m| f64::from(m) * 60.0).take_while(|s| *s < self.seconds);
        let reading = |s: f64| Some(TimedReading { at: T0.offset_us((s * 1e6) as i64), clock: self.clock.clone()? });
        Manifest {
            v: 1,
            take: id().name,
            id: id(),
            stamp: id().stamp,
            ip: self.ip(),
            name: format!("cam{}", self.n),
            t0: T0,
            t1: Some(T0.offset_us((self.seconds * 1e6) as i64)),
            segment_s: 60,
            camera: Some(CameraReport {
                kind: "test".into(),
                model: None,
                width: 640,
                height: 360,
                fps: self.fps,
                start_ms: 300,
                ring_s: 4.0,
                ..CameraReport::default()
            }),
            encoder: Some("libx264".into()),
            stamps: Some(self.stamps),
            clock_at_roll: self.clock.clone(),
            clock_at_cut: self.clock.clone(),
            clock_readings: minutes.filter_map(reading).collect(),
            skew_us: frames.first().map(|(_, us)| us - T0.micros()),
            lead_in_frames: 0,
            frames: frames.len() as u64,
            segments: Vec::new(),
            gaps: gaps.collect(),
            drops: drops.collect(),
            paused: None,
            marks: Vec::new(),
            finished: true,
            version: "0.1.0".into(),
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let row = |(frame, (_, us)): (usize, &(u64, i64))| FrameRow {
            frame: frame as u64,
            segment: 0,
            offset: frame as u64 * 4000,
            bytes: 4000,
            key: frame.is_multiple_of(15),
            time: Wall::from_micros(*us),
        };
        let rows = self.frames();
        std::iter::once(FRAMES_HEADER.to_owned()).chain(rows.iter().enumerate().map(|f| row(f).to_string())).collect()
    }

    pub(crate) fn csv(&self) -> String {
        self.lines().join("\n") + "\n"
    }

    pub(crate) fn input(&self) -> NodeInput {
        let table = Table::read(self.csv().as_bytes()).map_err(|e| e.to_string());
        NodeInput { ip: self.ip(), manifest: Ok(self.manifest()), table: Some(table) }
    }
}

pub(crate) fn of(inputs: Vec<NodeInput>) -> Report {
    syncslate_report::report("A01", &id(), inputs, Vec::new(), &Limits::default()).unwrap()
}

pub(crate) fn film(cameras: &[Camera]) -> Report {
    of(cameras.iter().map(Camera::input).collect())
}

/// The words of the reasons that weigh something.
pub(crate) fn codes(report: &Report) -> Vec<String> {
    let weighs = |r: &&syncslate_report::model::Reason| r.weight > syncslate_report::model::Weight::Info;
    report.reasons.iter().filter(weighs).map(|reason| reason.code.clone()).collect()
}

#[track_caller]
pub(crate) fn near(what: &str, found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{what} is {found}, not {expected} ± {within}");
}
