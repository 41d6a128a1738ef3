//! The pipelines behind a USB camera with real ffmpeg: only the device is replaced, by a file whose stamps are those
//! of the test camera's pictures.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use syncslate_shared::settings::Bitrate;
use syncslate_shared::time::{SimClocks, Wall};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::camera::test::{TestCameraArgs, run};
use crate::camera::{CameraEvent, EncoderChoice, Kind};
use crate::decode::read_pictures;
use crate::ivf::FileHeader;
use crate::picture::code::Layout;

const FRAMES: usize = 40;

fn settings() -> CameraSettings {
    CameraSettings {
        kind: Kind::V4l2("/dev/video0".into()),
        name: "left".into(),
        ip: Ipv4Addr::LOCALHOST,
        width: 320,
        height: 240,
        fps: 30.0,
        bitrate: Bitrate(1_000_000),
        gop_ms: 500,
        encoder: EncoderChoice::Libx264,
        controls: Default::default(),
        sync: true,
    }
}

/// What a camera would send, as the input arguments of ffmpeg.
async fn device(codec: &[&str]) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let args = TestCameraArgs {
        ip: Ipv4Addr::LOCALHOST,
        name: "left".into(),
        width: 320,
        height: 240,
        fps: 30.0,
        light: 1.0,
        options: format!("phase_ms=11,frames={FRAMES}").parse().unwrap(),
    };
    let clocks = SimClocks::new(Wall::from_micros(1_761_220_930_123_457), 0.0);
    std::thread::spawn(move || run(&args, writer, &clocks));
    let file = folder.path().join("camera.nut");
    let ended = Program::new("ffmpeg")
        .args("-nostdin -loglevel error -f ivf -i pipe:0 -copyts -fps_mode passthrough".split(' '))
        .args(["-enc_time_base", "1:1000000"])
        .args(codec)
        .args(["-f", "nut"])
        .arg(&file)
        .stdin(reader)
        .spawn()
        .unwrap()
        .wait()
        .await;
    assert!(ended.success(), "{ended}");
    let input = ["-f", "nut", "-i", &file.display().to_string()].map(str::to_owned).into();
    (folder, input)
}

#[tokio::test]
async fn what_the_camera_encodes_comes_with_its_stamps() {
    let x264 = "-c:v libx264 -preset ultrafast -tune zerolatency -g 15 -x264-params fps=30:slices=2:repeat-headers=1";
    let (folder, input) = device(&x264.split(' ').collect::<Vec<_>>()).await;
    let (sink, mut events) = mpsc::channel(8);
    let camera = tokio::spawn(async move { capture::coded(input, Some("C920".into()), &sink).await });
    let (mut up, mut units) = (None, Vec::new());
    while let Some(event) = events.recv().await {
        match event {
            CameraEvent::Up(facts) => up = facts.model,
            CameraEvent::Unit(unit) => units.push(unit),
            other => panic!("{other:?}"),
        }
    }
    let end = camera.await.unwrap();
    assert_eq!((up.as_deref(), end.code), (Some("C920"), "camera_exited"));
    assert!(end.message.contains("exit status: 0"), "{}", end.message);
    let file = folder.path().join("all.h264");
    std::fs::write(&file, units.iter().flat_map(|u| u.data.to_vec()).collect::<Vec<u8>>()).unwrap();
    let pictures = read_pictures(&file).await.unwrap();
    assert_eq!((units.len(), pictures.len()), (FRAMES, FRAMES));
    for (n, (unit, picture)) in units.iter().zip(pictures).enumerate() {
        assert_eq!(unit.time.micros(), (picture.code.unwrap().time_ns / 1000) as i64);
        assert_eq!(unit.key, n % 15 == 0, "{n}");
    }
}

#[tokio::test]
async fn what_has_to_be_decoded_becomes_one_stream_with_its_stamps() {
    for codec in ["-c:v mjpeg -q:v 4 -pix_fmt yuvj420p", "-c:v rawvideo -pix_fmt yuyv422"] {
        let (_folder, input) = device(&codec.split(' ').collect::<Vec<_>>()).await;
        let camera = capture::decoded(input, None, &settings()).map_err(|end| end.message).unwrap();
        let (mut child, mut ivf, keep) = (camera.child, camera.ivf, camera.keep);
        let reading = tokio::task::spawn_blocking(move || {
            let mut header = [0; 32];
            ivf.read_exact(&mut header).unwrap();
            let header = FileHeader::parse(&header).unwrap();
            let layout = Layout::of(320, 240).unwrap();
            for n in 0..FRAMES {
                let (mut frame, mut picture) = ([0; 12], vec![0; header.picture_bytes()]);
                ivf.read_exact(&mut frame).unwrap();
                ivf.read_exact(&mut picture).unwrap();
                let code = layout.read(&picture).unwrap();
                let time = header.parse_frame(&frame).unwrap().time;
                assert_eq!((time.micros(), code.counter), ((code.time_ns / 1000) as i64, n as u32));
            }
            ivf
        });
        let mut ivf = reading.await.unwrap();
        assert!(child.wait().await.success());
        // Once the camera is dropped the stream ends: its thread does not wait for ever.
        drop(keep);
        let rest = tokio::task::spawn_blocking(move || ivf.read_to_end(&mut Vec::new()));
        assert_eq!(rest.await.unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn a_device_that_is_not_there_or_no_camera_is_told() {
    let (sink, _events) = mpsc::channel(8);
    let end = run_once(&PathBuf::from("/dev/video99"), &settings(), &sink).await;
    assert_eq!(end.code, "camera_not_found");
    assert!(end.message.starts_with("there is no /dev/video99"), "{}", end.message);
    let end = run_once(Path::new("/dev/null"), &settings(), &sink).await;
    assert_eq!(end.code, "camera_not_found");
    assert!(end.message.starts_with("/dev/null has no pictures in H.264, MJPEG or YUYV; ffmpeg says: /dev/null"));
}
