//! Starts the camera and starts it again whenever it ends, whatever its exit code says, after a growing pause.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncslate_shared::time::{Clocks as _, Mono, SystemClocks};
use tokio::task::JoinHandle;

use crate::camera::{CameraEnd, CameraEvent, CameraSettings, Kind, Sink, command, rpicam, test, v4l2};
use crate::encoder;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// A camera that ran so long has earned a quick restart again.
const PROVEN: Duration = Duration::from_secs(3);

/// How long what ended is left alone before it is started again: longer each time, until it has run for a while.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
    started: Option<Mono>,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { pause: FIRST_PAUSE, started: None }
    }

    pub(crate) fn on_start(&mut self, now: Mono) {
        self.started = Some(now);
    }

    pub(crate) fn on_end(&mut self, now: Mono) -> Duration {
        if self.started.take().is_some_and(|started| now.since(started) >= PROVEN) {
            self.pause = FIRST_PAUSE;
        }
        let next = (self.pause * 2).min(LAST_PAUSE);
        std::mem::replace(&mut self.pause, next)
    }
}

/// A camera that is kept running; dropping it ends its children.
#[derive(Debug)]
pub struct Running {
    task: JoinHandle<()>,
    backoff: Arc<Mutex<Backoff>>,
}

impl Running {
    /// Starts it. Within a tokio runtime.
    pub fn start(settings: CameraSettings, sink: Sink) -> Self {
        Self::after(Duration::ZERO, settings, sink, Arc::new(Mutex::new(Backoff::new())))
    }

    /// Ends it and starts it again after the pause that it has earned; its events go to `sink` from now on.
    pub fn restart(self, settings: CameraSettings, sink: Sink) -> Self {
        let backoff = Arc::clone(&self.backoff);
        drop(self);
        let pause = lock(&backoff).on_end(SystemClocks.mono());
        Self::after(pause, settings, sink, backoff)
    }

    /// Ends it and starts it with other settings, once the old one has let go of the device.
    pub fn change(self, settings: CameraSettings, sink: Sink) -> Self {
        drop(self);
        Self::after(FIRST_PAUSE, settings, sink, Arc::new(Mutex::new(Backoff::new())))
    }

    fn after(pause: Duration, settings: CameraSettings, sink: Sink, backoff: Arc<Mutex<Backoff>>) -> Self {
        let own = Arc::clone(&backoff);
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            supervise(settings, sink, &own).await;
        });
        Self { task, backoff }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(backoff: &Mutex<Backoff>) -> MutexGuard<'_, Backoff> {
    backoff.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn supervise(settings: CameraSettings, sink: Sink, backoff: &Mutex<Backoff>) {
    loop {
        lock(backoff).on_start(SystemClocks.mono());
        if sink.send(CameraEvent::Starting).await.is_err() {
            return;
        }
        let CameraEnd { code, message } = run_once(&settings, &sink).await;
        tracing::warn!(code, "the camera ended: {message}");
        if sink.send(CameraEvent::Down { code, message }).await.is_err() {
            return;
        }
        let pause = lock(backoff).on_end(SystemClocks.mono());
        tokio::time::sleep(pause).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_camera_has_proven_itself() {
        let at = |s: u64| Mono::from_micros(11_000_003) + Duration::from_secs(s);
        let mut backoff = Backoff::new();
        let mut pauses = Vec::new();
        for end in [1, 3, 5, 8, 13, 20, 27] {
            backoff.on_start(at(end - 1));
            pauses.push(backoff.on_end(at(end)).as_millis());
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.on_start(at(30));
        assert_eq!(backoff.on_end(at(33)), FIRST_PAUSE);
        // Ended twice, by itself and because it is started anew: one start, one proof.
        assert_eq!(backoff.on_end(at(99)), FIRST_PAUSE * 2);
    }
}
