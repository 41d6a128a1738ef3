//! The Pi's CSI camera through `rpicam-vid`: it encodes by itself and tells the sensor's instant of each exposure.
//!
//! Stream and metadata come through two FIFOs. `rpicam-vid` writes a frame's bytes, then its metadata record, both
//! flushed, and leaves out none of either: so the n-th access unit of the stream belongs to the n-th record.
//! Key frames cannot be asked for; they come every `gop_ms` counted from the camera's own start.
//!
//! UNTESTED on a Pi: what stands here was read in the sources of rpicam-apps 1.12 and libcamera 0.7 and is tested with
//! a stand-in that behaves as they say.

mod arguments;
mod found;
pub mod metadata;
mod pairing;
mod streams;

use std::sync::OnceLock;
use std::time::Duration;

use syncslate_shared::child::{Child, Program};
use syncslate_shared::manifest::StampSource;

use self::arguments::{arguments, is_pi5};
use self::found::Found;
use self::streams::Streams;
use super::{CameraEnd, CameraEvent, CameraFacts, CameraSettings, Sink};

const PROGRAM: &str = "rpicam-vid";
/// How long it may take to say which cameras there are.
const LIST_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to end once it was asked to, or once one of its streams has ended.
const GRACE: Duration = Duration::from_millis(700);

/// Runs the camera until it ends. Dropping the future ends `rpicam-vid`.
pub async fn run_once(settings: &CameraSettings, sink: &Sink) -> CameraEnd {
    // Asking opens the camera in each of its modes, about as long as starting it: once is enough. A camera that is
    // unplugged later is told by rpicam-vid itself.
    static FOUND: OnceLock<Found> = OnceLock::new();
    let program = || Program::new(PROGRAM);
    let found = match FOUND.get() {
        Some(found) => found,
        None => match find_camera(program()).await {
            Ok(found) => FOUND.get_or_init(|| found),
            Err(end) => return end,
        },
    };
    film(program(), found.clone(), settings, sink).await
}

/// As [`run_once`], with another program that behaves as `rpicam-vid`.
pub async fn run_program(program: impl Fn() -> Program, settings: &CameraSettings, sink: &Sink) -> CameraEnd {
    match find_camera(program()).await {
        Ok(found) => film(program(), found, settings, sink).await,
        Err(end) => end,
    }
}

async fn film(program: Program, Found { model, can }: Found, settings: &CameraSettings, sink: &Sink) -> CameraEnd {
    let (mut child, mut streams) = match start(program, settings) {
        Ok(started) => started,
        Err(end) => return end,
    };
    let facts = CameraFacts { model: Some(model), encoder: "camera".into(), stamps: StampSource::Sensor };
    // Nobody to tell: the node ends, and with it this future.
    let _ = sink.send(CameraEvent::Can(can)).await;
    let _ = sink.send(CameraEvent::Up(facts)).await;
    let ended = tokio::select! {
        ended = child.wait() => Some(ended),
        why = streams.until_one_ends(sink) => match why {
            Ok(()) => tokio::time::timeout(GRACE, child.wait()).await.ok(),
            Err(why) => {
                // The reason is ours: what the child says to being stopped is no evidence.
                child.stop(GRACE).await;
                return CameraEnd::exited(why);
            }
        },
    };
    let message = match ended {
        Some(ended) => ended.to_string(),
        None => format!("the camera closed one of its outputs; stopped, {}", child.stop(GRACE).await),
    };
    // What it wrote before its end is still in the pipes.
    let _ = tokio::time::timeout(GRACE, streams.until_both_end(sink)).await;
    CameraEnd::exited(message)
}

fn start(program: Program, settings: &CameraSettings) -> Result<(Child, Streams), CameraEnd> {
    let streams = Streams::create().map_err(|e| CameraEnd::exited(format!("no pipes for the camera: {e}")))?;
    let program = program.args(arguments(settings, &streams.paths(), is_pi5()));
    Ok((program.spawn().map_err(CameraEnd::not_found)?, streams))
}

/// The camera that is plugged in, as `rpicam-vid --list-cameras` tells it.
async fn find_camera(program: Program) -> Result<Found, CameraEnd> {
    let program = program.args(["--list-cameras", "--verbose"]);
    let shown = program.shown();
    let list = program.output(LIST_LIMIT).await.map_err(CameraEnd::not_found)?;
    found::first(&String::from_utf8_lossy(&list)).ok_or_else(|| {
        CameraEnd::not_found(format!(
            "`{shown}` finds no camera\n\nhint: check the ribbon cable, and `camera_auto_detect=1` in \
             /boot/firmware/config.txt"
        ))
    })
}
