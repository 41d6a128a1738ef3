//! Reads what the test camera's pictures say of themselves out of recorded footage, for tests and tools.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use syncslate_shared::child::Program;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use crate::picture::code::{Code, Layout};

/// The command line of the hidden subcommand `read-pictures`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ReadPicturesArgs {
    /// Footage of a test camera
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// A decoded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its number in the file, from 0.
    pub index: u64,
    /// What it says; `None` when its checksum is wrong.
    pub code: Option<Code>,
}

/// Decodes `file`, by itself, and reads each picture.
///
/// # Errors
/// ffmpeg could not be started or failed, or its output was cut off.
pub async fn read_pictures(file: &Path) -> Result<Vec<Picture>, String> {
    let mut child = Program::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-i"])
        .arg(file)
        // Every picture as it is: else frames would be doubled or dropped to a constant rate.
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "yuv4mpegpipe"])
        // Without it the muxer refuses grey pictures.
        .args(["-strict", "-1", "pipe:1"])
        .stdout(Stdio::piped())
        .spawn()?;
    let pictures = match child.take_stdout() {
        Some(stdout) => read_stream(stdout).await,
        None => Err("its standard output is missing".to_owned()),
    };
    let ended = child.wait().await;
    if ended.success() { pictures.map_err(|e| format!("{ended}: {e}")) } else { Err(ended.to_string()) }
}

/// Writes what the pictures of each file say as CSV; fields of a picture that cannot be read stay empty.
///
/// # Errors
/// A file cannot be decoded, or `out` cannot be written.
pub async fn print_csv(args: &ReadPicturesArgs, out: &mut impl Write) -> Result<(), String> {
    let written = |r: std::io::Result<()>| r.map_err(|e| format!("cannot write the table: {e}"));
    written(writeln!(out, "file,frame,time_ns,counter,ip"))?;
    for file in &args.files {
        for Picture { index, code } in read_pictures(file).await? {
            let said = code.map_or(",,".to_owned(), |c| format!("{},{},{}", c.time_ns, c.counter, c.ip));
            written(writeln!(out, "{},{index},{said}", file.display()))?;
        }
    }
    Ok(())
}

/// Reads a YUV4MPEG2 stream of grey pictures, one picture in memory at a time.
async fn read_stream(stream: impl AsyncRead + Unpin) -> Result<Vec<Picture>, String> {
    let mut stream = BufReader::new(stream);
    let header = line(&mut stream).await?.unwrap_or_default();
    let size =
        |letter: char| header.split(' ').skip(1).find_map(|word| word.strip_prefix(letter)?.parse::<usize>().ok());
    let (width, height) = size('W').zip(size('H')).ok_or_else(|| format!("`{header}` names no picture size"))?;
    let layout =
        Layout::of(width, height).ok_or_else(|| format!("{width}x{height} pictures are too small to say anything"))?;
    let mut luma = vec![0; width * height];
    let mut pictures = Vec::new();
    while let Some(frame) = line(&mut stream).await? {
        if !frame.starts_with("FRAME") {
            return Err(format!("`{}` stands where a picture should begin", frame.escape_debug()));
        }
        stream.read_exact(&mut luma).await.map_err(|e| format!("picture {} is cut off: {e}", pictures.len()))?;
        pictures.push(Picture { index: pictures.len() as u64, code: layout.read(&luma) });
    }
    Ok(pictures)
}

/// The next line, at most 200 bytes of it; `None` at the end.
async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<String>, String> {
    let mut line = Vec::new();
    stream.take(200).read_until(b'\n', &mut line).await.map_err(|e| format!("cannot read the pictures: {e}"))?;
    Ok((!line.is_empty()).then(|| String::from_utf8_lossy(line.trim_ascii_end()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cut_off_stream_is_an_error_not_an_end() {
        let stream = |tail: &[u8]| [b"YUV4MPEG2 W160 H90 F30:1 Cmono\n", tail].concat();
        let whole = stream(&[b"FRAME\n".as_slice(), &[0; 160 * 90]].concat());
        assert_eq!(read_stream(&whole[..]).await, Ok(vec![Picture { index: 0, code: None }]));
        assert!(read_stream(&whole[..whole.len() - 1]).await.unwrap_err().starts_with("picture 0 is cut off"));
        assert!(read_stream(&stream(b"NOISE\n")[..]).await.unwrap_err().contains("`NOISE` stands where"));
        assert!(read_stream(&b""[..]).await.unwrap_err().contains("names no picture size"));
    }

    #[tokio::test]
    async fn a_file_that_is_no_footage_is_told_with_evidence() {
        let error = read_pictures(Path::new("/dev/null")).await.unwrap_err();
        assert!(error.contains("`ffmpeg") && error.contains("/dev/null"), "{error}");
    }
}
