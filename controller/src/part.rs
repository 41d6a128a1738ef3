//! What is fetched: a part of a download, which is a take of one node, in pieces, one for each folder that its files belong
//! into; and what is told of it meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use syncslate_shared::files::{Base, Kind, parse_digests};
use syncslate_shared::take::TakeId;

use crate::errand::{Broken, Errand, Growing, Progress, RemoteFile};
use crate::ledger::{self, Ledger, Record};
use crate::leftovers::hold;
use crate::room::Room;
use crate::rsync::Rsync;

/// What is to be fetched, and where to.
#[derive(Clone, Debug)]
pub struct Part {
    /// How.
    pub rsync: Rsync,
    /// The room in the downloads folder.
    pub room: Room,
    /// The downloads folder.
    pub downloads: PathBuf,
    /// What, and from whom.
    pub errand: Errand,
}

impl Part {
    /// Whether a file of the node is one of this part's.
    pub(crate) fn wants(&self, name: &str) -> bool {
        Base::parse(name).is_some_and(|(base, _)| self.is_ours(&base.id))
    }

    fn is_ours(&self, id: &TakeId) -> bool {
        let Errand { take, which, growing, .. } = &self.errand;
        let left_out = matches!(growing, Some(Growing::LeftOut(growing)) if growing == id);
        id.name == *take && which.holds(&id.stamp) && !left_out
    }
}

/// What is told of a part, counted by those who fetch and those who prove at the same time.
pub(crate) struct Tally<'a> {
    progress: Mutex<Progress>,
    told: &'a (dyn Fn(Progress) + Send + Sync),
}

impl<'a> Tally<'a> {
    /// Of these files, none of which is here yet.
    pub(crate) fn new<'f>(
        files: impl Iterator<Item = &'f RemoteFile>,
        told: &'a (dyn Fn(Progress) + Send + Sync),
    ) -> Self {
        let (mut count, mut total_bytes) = (0, 0);
        files.for_each(|file| (count, total_bytes) = (count + 1, total_bytes + file.bytes));
        Self { progress: Mutex::new(Progress { files: count, bytes: 0, total_bytes, verified: 0 }), told }
    }

    /// Tells what has changed.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        progress.bytes = progress.bytes.min(progress.total_bytes);
        (self.told)(*progress);
    }

    /// Bytes that are here.
    pub(crate) fn bytes(&self) -> u64 {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// One more file was found equal.
    pub(crate) fn verified(&self) {
        self.change(|progress| progress.verified += 1);
    }
}

/// What belongs into one folder.
pub(crate) struct Piece<'a> {
    pub(crate) part: &'a Part,
    /// Where the ledger lies.
    pub(crate) take_folder: PathBuf,
    /// Where the node's files lie.
    pub(crate) folder: PathBuf,
    pub(crate) files: Vec<RemoteFile>,
}

impl<'a> Piece<'a> {
    pub(crate) fn new(part: &'a Part, take_folder: &Path, files: Vec<RemoteFile>) -> Self {
        let folder = take_folder.join(part.errand.ip.to_string());
        Self { part, take_folder: take_folder.to_owned(), folder, files }
    }

    /// The ledger.
    pub(crate) fn ledger(&self) -> Result<Ledger, String> {
        Ledger::read(&self.take_folder)
    }

    /// Adds lines to the ledger.
    pub(crate) async fn record(&self, records: Vec<Record>) -> Result<(), Broken> {
        ledger::add_later(&self.take_folder, records).await
    }

    /// Makes the folder and takes hold of it.
    pub(crate) fn make_folder(&self) -> Result<File, Broken> {
        fs::create_dir_all(&self.folder)
            .map_err(|e| Broken::for_now(format!("cannot make the folder {}: {e}", self.folder.display())))?;
        hold(&self.folder)
    }
}

/// The digests that the nodes' lists among `files` name, by file.
pub(crate) fn digests_in(folder: &Path, files: &[RemoteFile]) -> BTreeMap<String, String> {
    let lists = files.iter().filter(|file| matches!(Base::parse(&file.name), Some((_, Kind::Digests))));
    lists
        .filter_map(|file| fs::read_to_string(folder.join(&file.name)).ok())
        .flat_map(|text| parse_digests(&text))
        .collect()
}

/// Whether a file is not here in its whole length.
pub(crate) fn is_missing(folder: &Path, file: &RemoteFile) -> bool {
    fs::metadata(folder.join(&file.name)).map_or(true, |meta| meta.len() != file.bytes)
}

/// Whether it is footage, of which nodes give digests.
pub(crate) fn is_footage(name: &str) -> bool {
    matches!(Base::parse(name), Some((_, Kind::Segment(_))))
}
