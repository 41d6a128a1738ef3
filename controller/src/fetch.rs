//! One part of a download: a take from a node into `<downloads>/<take>/<ip>/`, then the proof that it is whole, then,
//! when that is wished, the end of the node's copy.
//!
//! A take that was renamed here lies elsewhere, so a part is done in pieces, one for each folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syncslate_shared::files::Base;
use syncslate_shared::take::TakeName;

use crate::errand::{Broken, Errand, Fetched, Growing, Progress, RemoteFile};
use crate::homes;
use crate::ledger::{Custody, Ledger, Record};
use crate::part::{Part, Piece, Tally, is_footage};

impl Part {
    /// Fetches and proves; `told` hears how far it is.
    pub async fn run(mut self, told: impl Fn(Progress) + Send + Sync) -> Fetched {
        if let Some(Growing::ClosedOnly(_)) = self.errand.growing {
            self.rsync = self.rsync.gently();
        }
        self.rsync.aes = self.errand.aes && syncslate_shared::processor::has_aes();
        // Asked again: since the wish, files may have been closed.
        let all = self.rsync.list(self.errand.ip).await?;
        let files: Vec<_> = all.into_iter().filter(|file| self.wants(&file.name)).collect();
        if files.is_empty() {
            return self.nothing_left().await;
        }
        let mut pieces = self.pieces(files);
        if let Some(Growing::ClosedOnly(id)) = self.errand.growing.clone() {
            for piece in &mut pieces {
                piece.leave_open_files(&id).await?;
            }
        }
        let tally = Tally::new(pieces.iter().flat_map(|piece| &piece.files), &told);
        let mut remarks = Vec::new();
        for piece in &pieces {
            remarks.extend(piece.run(&tally).await?);
        }
        Ok((!remarks.is_empty()).then(|| remarks.join("; ")))
    }

    /// The files by the folder they belong into.
    fn pieces(&self, files: Vec<RemoteFile>) -> Vec<Piece<'_>> {
        let away = homes::away(&self.downloads, &self.errand.take);
        let mut folders: BTreeMap<&TakeName, Vec<RemoteFile>> = BTreeMap::new();
        for file in files {
            let id = Base::parse(&file.name).map(|(base, _)| base.id);
            let folder = id.and_then(|id| away.get(&id)).unwrap_or(&self.errand.take);
            folders.entry(folder).or_default().push(file);
        }
        folders
            .into_iter()
            .map(|(folder, files)| Piece::new(self, &self.downloads.join(folder.as_str()), files))
            .collect()
    }

    /// The node has none of it: all is well when all is here.
    async fn nothing_left(&self) -> Fetched {
        let Errand { take, ip, growing, .. } = &self.errand;
        if let Some(Growing::ClosedOnly(_)) = growing {
            return Ok(None);
        }
        let away = homes::away(&self.downloads, take);
        let folders: Vec<_> = away.values().chain([take]).map(|folder| self.downloads.join(folder.as_str())).collect();
        let mut known = 0;
        for folder in folders {
            let ledger = Ledger::read(&folder)?;
            let ours: Vec<_> = ledger.records().filter(|r| r.ip == *ip && self.wants(&r.file)).cloned().collect();
            if ours.iter().any(|record| !is_safe(&folder, record)) {
                return Err(Broken::for_good(format!(
                    "{ip} has no footage of {take} any more, and not all of it is here"
                )));
            }
            known += ours.len();
            // A clean-up that was killed had no time to write this down.
            let late: Vec<_> = ours.into_iter().filter(|record| record.state != Custody::DeletedOnNode).collect();
            crate::ledger::add_later(&folder, late.into_iter().map(Record::gone).collect()).await?;
        }
        match known {
            0 => Err(Broken::for_good(format!("{ip} has no footage of {take} any more"))),
            _ => Ok(Some(format!("all of it is here, and {ip} has deleted its copies"))),
        }
    }
}

/// Whether a file that the node has no more is here as it was recorded, and proven where it can be.
fn is_safe(folder: &Path, record: &Record) -> bool {
    let path = folder.join(record.ip.to_string()).join(&record.file);
    let here = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == record.bytes);
    here && (record.is_proven() || !is_footage(&record.file))
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
