//! The encoder: an ffmpeg child that turns a raw camera's pictures into access units with their stamps.
//!
//! Two threads stand beside it. The feeder hands the camera's pictures on (by splice, so that they never pass through
//! this program), behind one dummy picture whose stamp lies on the wall-clock grid: ffmpeg counts the time of its
//! forced key frames from the first picture. The reader takes the coded pictures: `framecrc` tells each one's stamp
//! and size, which cuts the stream into access units without looking into it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};
use syncslate_shared::child::{Child, Program};
use syncslate_shared::time::{Clocks as _, SystemClocks, Wall};
use tokio::sync::oneshot;

use crate::camera::raw::RawCamera;
use crate::camera::{AccessUnit, CameraEnd, CameraEvent, CameraFacts, CameraSettings, EncoderChoice, Sink};
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
    let facts = CameraFacts { model, encoder: codec.to_owned(), stamps };
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
        let feeder = in_thread("feeder", move || feed(pictures, to, width, height, dummy))?;
        let (units_end, index_end, sink) = (units.take_reader()?, index.take_reader()?, sink.clone());
        let reader = in_thread("reader", move || read(units_end, index_end, &sink))?;
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

fn feed(mut camera: PipeReader, mut encoder: PipeWriter, width: u32, height: u32, dummy: Wall) -> Result<(), String> {
    let ours = FileHeader::new(width, height).map_err(|e| e.to_string())?;
    let lost = |e: std::io::Error| format!("the encoder takes no more pictures: {e}");
    encoder.write_all(&ours.bytes()).map_err(lost)?;
    encoder.write_all(&ours.frame_bytes(dummy)).map_err(lost)?;
    // Black in luma, grey in chroma.
    let luma = ours.picture_bytes() / 3 * 2;
    encoder.write_all(&vec![16; luma]).map_err(lost)?;
    encoder.write_all(&vec![128; ours.picture_bytes() - luma]).map_err(lost)?;
    let mut header = [0; FILE_HEADER_BYTES];
    camera.read_exact(&mut header).map_err(|_| "the camera ended before its first picture".to_owned())?;
    let theirs = FileHeader::parse(&header).map_err(|e| format!("the camera's stream is wrong: {e}"))?;
    if theirs != ours {
        let (w, h) = (theirs.width, theirs.height);
        return Err(format!("the camera sends pictures of {w}x{h}, it was asked for {width}x{height}"));
    }
    let mut last = dummy;
    let mut head = [0; FRAME_HEADER_BYTES];
    loop {
        if camera.read_exact(&mut head).is_err() {
            return Err("the camera's stream ended".into());
        }
        let frame = theirs.parse_frame(&head).map_err(|e| format!("the camera's stream is wrong: {e}"))?;
        if frame.time <= last {
            return Err(format!("the camera's stamps went back from {last} to {}: its clock was set", frame.time));
        }
        last = frame.time;
        encoder.write_all(&head).map_err(lost)?;
        let mut left = ours.picture_bytes();
        while left > 0 {
            match splice(&camera, None, &encoder, None, left, SpliceFlags::MOVE) {
                Ok(0) => return Err("the camera's stream ended within a picture".into()),
                Ok(n) => left -= n,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(lost(e.into())),
            }
        }
    }
}

fn read(mut units: File, index: File, sink: &Sink) -> Result<(), String> {
    let mut dummy = true;
    for line in BufReader::new(index).lines() {
        let line = line.map_err(|e| format!("the encoder's index broke off: {e}"))?;
        let Line::Packet(packet) = line.parse()? else { continue };
        let mut data = vec![0; packet.bytes];
        units.read_exact(&mut data).map_err(|e| format!("the encoder's stream broke off: {e}"))?;
        if std::mem::take(&mut dummy) {
            continue;
        }
        let unit = AccessUnit { time: Wall::from_micros(packet.pts), key: packet.key, data: Bytes::from(data) };
        if sink.blocking_send(CameraEvent::Unit(unit)).is_err() {
            break;
        }
    }
    Ok(())
}
