//! Starts the camera and starts it again whenever it ends, whatever its exit code says, after a growing pause.

use std::time::Duration;

use syncslate_shared::time::{Clocks as _, SystemClocks};
use tokio::task::JoinHandle;

use crate::camera::{CameraEnd, CameraEvent, CameraSettings, Kind, Sink, command, rpicam, test, v4l2};
use crate::encoder;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// A camera that ran so long has earned a quick restart again.
const PROVEN: Duration = Duration::from_secs(10);

/// A camera that is kept running; dropping it ends its children.
#[derive(Debug)]
pub struct Running(JoinHandle<()>);

impl Running {
    /// Starts it. Within a tokio runtime.
    pub fn start(settings: CameraSettings, sink: Sink) -> Self {
        Self(tokio::spawn(supervise(settings, sink)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(settings: CameraSettings, sink: Sink) {
    let mut pause = FIRST_PAUSE;
    loop {
        let started = SystemClocks.mono();
        if sink.send(CameraEvent::Starting).await.is_err() {
            return;
        }
        let CameraEnd { code, message } = run_once(&settings, &sink).await;
        tracing::warn!(code, "the camera ended: {message}");
        if sink.send(CameraEvent::Down { code, message }).await.is_err() {
            return;
        }
        if SystemClocks.mono().since(started) >= PROVEN {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

async fn run_once(settings: &CameraSettings, sink: &Sink) -> CameraEnd {
    let raw = match &settings.kind {
        Kind::Rpicam => return rpicam::run_once(settings, sink).await,
        Kind::V4l2(device) => return v4l2::run_once(device, settings, sink).await,
        Kind::Test(options) => test::start(settings, options),
        Kind::Command(line) => command::start(settings, line),
    };
    match raw {
        Ok(camera) => encoder::run_once(camera, settings, sink).await,
        Err(end) => end,
    }
}
