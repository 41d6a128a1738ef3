//! One footage file while it is being written: its bytes, its running SHA-256, its entry in the manifest.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::SegmentEntry;
use syncslate_shared::time::Wall;

/// A segment's state before a picture.
pub(super) struct SoFar {
    digest: Sha256,
    bytes: u64,
    frames: u64,
}

/// A footage file that is open.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    pub(super) file: Arc<File>,
    digest: Sha256,
    pub(super) entry: SegmentEntry,
}

impl Segment {
    /// Makes the file; one that is there already is never overwritten.
    pub(super) fn create(
        videos: &Path,
        base: &Base,
        index: u32,
        first_frame: u64,
        start: Wall,
    ) -> Result<Self, String> {
        let name = base.file(Kind::Segment(index));
        let path = videos.join(&name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| format!("cannot make the footage file {}: {e}", path.display()))?;
        let entry = SegmentEntry { index, file: name, first_frame, frames: 0, bytes: 0, start, sha256: String::new() };
        Ok(Self { path, file: Arc::new(file), digest: Sha256::new(), entry })
    }

    /// Adds one picture's bytes; on failure the file ends with the picture before.
    pub(super) fn append(&mut self, data: &[u8]) -> Result<(), String> {
        let written = (&*self.file).write_all(data);
        if let Err(e) = written {
            let _ = self.file.set_len(self.entry.bytes);
            return Err(format!("cannot write to {}: {e}", self.path.display()));
        }
        self.digest.update(data);
        self.entry.bytes += data.len() as u64;
        self.entry.frames += 1;
        Ok(())
    }

    /// What [`Segment::undo`] goes back to.
    pub(super) fn so_far(&self) -> SoFar {
        SoFar { digest: self.digest.clone(), bytes: self.entry.bytes, frames: self.entry.frames }
    }

    /// Takes the last picture back, whose line could not be written to the frame table.
    pub(super) fn undo(&mut self, so_far: SoFar) {
        let _ = self.file.set_len(so_far.bytes);
        // Whatever is written next goes there, should the file not have let itself be cut.
        let _ = (&*self.file).seek(SeekFrom::Start(so_far.bytes));
        (self.digest, self.entry.bytes, self.entry.frames) = (so_far.digest, so_far.bytes, so_far.frames);
    }

    /// Closes the file: its last bytes are on the disk when this returns.
    pub(super) fn close(mut self) -> (SegmentEntry, Result<(), String>) {
        let synced = self.file.sync_all().map_err(|e| format!("cannot sync {}: {e}", self.path.display()));
        self.entry.sha256 = hex(&self.digest.finalize());
        (self.entry, synced)
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn digest_file(path: &Path) -> Result<String, String> {
    let run = || {
        let mut digest = Sha256::new();
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match std::io::Read::read(&mut file, &mut buffer)? {
                0 => return Ok(hex(&digest.finalize())),
                n => digest.update(&buffer[..n]),
            }
        }
    };
    run().map_err(|e: std::io::Error| format!("cannot read {}: {e}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
