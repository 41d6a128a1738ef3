//! The Pi's CSI camera through `rpicam-vid`: it encodes by itself and tells the sensor's instant of each exposure.
//!
//! Stream and metadata come through two FIFOs. `rpicam-vid` writes a frame's bytes, then its metadata record, both
//! flushed, and leaves out none of either: so the n-th access unit of the stream belongs to the n-th record.
//! Key frames cannot be asked for; they are counted from the first picture. Where the camera can be held on the frame grid
//! ([`sync`]) that one is an instant of the grid, and key frames fall where T0 does; else from the camera's own start.
//!
//! UNTESTED on a Pi: what stands here was read in the sources of rpicam-apps 1.12 and libcamera 0.7 and is tested with
//! a stand-in that behaves as they say.

mod arguments;
mod found;
mod guide;
pub mod metadata;
mod pairing;
mod streams;
pub mod sync;
mod version;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use syncslate_shared::child::{Child, Ended, Program};
use syncslate_shared::manifest::StampSource;

use self::arguments::{arguments, is_pi5};
use self::found::Found;
pub use self::guide::Guidance;
use self::streams::Streams;
use self::version::Version;
use super::{CameraEnd, CameraEvent, CameraFacts, CameraSettings, Sink, Steering};

const PROGRAM: &str = "rpicam-vid";
/// How long it may take to say which cameras there are.
const LIST_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to end once it was asked to, or once one of its streams has ended.
const GRACE: Duration = Duration::from_millis(700);

/// What was learned of the program and its camera.
#[derive(Debug)]
struct Known {
    found: Found,
    version: Option<Version>,
    /// Whether it sent no picture when it was to follow the grid.
    deaf: AtomicBool,
}

/// Runs the camera until it ends. Dropping the future ends `rpicam-vid`.
pub async fn run_once(settings: &CameraSettings, sink: &Sink) -> CameraEnd {
    // Asking opens the camera in each of its modes, about as long as starting it: once is enough. A camera that is
    // unplugged later is told by rpicam-vid itself.
    static KNOWN: OnceLock<Known> = OnceLock::new();
    let program = || Program::new(PROGRAM);
    let known = match KNOWN.get() {
        Some(known) => known,
        None => match learn(program).await {
            Ok(known) => KNOWN.get_or_init(|| known),
            Err(end) => return end,
        },
    };
    run_known(program, known, guide::can_listen(), Guidance::default(), settings, sink).await
}

/// As [`run_once`], with another program that behaves as `rpicam-vid` but joins no group, and listens elsewhere.
pub async fn run_program(
    program: impl Fn() -> Program,
    guidance: Guidance,
    settings: &CameraSettings,
    sink: &Sink,
) -> CameraEnd {
    match learn(&program).await {
        Ok(known) => run_known(program, &known, Ok(()), guidance, settings, sink).await,
        Err(end) => end,
    }
}

/// Films; a camera that does not follow the grid films all the same.
async fn run_known(
    program: impl Fn() -> Program,
    known: &Known,
    listens: Result<(), String>,
    guidance: Guidance,
    settings: &CameraSettings,
    sink: &Sink,
) -> CameraEnd {
    loop {
        let deaf = known.deaf.load(Ordering::Relaxed);
        let steering = version::steering(settings, known.version, listens.clone(), deaf);
        let shot = Shot { program: program(), steering, guidance };
        match film(shot, &known.found, settings, sink).await {
            Filmed::Ended(end) => return end,
            Filmed::Nothing => {
                tracing::warn!(
                    "rpicam-vid was told where the frame grid lies and sent no picture: it runs free from now on"
                );
                known.deaf.store(true, Ordering::Relaxed);
            }
        }
    }
}

struct Shot {
    program: Program,
    steering: Steering,
    guidance: Guidance,
}

enum Filmed {
    Ended(CameraEnd),
    /// It was to follow the grid, and sent not one picture.
    Nothing,
}

/// How filming came to its end.
enum Halt {
    Ended(Ended),
    Closed,
    Broken(String),
    Silent,
}

async fn film(shot: Shot, found: &Found, settings: &CameraSettings, sink: &Sink) -> Filmed {
    let Shot { program, steering, guidance } = shot;
    let steered = steering == Steering::Grid;
    let (mut child, mut streams) = match start(program, settings, steered) {
        Ok(started) => started,
        Err(end) => return Filmed::Ended(end),
    };
    let (model, can) = (found.model.clone(), found.can.clone());
    let facts = CameraFacts { model: Some(model), encoder: "camera".into(), stamps: StampSource::Sensor, steering };
    // Nobody to tell: the node ends, and with it this future.
    let _ = sink.send(CameraEvent::Can(can)).await;
    let _ = sink.send(CameraEvent::Up(facts)).await;
    let guided = async {
        if steered { guide::guide(settings.grid(), guidance.port).await } else { std::future::pending().await }
    };
    let halt = tokio::select! {
        halt = until_halt(&mut child, &mut streams, sink, steered.then_some(guidance.patience)) => halt,
        never = guided => match never {},
    };
    let message = match halt {
        Halt::Ended(ended) => ended.to_string(),
        Halt::Closed => format!("the camera closed one of its outputs; stopped, {}", child.stop(GRACE).await),
        Halt::Broken(why) => {
            // The reason is ours: what the child says to being stopped is no evidence.
            child.stop(GRACE).await;
            return Filmed::Ended(CameraEnd::exited(why));
        }
        Halt::Silent => {
            child.stop(GRACE).await;
            return Filmed::Nothing;
        }
    };
    // What it wrote before its end is still in the pipes.
    let _ = tokio::time::timeout(GRACE, streams.until_both_end(sink)).await;
    Filmed::Ended(CameraEnd::exited(message))
}

async fn until_halt(child: &mut Child, streams: &mut Streams, sink: &Sink, patience: Option<Duration>) -> Halt {
    if let Some(patience) = patience {
        let first = tokio::select! {
            ended = child.wait() => return Halt::Ended(ended),
            first = tokio::time::timeout(patience, streams.until_first(sink)) => first,
        };
        match first {
            Err(_) => return Halt::Silent,
            Ok(Err(why)) => return Halt::Broken(why),
            Ok(Ok(())) => {}
        }
    }
    tokio::select! {
        ended = child.wait() => Halt::Ended(ended),
        why = streams.until_one_ends(sink) => match why {
            Ok(()) => match tokio::time::timeout(GRACE, child.wait()).await {
                Ok(ended) => Halt::Ended(ended),
                Err(_) => Halt::Closed,
            },
            Err(why) => Halt::Broken(why),
        },
    }
}

fn start(program: Program, settings: &CameraSettings, steered: bool) -> Result<(Child, Streams), CameraEnd> {
    let streams = Streams::create().map_err(|e| CameraEnd::exited(format!("no pipes for the camera: {e}")))?;
    let program = program.args(arguments(settings, &streams.paths(), is_pi5(), steered));
    Ok((program.spawn().map_err(CameraEnd::not_found)?, streams))
}

/// Asks the program what it is and which camera there is.
async fn learn(program: impl Fn() -> Program) -> Result<Known, CameraEnd> {
    let said = program().arg("--version").output(LIST_LIMIT);
    let (found, said) = tokio::join!(find_camera(program()), said);
    let version = said.ok().and_then(|said| version::version(&String::from_utf8_lossy(&said)));
    Ok(Known { found: found?, version, deaf: AtomicBool::new(false) })
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
