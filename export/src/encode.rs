//! What ffmpeg does for us: films of a constant rate, for editing or light ones, and stills.

use std::cell::Cell;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use syncslate_shared::child::{Child, Program};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::ChildStdin;
use tokio::runtime::Handle;

use crate::Stopped;
use crate::boxes::Movie;
use crate::conform::{Conformed, Told, told};
use crate::film::{Look, Tell, plan, samples};
use crate::footage::Footage;
use crate::rate::Rate;

/// It has all it needs: who then takes longer hangs.
const END: Duration = Duration::from_secs(600);
/// A picture is made at once.
const STILL: Duration = Duration::from_secs(60);
/// Width of a still.
const WIDTH: u32 = 400;
/// Width of a light film, and the most bits a second it may have.
const LIGHT_WIDTH: u32 = 640;
const LIGHT_BITS: &str = "1500k";

/// What a film of a constant rate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// An editor: nothing is seen of the encoding.
    Editing,
    /// Playing many at once: small, few bits, and any frame is reached soon.
    Light,
}

impl Quality {
    fn filter(self, constant: &str) -> String {
        match self {
            Self::Editing => constant.to_owned(),
            Self::Light => format!("{constant},scale='min({LIGHT_WIDTH}\\,iw)':-2"),
        }
    }

    const fn encoder(self) -> &'static [&'static str] {
        match self {
            Self::Editing => &["-preset", "veryfast", "-crf", "16"],
            Self::Light => {
                &["-preset", "superfast", "-crf", "25", "-bf", "0", "-maxrate", LIGHT_BITS, "-bufsize", LIGHT_BITS]
            }
        }
    }

    /// Frames from one key frame to the next.
    fn keys(self, rate: Rate) -> u32 {
        match self {
            Self::Editing => rate.base(),
            Self::Light => rate.base().div_ceil(3),
        }
    }
}

fn ffmpeg() -> Program {
    Program::new("ffmpeg").args(["-nostdin", "-hide_banner", "-loglevel", "error"]).stdin(Stdio::piped())
}

/// Encodes the film of a constant rate to the new file `path`. Must be called on a thread that may wait, within a tokio
/// runtime. `look` has the rate that all cameras get.
///
/// # Errors
/// ffmpeg is not there or fails, a file cannot be read, or `tell` ended the work.
pub fn conformed(
    path: &Path,
    footage: &Footage,
    look: &Look,
    conformed: &Conformed,
    quality: Quality,
    tell: &mut Tell<'_>,
) -> Result<(), Stopped> {
    let (mut movie, _) = plan(footage, look)?;
    // Read twice: the sizes stand before the samples, and ffmpeg's input cannot be written backwards.
    let nowhere = |e: io::Error| Stopped::from(e.to_string());
    (movie.sizes, _) = samples(footage, &mut io::sink(), &mut |_| true, &nowhere)?;
    let told = told(movie, conformed, look.rate);
    let mut child = program(path, &told, look, conformed.rows.len(), quality).spawn()?;
    let Some(stdin) = child.take_stdin() else { return Err("ffmpeg has no input".to_owned().into()) };
    let mut pipe = Pipe(stdin);
    let closed = Cell::new(false);
    let failed = |e: io::Error| {
        closed.set(true);
        Stopped::from(format!("ffmpeg takes nothing more ({e})"))
    };
    let fed = pipe
        .write_all(&told.movie.header())
        .map_err(&failed)
        .and_then(|()| samples(footage, &mut pipe, tell, &failed).map(|_| ()));
    drop(pipe);
    let ended = Handle::current().block_on(end(&mut child, fed == Err(Stopped::Asked)));
    match (fed, ended) {
        (Err(why), _) if !closed.get() => Err(why),
        // How it ended says more than that it takes nothing more; when it has all its pictures that is as it should be.
        (_, Ok(())) => Ok(()),
        (_, Err(why)) => Err(why.into()),
    }
}

fn program(path: &Path, told: &Told, look: &Look, frames: usize, quality: Quality) -> Program {
    let Rate { frames: count, seconds } = look.rate;
    let Movie { title, name, .. } = &told.movie;
    let timecode = look.rate.shown(look.rate.timecode(look.span.t0, look.zone).into());
    ffmpeg()
        .args(["-f", "mov", "-i", "pipe:0", "-map", "0:v:0", "-vf", &quality.filter(&told.filter)])
        .args(["-frames:v", &frames.to_string(), "-r", &format!("{count}/{seconds}")])
        .args(["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", &quality.keys(look.rate).to_string()])
        .args(quality.encoder())
        .args(["-timecode", &timecode, "-metadata:s:v:0", &format!("reel_name={}", look.reel)])
        .args(["-metadata:s:v:0", &format!("handler_name={name}"), "-metadata", &format!("title={title}")])
        .args(["-metadata", &format!("creation_time={}", look.span.t0)])
        .args(["-movflags", "+faststart", "-f", "mp4", "-y"])
        .arg(path)
}

async fn end(child: &mut Child, unwanted: bool) -> Result<(), String> {
    if unwanted {
        child.stop(Duration::ZERO).await;
        return Ok(());
    }
    match tokio::time::timeout(END, child.wait()).await {
        Ok(ended) if ended.success() => Ok(()),
        Ok(ended) => Err(ended.to_string()),
        Err(_) => Err(format!("ffmpeg did not end within {} s and was killed", END.as_secs())),
    }
}

/// The picture of `row` as JPEG, not wider than 400 pixels.
///
/// # Errors
/// ffmpeg is not there or fails, or the footage cannot be read.
pub fn still(footage: &Footage, row: usize) -> Result<Vec<u8>, String> {
    let key = footage.rows.iter().take(row + 1).rposition(|row| row.key).unwrap_or(0);
    let mut frames = footage.frames_from(key);
    let mut stream = Vec::new();
    for _ in key..=row {
        stream.extend_from_slice(frames.read()?.unwrap_or_default());
    }
    let filter = format!("select='eq(n\\,{})',scale='min({WIDTH}\\,iw)':-2", row - key);
    let program = ffmpeg()
        .args(["-f", "h264", "-i", "pipe:0", "-vf", &filter, "-frames:v", "1", "-c:v", "mjpeg", "-q:v", "5"])
        .args(["-f", "image2pipe", "pipe:1"])
        .stdout(Stdio::piped());
    Handle::current().block_on(async {
        let mut child = program.spawn()?;
        let (stdin, stdout) = (child.take_stdin(), child.take_stdout());
        let mut jpeg = Vec::new();
        let run = async {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // It may have its picture before it has read all.
                    let _ = stdin.write_all(&stream).await;
                }
            };
            let read = async {
                if let Some(mut stdout) = stdout {
                    let _ = stdout.read_to_end(&mut jpeg).await;
                }
            };
            tokio::join!(feed, read);
            child.wait().await
        };
        let ended = tokio::time::timeout(STILL, run).await;
        match ended {
            Ok(ended) if ended.success() && !jpeg.is_empty() => Ok(jpeg),
            Ok(ended) => Err(format!("no still of frame {row}: {ended}")),
            Err(_) => Err(format!("no still of frame {row} within {} s", STILL.as_secs())),
        }
    })
}

/// A child's input for what writes and waits.
struct Pipe(ChildStdin);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Handle::current().block_on(async {
            let late = || io::Error::new(io::ErrorKind::TimedOut, format!("nothing within {} s", END.as_secs()));
            tokio::time::timeout(END, self.0.write(bytes)).await.unwrap_or_else(|_| Err(late()))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
