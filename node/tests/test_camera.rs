//! The test camera through a real encoder and back: what its pictures say survives, to the nanosecond.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::PipeReader;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use syncslate_node::camera::test::{SensorClocks, TestCameraArgs, run};
use syncslate_node::decode::{Picture, read_pictures};
use syncslate_shared::child::Program;
use syncslate_shared::time::{Clocks as _, Mono, SystemClocks};

const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 101);

/// Clocks that jump to where the camera waits for, so that it films as fast as the encoder takes it.
struct Hurried(AtomicI64);

const OFFSET_US: i64 = 1_761_220_930_123_456;

impl SensorClocks for Hurried {
    fn mono(&self) -> Mono {
        Mono::from_micros(self.0.load(Ordering::Relaxed))
    }
    fn mono_to_wall_us(&self) -> i64 {
        OFFSET_US
    }
    fn wait_until(&self, when: Mono) {
        self.0.fetch_max(when.micros(), Ordering::Relaxed);
    }
}

/// Films with the clocks given; the stream can be read from the pipe.
fn film(size: (u32, u32), options: &str, clocks: impl SensorClocks + Send + 'static) -> PipeReader {
    let args = TestCameraArgs {
        ip: NODE,
        name: "left".into(),
        width: size.0,
        height: size.1,
        fps: 30.0,
        light: 1.0,
        options: options.parse().unwrap(),
    };
    let (reader, writer) = std::io::pipe().unwrap();
    thread::spawn(move || run(&args, writer, &clocks).unwrap());
    reader
}

/// Encodes the stream as the node does and reads the pictures back.
async fn through_the_encoder(ivf: PipeReader, bitrate: &str, file: &Path) -> Vec<Picture> {
    let encoder = Program::new("ffmpeg")
        .args("-nostdin -loglevel warning -f ivf -i pipe:0 -copyts -fps_mode passthrough".split(' '))
        .args("-enc_time_base 1:1000000 -c:v libx264 -preset ultrafast -tune zerolatency".split(' '))
        .args(["-x264-params", "fps=30/1:threads=1", "-g", "15", "-b:v", bitrate, "-maxrate", bitrate])
        .args(["-bufsize", bitrate, "-f", "h264", "-y"])
        .arg(file)
        .stdin(ivf);
    let ended = encoder.spawn().unwrap().wait().await;
    assert!(ended.success(), "{ended}");
    read_pictures(file).await.unwrap()
}

#[tokio::test]
async fn what_pictures_say_survives_an_encoder_that_starves() {
    for (size, bitrate) in [((640, 360), "1M"), ((640, 360), "200k"), ((160, 90), "60k"), ((1280, 720), "1M")] {
        let folder = tempfile::tempdir().unwrap();
        let ivf = film(size, "phase_ms=11,frames=150", Hurried(AtomicI64::new(1_000_000)));
        let pictures = through_the_encoder(ivf, bitrate, &folder.path().join("a.h264")).await;
        assert_eq!(pictures.len(), 150, "{size:?} {bitrate}");
        for picture in pictures {
            let code = picture.code.unwrap_or_else(|| panic!("{size:?} {bitrate}: {picture:?}"));
            assert_eq!((u64::from(code.counter), code.ip), (picture.index, NODE));
            // 11 ms after a multiple of 1/30 s: three times that is 33 ms after a multiple of 100 ms.
            let off = (code.time_ns * 3) % 100_000_000;
            assert!(off.abs_diff(33_000_000) <= 3, "{picture:?}");
        }
    }
}

#[tokio::test]
async fn in_real_time_no_frame_is_missing_and_stamps_are_the_machines_own() {
    let folder = tempfile::tempdir().unwrap();
    let clocks = SystemClocks;
    let before = clocks.wall().micros();
    let ivf = film((640, 360), "phase_ms=22.5,start_ms=100,frames=60", clocks);
    let pictures = through_the_encoder(ivf, "1M", &folder.path().join("a.h264")).await;
    let after = clocks.wall().micros();
    let times: Vec<i64> = pictures.iter().map(|p| (p.code.unwrap().time_ns / 1000) as i64).collect();
    assert_eq!(times.len(), 60);
    assert!(times.iter().all(|t| (before + 100_000..after).contains(t)), "{before} {times:?} {after}");
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 33_333).abs() < 50, "{times:?}");
    }
}
