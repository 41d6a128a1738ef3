//! What ffmpeg does for us: films of a constant rate, and stills.

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
use crate::conform::{Conformed, told};
use crate::film::{Look, Tell, plan, samples};
use crate::footage::Footage;

/// It has all it needs: who then takes longer hangs.
const END: Duration = Duration::from_secs(600);
/// A picture is made at once.
const STILL: Duration = Duration::from_secs(60);
/// Width of a still.
const WIDTH: u32 = 400;

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
    tell: &mut Tell<'_>,
) -> Result<(), Stopped> {
    let (mut movie, _) = plan(footage, look)?;
    // Read twice: the sizes stand before the samples, and ffmpeg's input cannot be written backwards.
    let nowhere = |e: io::Error| Stopped::from(e.to_string());
    (movie.sizes, _) = samples(footage, &mut io::sink(), &mut |_| true, &nowhere)?;
    let told = told(movie, conformed, look.rate);
    let Movie { title, name, .. } = &told.movie;
    let base = u64::from(look.rate.base());
    let timecode = look.rate.shown(look.rate.timecode(look.span.t0, look.zone).into());
    let program = ffmpeg()
        .args(["-f", "mov", "-i", "pipe:0", "-map", "0:v:0", "-vf", &told.filter])
        .args(["-frames:v", &conformed.rows.len().to_string(), "-c:v", "libx264", "-preset", "veryfast", "-crf", "16"])
        .args([
            "-r",
            &format!("{}/{}", look.rate.frames, look.rate.seconds),
            "-pix_fmt",
            "yuv420p",
            "-g",
            &base.to_string(),
            "-movflags",
            "+faststart",
        ])
        .args(["-timecode", &timecode, "-metadata:s:v:0", &format!("reel_name={}", look.reel)])
        .args(["-metadata:s:v:0", &format!("handler_name={name}"), "-metadata", &format!("title={title}")])
        .args(["-metadata", &format!("creation_time={}", look.span.t0), "-f", "mp4", "-y"])
        .arg(path);
    let mut child = program.spawn()?;
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
        Handle::current().block_on(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
