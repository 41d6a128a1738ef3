//! The ffmpeg that takes pictures from a USB camera and writes them and their stamps to two FIFOs: read here, as the
//! camera's own H.264 or, decoded, as one IVF stream for the encoder.

use std::fs::File;
use std::io::{self, BufRead as _, PipeWriter, Read as _, Write as _};
use std::time::Duration;

use syncslate_shared::child::{Child, Program};
use syncslate_shared::manifest::StampSource;
use syncslate_shared::time::SystemClocks;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::arguments::{self, Paths};
use super::index::entry;
use crate::camera::raw::{RawCamera, ivf_pipe};
use crate::camera::{AccessUnit, CameraEnd, CameraEvent, CameraFacts, CameraSettings, Sink, Steering};
use crate::fifo::Fifo;
use crate::h264;
use crate::ivf::FileHeader;

/// How long ffmpeg may take to end, and how long its outputs, once the other has.
const GRACE: Duration = Duration::from_millis(700);

/// The outputs and their folder, which goes with them.
struct Outputs {
    pictures: Fifo,
    index: Fifo,
    folder: TempDir,
}

impl Outputs {
    fn create() -> Result<Self, CameraEnd> {
        let failed = |e: String| CameraEnd::exited(format!("no pipes for the camera: {e}"));
        let folder = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
        let pictures = Fifo::create(&folder.path().join("pictures")).map_err(failed)?;
        let index = Fifo::create(&folder.path().join("index")).map_err(failed)?;
        Ok(Self { pictures, index, folder })
    }

    fn paths(&self) -> Paths {
        Paths { pictures: self.pictures.shown(), index: self.index.shown() }
    }

    fn readers(&mut self) -> Result<(File, File), CameraEnd> {
        let pictures = self.pictures.take_reader().map_err(CameraEnd::exited)?;
        Ok((pictures, self.index.take_reader().map_err(CameraEnd::exited)?))
    }
}

fn spawn(args: Vec<String>) -> Result<Child, CameraEnd> {
    Program::new("ffmpeg").args(args).spawn().map_err(CameraEnd::not_found)
}

/// Takes pictures that the camera encodes itself, until it ends.
pub(super) async fn coded(input: Vec<String>, model: Option<String>, sink: &Sink) -> CameraEnd {
    match try_coded(input, model, sink).await {
        Ok(end) | Err(end) => end,
    }
}

async fn try_coded(input: Vec<String>, model: Option<String>, sink: &Sink) -> Result<CameraEnd, CameraEnd> {
    let mut outputs = Outputs::create()?;
    let (pictures, index) = outputs.readers()?;
    let mut child = spawn(arguments::coded(input, &outputs.paths()))?;
    let facts = CameraFacts { model, encoder: "camera".into(), stamps: StampSource::Driver, steering: Steering::Free };
    // Nobody to tell: the node ends, and with it this future.
    let _ = sink.send(CameraEvent::Up(facts)).await;
    let mut reading = std::pin::pin!(send_units(pictures, index, sink));
    let ended = tokio::select! {
        ended = child.wait() => ended,
        why = &mut reading => {
            child.stop(GRACE).await;
            return Err(CameraEnd::exited(why.err().unwrap_or_else(|| "the camera's stream ended".into())));
        }
    };
    // What it wrote before its end is still in the pipes.
    outputs.pictures.release();
    outputs.index.release();
    let _ = tokio::time::timeout(GRACE, reading).await;
    Ok(CameraEnd::exited(ended.to_string()))
}

async fn send_units(pictures: File, index: File, sink: &Sink) -> Result<(), String> {
    let broken = |e: io::Error| format!("the camera's stream broke off: {e}");
    let mut pictures = Receiver::from_file(pictures).map_err(broken)?;
    let mut index = BufReader::new(Receiver::from_file(index).map_err(broken)?).lines();
    while let Some(line) = index.next_line().await.map_err(broken)? {
        let Some(entry) = entry(&line, || SystemClocks.mono_to_wall_us())? else { continue };
        let mut data = vec![0; entry.bytes];
        pictures.read_exact(&mut data).await.map_err(broken)?;
        // Not the index's flag: cameras' packets come to ffmpeg unmarked.
        let unit = AccessUnit { time: entry.time, key: h264::is_idr(&data), data: data.into() };
        sink.send(CameraEvent::Unit(unit)).await.map_err(|_| "the node ends".to_owned())?;
    }
    Ok(())
}

/// Takes pictures that have to be decoded: gives them raw, for the encoder.
pub(super) fn decoded(
    input: Vec<String>,
    model: Option<String>,
    settings: &CameraSettings,
) -> Result<RawCamera, CameraEnd> {
    let header = FileHeader::new(settings.width, settings.height).map_err(|e| CameraEnd::exited(e.to_string()))?;
    let mut outputs = Outputs::create()?;
    let (pictures, index) = outputs.readers()?;
    let (ivf, writer) = ivf_pipe()?;
    let child = spawn(arguments::decoded(input, &outputs.paths()))?;
    std::thread::Builder::new()
        .name("v4l2".into())
        .spawn(move || {
            if let Err(e) = write_ivf(header, pictures, index, writer) {
                tracing::debug!("the camera's pictures end: {e}");
            }
        })
        .map_err(|e| CameraEnd::exited(format!("no thread for the camera: {e}")))?;
    // With the camera go the FIFOs' handles, and the thread sees the end.
    let Outputs { pictures, index, folder } = outputs;
    let keep: Vec<Box<dyn std::any::Any + Send>> = vec![Box::new((pictures, index, folder))];
    Ok(RawCamera { child, ivf, model, stamps: StampSource::Driver, keep })
}

/// Makes one IVF stream of pictures and index, until either ends or nobody reads it any more.
fn write_ivf(header: FileHeader, mut pictures: File, index: File, mut out: PipeWriter) -> Result<(), String> {
    let broken = |e: io::Error| e.to_string();
    out.write_all(&header.bytes()).map_err(broken)?;
    for line in io::BufReader::new(index).lines() {
        let Some(entry) = entry(&line.map_err(broken)?, || SystemClocks.mono_to_wall_us())? else { continue };
        if entry.bytes != header.picture_bytes() {
            return Err(format!("a picture is {} bytes long, {} were expected", entry.bytes, header.picture_bytes()));
        }
        out.write_all(&header.frame_bytes(entry.time)).map_err(broken)?;
        let copied = io::copy(&mut (&mut pictures).take(entry.bytes as u64), &mut out).map_err(broken)?;
        if copied != entry.bytes as u64 {
            return Err("it was cut off".into());
        }
    }
    Ok(())
}
