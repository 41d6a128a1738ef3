//! The CSI camera with a stand-in for `rpicam-vid`: every picture comes with the time that it shows.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use syncslate_node::camera::rpicam::Guidance;
use syncslate_node::camera::{
    AccessUnit, CameraEnd, CameraEvent, CameraFacts, CameraSettings, EncoderChoice, Kind, Steering, rpicam,
};
use syncslate_node::decode::read_pictures;
use syncslate_shared::camera::{Can, Key, Settings};
use syncslate_shared::child::Program;
use syncslate_shared::manifest::StampSource;
use syncslate_shared::settings::Bitrate;
use tokio::sync::mpsc;

fn settings() -> CameraSettings {
    CameraSettings {
        kind: Kind::Rpicam,
        name: "left".into(),
        ip: Ipv4Addr::new(127, 0, 1, 101),
        width: 320,
        height: 240,
        fps: 30.0,
        bitrate: Bitrate(1_000_000),
        gop_ms: 500,
        encoder: EncoderChoice::Auto,
        controls: Settings::default(),
        sync: false,
    }
}

struct Run {
    can: Option<Can>,
    set: Settings,
    up: Option<CameraFacts>,
    units: Vec<AccessUnit>,
    end: CameraEnd,
}

/// The stand-in with these variables in its environment.
fn stand_in(env: &[(&str, &str)]) -> Program {
    let program = Program::new(env!("CARGO_BIN_EXE_rpicam-vid-stand-in"));
    env.iter().fold(program, |program, (key, value)| program.env(key, value))
}

/// Runs the camera until it ends by itself.
async fn film(env: &'static [(&str, &str)]) -> Run {
    film_with(env, json!({})).await
}

/// The same with these controls.
async fn film_with(env: &'static [(&str, &str)], controls: Value) -> Run {
    let settings = CameraSettings { controls: serde_json::from_value(controls).unwrap(), ..settings() };
    run(env.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(), Guidance::default(), settings).await
}

/// The same, held on the frame grid; the camera listens on the port `off` above the one that it is told on.
async fn steer(env: &[(&'static str, &str)], off: u16, settings: CameraSettings) -> Run {
    let free = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    // Generous where it must hear, for a machine that is busy; short where it cannot.
    let patience = Duration::from_secs(if off == 0 { 20 } else { 1 });
    let guidance = Guidance { port: free - off, patience };
    let env = env.iter().map(|(key, value)| (*key, (*value).to_owned()));
    run(env.chain([("STAND_IN_SYNC_PORT", free.to_string())]).collect(), guidance, settings).await
}

async fn run(env: Vec<(&'static str, String)>, guidance: Guidance, settings: CameraSettings) -> Run {
    let (sink, mut events) = mpsc::channel(8);
    let running = tokio::spawn(async move {
        let program = || {
            let env: Vec<_> = env.iter().map(|(key, value)| (*key, value.as_str())).collect();
            stand_in(&env)
        };
        rpicam::run_program(program, guidance, &settings, &sink).await
    });
    let (mut up, mut units, mut can, mut set) = (None, Vec::new(), None, Settings::default());
    while let Some(event) = events.recv().await {
        match event {
            CameraEvent::Up(facts) => up = Some(facts),
            CameraEvent::Unit(unit) => units.push(unit),
            CameraEvent::Can(told) => can = Some(told),
            CameraEvent::Set(told) => set = told,
            other => panic!("{other:?}"),
        }
    }
    Run { can, set, up, units, end: running.await.unwrap() }
}

/// The difference of each unit's stamp from the time in its picture, in microseconds.
async fn stamp_errors(units: &[AccessUnit]) -> Vec<i64> {
    let file = tempfile::NamedTempFile::with_suffix(".h264").unwrap();
    std::fs::write(file.path(), units.iter().flat_map(|u| u.data.to_vec()).collect::<Vec<u8>>()).unwrap();
    let pictures = read_pictures(file.path()).await.unwrap();
    assert_eq!(pictures.len(), units.len());
    let true_us = pictures.iter().map(|p| (p.code.unwrap().time_ns / 1000) as i64);
    units.iter().zip(true_us).map(|(unit, truth)| unit.time.micros() - truth).collect()
}

#[tokio::test]
async fn every_picture_comes_with_the_time_that_it_shows() {
    const CAMERA: (&str, &str) = ("STAND_IN_CAMERA", "start_ms=50,frames=33,patience_ms=8000");
    let (us, ns, sensor) = tokio::join!(
        film(&[CAMERA]),
        film(&[CAMERA, ("STAND_IN_STAMPS", "ns")]),
        film(&[CAMERA, ("STAND_IN_STAMPS", "sensor")]),
    );
    for (stamps, run) in [("us", us), ("ns", ns), ("sensor", sensor)] {
        let facts = CameraFacts {
            model: Some("imx477".into()),
            encoder: "camera".into(),
            stamps: StampSource::Sensor,
            steering: Steering::Free,
        };
        assert_eq!(run.up, Some(facts));
        assert_eq!(run.units.len(), 33, "{stamps}: {:?}", run.end);
        let errors = stamp_errors(&run.units).await;
        assert!(errors.iter().all(|us| us.abs() <= 3), "{stamps}: {errors:?} µs");
        for (n, unit) in run.units.iter().enumerate() {
            assert_eq!(unit.key, n % 15 == 0, "{n}");
        }
        assert_eq!(run.end.code, "camera_exited");
        assert!(run.end.message.contains("rpicam-vid-stand-in -n -t 0 ") && run.end.message.contains("exit status: 0"));
    }
}

#[tokio::test]
async fn a_camera_that_hears_of_the_frame_grid_films_on_it() {
    const CAMERA: (&str, &str) = ("STAND_IN_CAMERA", "start_ms=50,phase_ms=21,ppm=80,frames=240,patience_ms=20000");
    let run = steer(&[CAMERA], 0, CameraSettings { sync: true, ..settings() }).await;
    assert_eq!(run.up.map(|facts| facts.steering), Some(Steering::Grid));
    assert!(run.end.message.contains(" --sync client -o "), "{}", run.end.message);
    assert!(run.units.len() > 150, "{} of 240 pictures, the rest from before it was ready", run.units.len());
    let errors = stamp_errors(&run.units).await;
    assert!(errors.iter().all(|us| us.abs() <= 3), "{errors:?} µs");
    let grid = settings().grid();
    // A machine that is busy may tell it a little late: then the first pictures are brought in while they are seen.
    for (n, unit) in run.units.iter().enumerate().skip(60) {
        let off = grid.off_us(unit.time);
        assert!(off.abs() <= 150, "picture {n} lies {off} µs off the grid");
    }
    let halves: Vec<_> = run.units.iter().filter(|unit| unit.key).map(|unit| unit.time.micros() % 500_000).collect();
    let beside = halves.iter().skip(4).filter(|us| (151..499_850).contains(*us)).count();
    assert_eq!(beside, 0, "key frames lie where T0 does: {halves:?}");
}

#[tokio::test]
async fn a_camera_that_cannot_be_held_runs_free_and_says_why() {
    const CAMERA: (&str, &str) = ("STAND_IN_CAMERA", "start_ms=50,frames=33,patience_ms=8000");
    let held = CameraSettings { sync: true, ..settings() };
    let (old, deaf) = tokio::join!(
        steer(&[CAMERA, ("STAND_IN_VERSION", "1.5.3")], 0, held.clone()),
        steer(&[("STAND_IN_CAMERA", "start_ms=50,frames=75,patience_ms=8000")], 1, held),
    );
    for (run, why) in [(old, "rpicam-vid 1.5 knows no `--sync`"), (deaf, "sent no picture")] {
        assert!(run.units.len() >= 33, "{} pictures: {:?}", run.units.len(), run.end);
        let Some(CameraFacts { steering: Steering::Unable { why: said, .. }, .. }) = run.up else { panic!("{why}") };
        assert!(said.contains(why), "{said}");
        assert!(!run.end.message.contains("--sync"), "{}", run.end.message);
    }
}

#[tokio::test]
async fn what_is_wished_is_asked_for_and_read_back() {
    const CAMERA: (&str, &str) = ("STAND_IN_CAMERA", "start_ms=50,frames=40,patience_ms=8000");
    let wished = json!({"exposure_us": 8000, "gain": 2.5, "awb": {"red": 1.7, "blue": 1.25}, "focus": 0.5});
    let lens = film_with(&[CAMERA, ("STAND_IN_LENS", "1")], wished.clone()).await;
    let asked = "--shutter 8000 --gain 2.5 --awbgains 1.7,1.25 --autofocus-mode manual --lens-position 0.5 --inline";
    assert!(lens.end.message.contains(asked), "{}", lens.end.message);
    let read = json!({"exposure_us": 7996, "gain": 2.5, "awb": {"red": 1.7, "blue": 1.25}, "focus": 0.5});
    assert_eq!(serde_json::to_value(&lens.set).unwrap(), read);
    let wished: Settings = serde_json::from_value(wished).unwrap();
    assert_eq!(wished.missed(&lens.set), [], "a row of the sensor is no difference");
    let can = lens.can.unwrap();
    assert_eq!(serde_json::to_value(can.0[&Key::Gain]).unwrap(), json!({"from": 1, "to": 22.261}));
    assert_eq!((can.has(Key::Focus), can.0[&Key::Width].to.f64()), (true, 4056.0));

    let old = film_with(&[CAMERA, ("STAND_IN_OLD", "1")], json!({"awb": "daylight"})).await;
    assert!(old.end.message.contains("--awb daylight --inline"), "{}", old.end.message);
    let can = old.can.unwrap();
    assert_eq!((can.has(Key::Gain), can.has(Key::Focus)), (true, false));
    assert_eq!(old.set.number(Key::ExposureUs), Some(9981.0), "automatic");
}

#[tokio::test]
async fn no_camera_and_no_program_are_told_apart_from_an_end() {
    let run = film(&[("STAND_IN_MODEL", "")]).await;
    assert_eq!((run.end.code, run.up), ("camera_not_found", None));
    assert!(run.end.message.contains("finds no camera") && run.end.message.contains("hint: check the ribbon cable"));
    let (sink, _events) = mpsc::channel(8);
    let end = rpicam::run_program(|| Program::new("no-rpicam-vid"), Guidance::default(), &settings(), &sink).await;
    assert_eq!(end.code, "camera_not_found");
    assert!(end.message.contains("hint: install `no-rpicam-vid`"), "{}", end.message);
}

#[tokio::test]
async fn metadata_without_stamps_end_the_camera_with_the_reason() {
    let run = film(&[("STAND_IN_STAMPS", "none"), ("STAND_IN_CAMERA", "start_ms=0")]).await;
    assert_eq!(run.units, []);
    assert_eq!(run.end.message, "the camera's metadata have neither FrameWallClock nor SensorTimestamp");
}

#[tokio::test]
async fn dropping_the_future_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let (pid_name, (sink, mut events)) = (pid_file.display().to_string(), mpsc::channel(8));
    let program = move || stand_in(&[("STAND_IN_PID_FILE", &pid_name)]);
    let running =
        tokio::spawn(async move { rpicam::run_program(program, Guidance::default(), &settings(), &sink).await });
    while !matches!(events.recv().await.unwrap(), CameraEvent::Unit(_)) {}
    let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    running.abort();
    let gone = || !Path::new(&format!("/proc/{pid}/fd")).exists() || is_zombie(pid);
    let deadline = tokio::time::timeout(Duration::from_secs(5), async {
        while !gone() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    deadline.await.unwrap();
}

fn is_zombie(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}
