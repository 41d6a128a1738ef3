//! The ledger of custody: for every file that came from a node, its length, its SHA-256 and what is proven of it. One
//! file beside the footage, `<take>/custody.jsonl`, so that it goes where the take goes.
//!
//! A line is only ever added, and synced before anything is built on it; the newest line of a file counts. A crash can
//! tear the last line at most: one without its end is not read, and cut off before the next one is written. Damage to
//! a line can make a file look unproven or different, never proven: who deletes compares with the bytes themselves.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::errand::Broken;

/// Its name in a take's folder.
pub const FILE: &str = "custody.jsonl";

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Custody {
    /// It is here, and its digest was taken here. Tables and manifests stay so, as nodes give no digest of them.
    Arrived,
    /// Its digest was found to be the one that the node took when it closed the file.
    Verified,
    /// The node's copy was deleted: the one here is the only one.
    DeletedOnNode,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The node it came from.
    pub ip: Ipv4Addr,
    /// Its name.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes here.
    pub sha256: String,
    /// What is known.
    pub state: Custody,
}

impl Record {
    /// Whether the node's digest was once found equal.
    pub fn is_proven(&self) -> bool {
        self.state != Custody::Arrived
    }

    /// The same, saying that the node has deleted the file.
    pub(crate) fn gone(self) -> Self {
        Self { state: Custody::DeletedOnNode, ..self }
    }
}

/// A take's ledger as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    records: BTreeMap<(Ipv4Addr, String), Record>,
    /// Whole lines that cannot be read, by number, from 1.
    pub damaged: Vec<usize>,
}

impl Ledger {
    /// Reads the ledger of the take in `folder`; one that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("cannot read {}: {e}", path.display())),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut ledger = Self::default();
        let whole = &bytes[..whole_length(bytes)];
        for (n, line) in whole.split_inclusive(|byte| *byte == b'\n').enumerate() {
            match serde_json::from_slice::<Record>(line) {
                Ok(record) => {
                    ledger.records.insert((record.ip, record.file.clone()), record);
                }
                Err(_) => ledger.damaged.push(n + 1),
            }
        }
        ledger
    }

    /// What is known of a file.
    pub fn get(&self, ip: Ipv4Addr, file: &str) -> Option<&Record> {
        self.records.get(&(ip, file.to_owned()))
    }

    /// All files, by node and name.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }
}

/// Adds lines to the ledger of the take in `folder`; when this returns they are on the disk.
///
/// # Errors
/// Why not.
pub fn add(folder: &Path, records: &[Record]) -> Result<(), String> {
    let path = folder.join(FILE);
    append(folder, &path, records).map_err(|e| format!("cannot write to {}: {e}", path.display()))
}

/// The same off the event loop; nothing is written for no lines.
///
/// # Errors
/// As for [`add`].
pub async fn add_later(folder: &Path, records: Vec<Record>) -> Result<(), Broken> {
    if records.is_empty() {
        return Ok(());
    }
    let folder = folder.to_owned();
    let done = tokio::task::spawn_blocking(move || add(&folder, &records)).await;
    done.map_err(|e| e.to_string()).and_then(|done| done).map_err(Broken::for_now)
}

fn append(folder: &Path, path: &Path, records: &[Record]) -> std::io::Result<()> {
    let fresh = !path.exists();
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    // Two nodes' parts, or a second program, may add at the same time.
    flock(&file, FlockOperation::LockExclusive)?;
    cut_torn_end(&mut file)?;
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(&lines)?;
    file.sync_data()?;
    if fresh {
        // Without this the file itself may be lost with the power.
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn cut_torn_end(file: &mut File) -> std::io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        file.set_len(whole_length(&bytes) as u64)?;
    }
    Ok(())
}

/// The length without a last line that has no end.
fn whole_length(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
