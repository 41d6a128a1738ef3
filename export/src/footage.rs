//! A camera's part of a take as it lies in the downloads folder: read, and checked against itself. It reads only.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use syncslate_report::folder;
pub use syncslate_report::folder::nodes;
use syncslate_report::model::Source;
use syncslate_shared::files::{Base, FRAMES_HEADER, FrameRow, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::take::TakeId;

use crate::plan;
use crate::rate::Rate;

/// No line of a frame table is longer.
const LONGEST_LINE: u64 = 160;
/// No frame of a camera is larger.
const LARGEST_FRAME: u64 = 64 << 20;
/// At 30 frames a second 77 hours.
const MOST_FRAMES: usize = 1 << 23;

/// One camera's part of a take.
#[derive(Clone, Debug, PartialEq)]
pub struct Footage {
    /// The folder its files lie in.
    pub folder: PathBuf,
    /// What they are called.
    pub base: Base,
    /// What the node knew.
    pub manifest: Manifest,
    /// Every frame in the order of its file and place.
    pub rows: Vec<FrameRow>,
    /// The period that its frames come in, in microseconds.
    pub period_us: f64,
    /// Its rate: what it was asked for, unless it plainly has another one.
    pub rate: Option<Rate>,
    /// What is odd with it and does not matter for what is made of it, in sentences.
    pub notes: Vec<String>,
}

/// Reads the manifest of `ip`'s part of the take in `folder`.
///
/// # Errors
/// It is not here, or damaged.
pub fn manifest(folder: &Path, id: &TakeId, ip: Ipv4Addr) -> Result<Manifest, String> {
    let path = || folder.join(ip.to_string()).join(Base { id: id.clone(), ip }.file(Kind::Manifest));
    folder::manifest(folder, id, ip)?.ok_or_else(|| missing(&path(), "its manifest"))
}

/// Reads `ip`'s part of the take in `folder`.
///
/// # Errors
/// A file is missing, damaged, or they do not fit together: which, and where.
pub fn read(folder: &Path, id: &TakeId, ip: Ipv4Addr) -> Result<Footage, String> {
    let manifest = manifest(folder, id, ip)?;
    let base = Base { id: id.clone(), ip };
    let folder = folder.join(ip.to_string());
    let (rows, mut notes) = table(&folder.join(base.file(Kind::Frames)))?;
    if (rows.len() as u64) < manifest.frames {
        let missing = manifest.frames - rows.len() as u64;
        notes.push(format!(
            "{missing} frames of the manifest's {} are not in its frame table: left out",
            manifest.frames
        ));
    }
    let (period_us, rate) = (plan::period_us(&rows, &manifest), plan::rate(&rows, &manifest));
    let footage = Footage { folder, base, manifest, rows, period_us, rate, notes };
    footage.fits()?;
    Ok(footage)
}

fn absent(path: &Path, what: &str, e: &std::io::Error) -> String {
    match e.kind() {
        ErrorKind::NotFound => missing(path, what),
        _ => format!("cannot read {}: {e}", path.display()),
    }
}

fn missing(path: &Path, what: &str) -> String {
    format!("{what} is not here ({})\n\nhint: fetch the take again", path.display())
}

/// Reads a frame table whose every line counts; one without an end is left out, because a power cut tore it.
fn table(path: &Path) -> Result<(Vec<FrameRow>, Vec<String>), String> {
    let file = File::open(path).map_err(|e| absent(path, "its frame table", &e))?;
    let (mut reader, mut rows, mut notes) = (BufReader::new(file), Vec::new(), Vec::new());
    let mut line = String::new();
    for number in 1u64.. {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_line(&mut line);
        let damaged = |why: &str| {
            let path = path.display();
            format!(
                "{path} is damaged in line {number}: {why}\n\nhint: `syncslate-controller check` says whether it arrived so; fetch it again"
            )
        };
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::InvalidData => return Err(damaged("it is no text")),
            Err(e) => return Err(format!("cannot read {}: {e}", path.display())),
        }
        let Some(text) = line.strip_suffix('\n') else {
            if line.len() as u64 == LONGEST_LINE {
                return Err(damaged("it is too long"));
            }
            notes.push(format!("line {number} of its frame table has no end, so a power cut tore it: left out"));
            break;
        };
        match (number, text) {
            (1, FRAMES_HEADER) => {}
            (1, _) => return Err(damaged(&format!("it is not `{FRAMES_HEADER}`"))),
            _ => rows.push(FrameRow::parse(text).map_err(|why| damaged(&why))?),
        }
        if rows.len() > MOST_FRAMES {
            return Err(damaged("there are more frames than can be read"));
        }
    }
    Ok((rows, notes))
}

impl Footage {
    /// The name people know the camera by.
    pub fn name(&self) -> String {
        if self.manifest.name.is_empty() { self.base.ip.to_string() } else { self.manifest.name.clone() }
    }

    /// Whether table and footage tell the same.
    fn fits(&self) -> Result<(), String> {
        let mut at = (0, 0);
        let wrong = |row: &FrameRow, why: String| {
            let table = self.folder.join(self.base.file(Kind::Frames));
            Err(format!("{} does not fit its footage at frame {}: {why}", table.display(), row.frame))
        };
        for row in &self.rows {
            if row.segment != at.0 {
                if row.segment < at.0 {
                    return wrong(row, format!("segment {} comes after {}", row.segment, at.0));
                }
                at = (row.segment, 0);
            }
            if row.offset < at.1 {
                return wrong(row, format!("it begins at byte {}, inside the frame before", row.offset));
            }
            if row.bytes == 0 || row.bytes > LARGEST_FRAME {
                return wrong(row, format!("it has {} bytes", row.bytes));
            }
            at.1 = row.offset.saturating_add(row.bytes);
        }
        for segment in self.segments() {
            let path = self.path(segment);
            let meta = fs::metadata(&path).map_err(|e| absent(&path, "a footage file", &e))?;
            let last = self.rows.iter().rfind(|row| row.segment == segment);
            if let Some(row) = last.filter(|row| row.offset + row.bytes > meta.len()) {
                let wanted = row.offset + row.bytes;
                return wrong(
                    row,
                    format!("{} has {} bytes, not {wanted}: it is not whole", path.display(), meta.len()),
                );
            }
        }
        Ok(())
    }

    /// The indexes of its footage files, in order.
    pub fn segments(&self) -> Vec<u32> {
        let mut segments: Vec<_> = self.rows.iter().map(|row| row.segment).collect();
        segments.dedup();
        segments
    }

    /// A footage file.
    pub fn path(&self, segment: u32) -> PathBuf {
        self.folder.join(self.base.file(Kind::Segment(segment)))
    }

    /// What everything made of it depends on.
    pub fn inputs(&self) -> Vec<Source> {
        let footage = self.segments().into_iter().map(Kind::Segment);
        let kinds = [Kind::Manifest, Kind::Frames].into_iter().chain(footage);
        kinds.filter_map(|kind| folder::source(&self.folder, self.base.file(kind))).collect()
    }

    /// Its frames' bytes, one after the other.
    pub fn frames(&self) -> Frames<'_> {
        self.frames_from(0)
    }

    /// The bytes of its frames from this row on.
    pub fn frames_from(&self, row: usize) -> Frames<'_> {
        Frames { footage: self, row, open: None, bytes: Vec::new() }
    }
}

/// Reads frames, one in memory at a time.
#[derive(Debug)]
pub struct Frames<'a> {
    footage: &'a Footage,
    row: usize,
    open: Option<(u32, BufReader<File>, u64)>,
    bytes: Vec<u8>,
}

impl Frames<'_> {
    /// The next frame's bytes as they lie in the footage; `None` after the last.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(&mut self) -> Result<Option<&[u8]>, String> {
        let Some(row) = self.footage.rows.get(self.row) else { return Ok(None) };
        self.row += 1;
        let path = self.footage.path(row.segment);
        let failed = |e: std::io::Error| format!("cannot read frame {} in {}: {e}", row.frame, path.display());
        let (mut file, at) = match self.open.take() {
            Some((segment, file, at)) if segment == row.segment => (file, at),
            _ => (BufReader::with_capacity(1 << 18, File::open(&path).map_err(failed)?), 0),
        };
        if at != row.offset {
            file.seek(SeekFrom::Start(row.offset)).map_err(failed)?;
        }
        self.bytes.resize(usize::try_from(row.bytes).unwrap_or(0), 0);
        file.read_exact(&mut self.bytes).map_err(failed)?;
        self.open = Some((row.segment, file, row.offset + row.bytes));
        Ok(Some(&self.bytes))
    }
}

#[cfg(test)]
#[path = "footage_tests.rs"]
mod tests;
