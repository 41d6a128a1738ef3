//! The encoder: an ffmpeg child that turns a raw camera's pictures into access units with their stamps.
//!
//! Two threads stand beside it. The feeder hands the camera's pictures on (by splice, so that they never pass through
//! this program), behind one dummy picture whose stamp lies on the wall-clock grid: ffmpeg counts the time of its
//! forced key frames from the first picture. The reader takes the coded pictures: `framecrc` tells each one's stamp
//! and size, which cuts the stream into access units without looking into it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};
use syncslate_shared::child::{Child, Program};
use syncslate_shared::time::{Clocks as _, SystemClocks, Wall};
use tokio::sync::oneshot;

use crate::backlog::Backlog;
use crate::camera::raw::RawCamera;
use crate::camera::{AccessUnit, CameraEnd, CameraEvent, CameraFacts, CameraSettings, EncoderChoice, Sink, Steering};
use crate::fifo::Fifo;
use crate::framecrc::Line;
use crate::ivf::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader};

/// The dummy picture's stamp lies so far behind, to the grid, that no first picture comes before it.
const DUMMY_AGE: Duration = Duration::from_secs(2);
/// Room in the pipes for a picture or so: fewer wake-ups.
const PIPE_BYTES: usize = 1 << 20;
/// Above so many pixels a second one x264 thread is not enough on a small computer.
const ONE_THREAD_PIXELS: f64 = 40e6;
/// How long the other parts get to say why, once one of them has ended.
const EVIDENCE: Duration = Duration::from_millis(300);

/// Encodes a raw camera until one of its parts ends. Dropping the future ends the children.
pub async fn run_once(camera: RawCamera, settings: &CameraSettings, sink: &Sink) -> CameraEnd {
    let codec = choose(settings.encoder);
    let RawCamera { mut child, ivf, model, stamps, keep: _keep } = camera;
    let parts = match Parts::start(ivf, settings, codec, sink) {
        Ok(parts) => parts,
        Err(message) => return CameraEnd { code: "encoder_exited", message },
    };
    let facts = CameraFacts { model, encoder: codec.to_owned(), stamps, steering: Steering::Free };
    if sink.send(CameraEvent::Up(facts)).await.is_err() {
        return CameraEnd { code: "camera_exited", message: "the node ends".into() };
    }
    parts.watch(&mut child).await
}

/// The encoder that a choice stands for on this machine.
fn choose(choice: EncoderChoice) -> &'static str {
    // The Pi 3's and 4's encoder is always this device; a Pi 5 has none.
    let hardware = || Path::new("/dev/video11").exists();
    match choice {
        EncoderChoice::V4l2m2m => "h264_v4l2m2m",
        EncoderChoice::Auto if hardware() => "h264_v4l2m2m",
        EncoderChoice::Auto | EncoderChoice::Libx264 => "libx264",
    }
}

/// The encoder's command line, reading IVF from its standard input and writing to two FIFOs.
fn arguments(settings: &CameraSettings, codec: &str, units: &str, index: &str) -> Vec<String> {
    let (num, den) = settings.fps_ratio();
    let gop_s = settings.gop_ms as f64 / 1000.0;
    let rate = settings.bitrate.0.to_string();
    let grid = format!("floor(t/{gop_s}+1e-6),floor(prev_forced_t/{gop_s}+1e-6)");
    let keys = format!("expr:if(isnan(prev_forced_t),1,gt({grid}))");
    let tee = format!("[f=h264:onfail=abort]{units}|[f=framecrc:onfail=abort]{index}");
    let mut args: Vec<&str> = "-nostdin -hide_banner -loglevel warning -probesize 32 -analyzeduration 0 -f ivf -i pipe:0 -map 0:v -copyts -fps_mode passthrough -enc_time_base 1:1000000"
        .split(' ')
        .collect();
    let pixels = f64::from(settings.width) * f64::from(settings.height) * settings.fps;
    let threads = if pixels <= ONE_THREAD_PIXELS { 1 } else { 2 };
    // Without its rate x264 would believe in a million frames a second, from the time base.
    let params = format!("fps={num}/{den}:threads={threads}");
    let buffer = (settings.bitrate.0 / 2).to_string();
    args.extend(["-c:v", codec, "-b:v", &rate]);
    if codec == "libx264" {
        args.extend(["-maxrate", &rate, "-bufsize", &buffer, "-preset", "ultrafast", "-tune", "zerolatency"]);
        args.extend(["-x264-params", &params]);
    }
    args.extend(["-g", "100000", "-force_key_frames", &keys, "-f", "tee", &tee, "-y"]);
    args.into_iter().map(str::to_owned).collect()
}

struct Parts {
    encoder: Child,
    units: Fifo,
    index: Fifo,
    feeder: oneshot::Receiver<String>,
    reader: oneshot::Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Parts {
    fn start(pictures: PipeReader, settings: &CameraSettings, codec: &str, sink: &Sink) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|e| format!("no room for the encoder's pipes: {e}"))?;
        let mut units = Fifo::create(&folder.path().join("units"))?;
        let mut index = Fifo::create(&folder.path().join("index"))?;
        let (from, to) = std::io::pipe().map_err(|e| format!("no pipe for the encoder: {e}"))?;
        let args = arguments(settings, codec, &units.shown(), &index.shown());
        let encoder = Program::new("ffmpeg").args(args).stdin(from).spawn()?;
        // A pipe that stays small costs wake-ups and nothing else.
        let _ = fcntl_setpipe_size(&to, PIPE_BYTES);
        let (width, height) = (settings.width, settings.height);
        let dummy = (SystemClocks.wall() - DUMMY_AGE).floor_to(Duration::from_millis(settings.gop_ms));
        let fed = Fed::default();
        let told = Told { fed: fed.clone(), sink: sink.clone() };
        let backlog = Backlog::new(Duration::from_secs_f64(1.0 / settings.fps));
        let feeder = in_thread("feeder", move || feed(pictures, to, width, height, dummy, backlog, &told))?;
        let (units_end, index_end, sink) = (units.take_reader()?, index.take_reader()?, sink.clone());
        let reader = in_thread("reader", move || read(units_end, index_end, &fed, &sink))?;
        Ok(Self { encoder, units, index, feeder, reader, _folder: folder })
    }

    /// Waits until one part ends and says why, with what the others had to say.
    async fn watch(mut self, camera: &mut Child) -> CameraEnd {
        let mut camera_ended = None;
        let mut encoder_ended = None;
        let mut fed = None;
        tokio::select! {
            ended = camera.wait() => camera_ended = Some(ended),
            ended = self.encoder.wait() => encoder_ended = Some(ended),
            why = &mut self.feeder => fed = why.ok(),
            _ = &mut self.reader => {}
        }
        // The end of one part ends the others within milliseconds; which was first is told by what each says.
        if camera_ended.is_none() {
            camera_ended = tokio::time::timeout(EVIDENCE, camera.wait()).await.ok();
        }
        if encoder_ended.is_none() {
            encoder_ended = tokio::time::timeout(EVIDENCE, self.encoder.wait()).await.ok();
        }
        if fed.is_none() {
            fed = tokio::time::timeout(EVIDENCE, self.feeder).await.ok().and_then(Result::ok);
        }
        self.units.release();
        self.index.release();
        let fed = fed.unwrap_or_default();
        match (encoder_ended, camera_ended) {
            (Some(encoder), _) if !encoder.success() => {
                CameraEnd { code: "encoder_exited", message: encoder.to_string() }
            }
            (_, Some(camera)) => CameraEnd { code: "camera_exited", message: format!("{camera}{}", and(&fed)) },
            (Some(encoder), None) => CameraEnd { code: "camera_exited", message: format!("{encoder}{}", and(&fed)) },
            (None, None) => CameraEnd { code: "camera_exited", message: fed },
        }
    }
}

fn and(fed: &str) -> String {
    if fed.is_empty() { String::new() } else { format!("; {fed}") }
}

/// Runs `work` in a thread of its own; its last words come from the receiver.
fn in_thread(
    name: &str,
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<oneshot::Receiver<String>, String> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            let _ = tell.send(work().err().unwrap_or_default());
        })
        .map_err(|e| format!("no thread for the {name}: {e}"))?;
    Ok(told)
}

/// The stamps of the pictures that are in the encoder, oldest first.
#[derive(Clone, Default)]
struct Fed(Arc<Mutex<VecDeque<Wall>>>);

impl Fed {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Wall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A picture came out: how many older ones did not.
    fn out(&self, time: Wall) -> u64 {
        let mut fed = self.lock();
        let older = fed.iter().take_while(|fed| **fed < time).count();
        let there = fed.get(older) == Some(&time);
        fed.drain(..older + usize::from(there));
        older as u64
    }
}

/// Whom the feeder tells what it meets.
struct Told {
    fed: Fed,
    sink: Sink,
}

struct Feeder<'a> {
    camera: PipeReader,
    encoder: PipeWriter,
    header: FileHeader,
    backlog: Backlog,
    told: &'a Told,
}

fn feed(
    camera: PipeReader,
    encoder: PipeWriter,
    width: u32,
    height: u32,
    dummy: Wall,
    backlog: Backlog,
    told: &Told,
) -> Result<(), String> {
    let header = FileHeader::new(width, height).map_err(|e| e.to_string())?;
    Feeder { camera, encoder, header, backlog, told }.run(dummy)
}

fn lost(e: std::io::Error) -> String {
    format!("the encoder takes no more pictures: {e}")
}

impl Feeder<'_> {
    fn run(mut self, dummy: Wall) -> Result<(), String> {
        let ours = self.header;
        self.encoder.write_all(&ours.bytes()).map_err(lost)?;
        self.encoder.write_all(&ours.frame_bytes(dummy)).map_err(lost)?;
        // Black in luma, grey in chroma.
        let luma = ours.picture_bytes() / 3 * 2;
        self.encoder.write_all(&vec![16; luma]).map_err(lost)?;
        self.encoder.write_all(&vec![128; ours.picture_bytes() - luma]).map_err(lost)?;
        let mut header = [0; FILE_HEADER_BYTES];
        self.camera.read_exact(&mut header).map_err(|_| "the camera ended before its first picture".to_owned())?;
        let theirs = FileHeader::parse(&header).map_err(|e| format!("the camera's stream is wrong: {e}"))?;
        if theirs != ours {
            let (w, h) = (theirs.width, theirs.height);
            let (width, height) = (ours.width, ours.height);
            return Err(format!("the camera sends pictures of {w}x{h}, it was asked for {width}x{height}"));
        }
        let mut last = dummy;
        loop {
            last = self.picture(last)?;
        }
    }

    /// Hands one picture on; gives its stamp.
    fn picture(&mut self, last: Wall) -> Result<Wall, String> {
        let mut head = [0; FRAME_HEADER_BYTES];
        let idle = SystemClocks.mono();
        if self.camera.read_exact(&mut head).is_err() {
            return Err("the camera's stream ended".into());
        }
        let time = self.header.parse_frame(&head).map_err(|e| format!("the camera's stream is wrong: {e}"))?.time;
        if time <= last {
            return Err(format!("the camera's stamps went back from {last} to {time}: its clock was set"));
        }
        let age = Duration::from_micros(u64::try_from(SystemClocks.wall().since_us(time)).unwrap_or(0));
        if let Some(behind) = self.backlog.on_picture(SystemClocks.mono().since(idle), age) {
            let _ = self.told.sink.blocking_send(CameraEvent::Behind(behind));
        }
        self.told.fed.lock().push_back(time);
        self.encoder.write_all(&head).map_err(lost)?;
        let mut left = self.header.picture_bytes();
        while left > 0 {
            match splice(&self.camera, None, &self.encoder, None, left, SpliceFlags::MOVE) {
                Ok(0) => return Err("the camera's stream ended within a picture".into()),
                Ok(n) => left -= n,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(lost(e.into())),
            }
        }
        Ok(time)
    }
}

fn read(mut units: File, index: File, fed: &Fed, sink: &Sink) -> Result<(), String> {
    let mut dummy = true;
    for line in BufReader::new(index).lines() {
        let line = line.map_err(|e| format!("the encoder's index broke off: {e}"))?;
        let Line::Packet(packet) = line.parse()? else { continue };
        let mut data = vec![0; packet.bytes];
        units.read_exact(&mut data).map_err(|e| format!("the encoder's stream broke off: {e}"))?;
        if std::mem::take(&mut dummy) {
            continue;
        }
        let time = Wall::from_micros(packet.pts);
        let swallowed = fed.out(time);
        if swallowed > 0 && sink.blocking_send(CameraEvent::Swallowed(swallowed)).is_err() {
            break;
        }
        let unit = AccessUnit { time, key: packet.key, data: Bytes::from(data) };
        if sink.blocking_send(CameraEvent::Unit(unit)).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_went_in_and_did_not_come_out_are_counted() {
        let (fed, at) = (Fed::default(), |i: i64| Wall::from_micros(1_761_220_930_000_000 + i * 33_333));
        fed.lock().extend((0..9).map(at));
        let out: Vec<u64> = [0, 1, 4, 5, 8].into_iter().map(|i| fed.out(at(i))).collect();
        assert_eq!(out, [0, 0, 2, 0, 2]);
        assert!(fed.lock().is_empty());
        // An encoder that makes up a stamp loses nothing by it.
        fed.lock().extend((9..11).map(at));
        assert_eq!((fed.out(at(9).offset_us(-1)), fed.out(at(9)), fed.out(at(10))), (0, 0, 0));
    }
}
