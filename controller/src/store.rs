//! The journal on disk: written whole into a temporary file, synced, renamed, so that a power cut leaves the old one or
//! the new one and never half of either.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use syncslate_shared::protocol;
use syncslate_shared::report::Failure;

use crate::errand::Pending;
use crate::journal::Journal;
use crate::wishes::Wishes;

const FILE: &str = "take.json";
const QUEUE: &str = "downloads.json";
const CAMERAS: &str = "cameras.json";
/// The topics on which Home Assistant was told something.
const DISCOVERY: &str = "home_assistant.json";

/// Where the journal lies.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// The turn of the journal that was written last.
    written: Mutex<u64>,
    /// The same of the queue.
    queued: Mutex<u64>,
    /// The same of the cameras' settings.
    set: Mutex<u64>,
    /// The same of what Home Assistant was told.
    told: Mutex<u64>,
}

impl Store {
    /// Opens the folder, making it when it is not there, and reads the journal in it. One that is damaged is set aside
    /// with what to tell the operator: the controller must come up, whatever a power cut did.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path) -> Result<(Self, Journal, Option<String>), Failure> {
        let store = Self {
            folder: folder.to_owned(),
            written: Mutex::new(0),
            queued: Mutex::new(0),
            set: Mutex::new(0),
            told: Mutex::new(0),
        };
        let failed = |what: &str, e: std::io::Error| {
            Failure::new(format!("cannot {what} the state folder {}: {e}", folder.display()))
                .hint("give another one with --state DIR")
        };
        fs::create_dir_all(folder).map_err(|e| failed("make", e))?;
        let json = match fs::read(store.path()) {
            Ok(json) => json,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok((store, Journal::default(), None)),
            Err(e) => return Err(failed("read the journal in", e)),
        };
        match Journal::from_json(&json) {
            Ok(journal) => Ok((store, journal, None)),
            Err(why) => {
                let aside = store.free_name(FILE);
                fs::rename(store.path(), &aside).map_err(|e| failed("set the damaged journal aside in", e))?;
                let notice = format!(
                    "the journal of the take was damaged ({why}) and is set aside as {}: if a take was rolling, it is not known here any more",
                    aside.display()
                );
                Ok((store, Journal::default(), Some(notice)))
            }
        }
    }

    /// Writes the journal of this `turn`; when this returns it is on the disk. One that a slow disk held up so long that
    /// a later turn overtook it is left out.
    ///
    /// # Errors
    /// Why not, with what that means.
    pub fn keep(&self, turn: u64, journal: &Journal) -> Result<(), String> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if turn < *written {
            return Ok(());
        }
        *written = turn;
        self.write(FILE, &journal.to_json()).map_err(|e| {
            format!(
                "the journal in {} cannot be written, so a restart of the controller would forget the take: {e}",
                self.folder.display()
            )
        })
    }

    /// Writes down what is still to be fetched.
    ///
    /// # Errors
    /// Why not, with what that means.
    pub fn keep_queue(&self, turn: u64, pending: &[Pending]) -> Result<(), String> {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        if turn < *queued {
            return Ok(());
        }
        *queued = turn;
        let json = serde_json::to_vec(pending).unwrap_or_default();
        self.write(QUEUE, &json).map_err(|e| {
            let folder = self.folder.display();
            format!("{QUEUE} in {folder} cannot be written, so a restart would not go on with downloads: {e}")
        })
    }

    /// What was still to be fetched. A list that is damaged is as good as none: nothing is lost by asking again.
    pub fn queue(&self) -> Vec<Pending> {
        fs::read(self.folder.join(QUEUE)).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Writes down what is wished of the cameras; when this returns it is on the disk.
    ///
    /// # Errors
    /// Why not, with what that means.
    pub fn keep_cameras(&self, turn: u64, kept: &Wishes) -> Result<(), String> {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if turn < *set {
            return Ok(());
        }
        *set = turn;
        self.write(CAMERAS, &serde_json::to_vec_pretty(kept).unwrap_or_default()).map_err(|e| {
            let folder = self.folder.display();
            format!("{CAMERAS} in {folder} cannot be written, so a restart would forget how the cameras are set: {e}")
        })
    }

    /// What was wished of the cameras. A file that is damaged is set aside, with what to tell the operator.
    pub fn cameras(&self) -> (Wishes, Option<String>) {
        let Ok(json) = fs::read(self.folder.join(CAMERAS)) else { return (Wishes::default(), None) };
        let why = match protocol::read(&json) {
            Ok(kept) => return (kept, None),
            Err(why) => why,
        };
        let aside = self.free_name(CAMERAS);
        let moved = fs::rename(self.folder.join(CAMERAS), &aside);
        let moved = moved
            .map_or_else(|e| format!("cannot be set aside: {e}"), |()| format!("is set aside as {}", aside.display()));
        let notice =
            format!("the settings of the cameras were damaged ({why}): the file {moved}; set the cameras anew");
        (Wishes::default(), Some(notice))
    }

    /// Remembers on which topics Home Assistant was told something.
    ///
    /// # Errors
    /// Why not, with what that means.
    pub fn keep_discovery(&self, turn: u64, topics: &BTreeSet<String>) -> Result<(), String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if turn < *told {
            return Ok(());
        }
        *told = turn;
        let json = serde_json::to_vec(topics).unwrap_or_default();
        self.write(DISCOVERY, &json).map_err(|e| {
            let folder = self.folder.display();
            format!("{DISCOVERY} in {folder} cannot be written, so Home Assistant keeps what it was told: {e}")
        })
    }

    /// The topics on which Home Assistant was told something.
    pub fn discovery(&self) -> Vec<String> {
        let json = fs::read(self.folder.join(DISCOVERY)).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    fn write(&self, name: &str, json: &[u8]) -> std::io::Result<()> {
        let temporary = self.folder.join(format!("{name}.new"));
        let mut file = File::create(&temporary)?;
        file.write_all(json)?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(name))?;
        // Without this the rename itself may be lost with the power.
        File::open(&self.folder)?.sync_all()
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn free_name(&self, file: &str) -> PathBuf {
        let name = |n: u32| self.folder.join(format!("{file}.damaged-{n}"));
        (1..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(u32::MAX))
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
