//! The files of one part that lie in one folder here: fetched, proven as they arrive, mended, and then perhaps deleted
//! on the node.
//!
//! From its arrival on each file stands in the [`ledger`](crate::ledger). Footage that was proven is never overwritten;
//! footage that is damaged here is fetched anew and kept aside until the new copy is proven.

use std::fs::{self, File};

use syncslate_shared::files::{Base, Kind};
use syncslate_shared::take::TakeId;
use tokio::sync::Notify;

use crate::cleanup::clean;
use crate::digest::sha256_of;
use crate::errand::{Broken, RemoteFile};
use crate::leftovers::{aside_name, drop_damaged, salvage};
use crate::part::{Piece, Tally, digests_in, is_footage, is_missing};
use crate::proof::{Proof, Proven};

impl Piece<'_> {
    /// Of the take `id`, which rolls, only footage is kept that stands in the node's list, which is fetched for it.
    pub(crate) async fn leave_open_files(&mut self, id: &TakeId) -> Result<(), Broken> {
        let kind = |file: &RemoteFile| Base::parse(&file.name).filter(|(base, _)| base.id == *id).map(|(_, kind)| kind);
        let lists: Vec<_> = self.files.iter().filter(|file| kind(file) == Some(Kind::Digests)).cloned().collect();
        if !lists.is_empty() {
            let lock = self.make_folder()?;
            self.part.rsync.fetch(self.part.errand.ip, &lists, &self.folder, lock, |_| {}).await?;
        }
        let closed = digests_in(&self.folder, &lists);
        self.files.retain(|file| match kind(file) {
            None | Some(Kind::Digests) => true,
            Some(Kind::Segment(_)) => closed.contains_key(&file.name),
            // Tables and manifest grow until the end.
            Some(_) => false,
        });
        Ok(())
    }

    /// Does all of it; gives what to tell the operator.
    pub(crate) async fn run(&self, tally: &Tally<'_>) -> Result<Option<String>, Broken> {
        if self.files.is_empty() {
            return Ok(None);
        }
        let lock = self.make_folder()?;
        salvage(&self.folder);
        let (wanted, guarded) = self.choose().await?;
        let mut proof = Proof::new(self, &guarded);
        self.fetch(&wanted, &mut proof, &lock, tally).await?;
        let mut proven = proof.finish(tally).await?;
        if !proven.damaged.is_empty() {
            proven = self.mend(proven, &guarded, &lock).await?;
            proven.mended.iter().for_each(|_| tally.verified());
        }
        drop_damaged(&self.folder, &self.files);
        if let Some(file) = guarded.first() {
            return Err(Broken::for_good(format!(
                "{} was fetched and proven before, but {} now has another one of {} bytes: nothing was overwritten\n\nhint: look at both, and move the one here away if the node's is right",
                self.folder.join(&file.name).display(),
                self.part.errand.ip,
                file.bytes
            )));
        }
        let delete = |file: &&RemoteFile| {
            Base::parse(&file.name).is_some_and(|(base, _)| self.part.errand.delete.holds(&base.id.stamp))
        };
        let deletable: Vec<_> = self.files.iter().filter(delete).cloned().collect();
        let deleted = if deletable.is_empty() { None } else { Some(clean(self, &deletable).await?) };
        let remarks: Vec<_> = proven.remark().into_iter().chain(deleted).collect();
        Ok((!remarks.is_empty()).then(|| remarks.join("; ")))
    }

    /// Fetches, and proves meanwhile what has arrived: its bytes are in memory still.
    async fn fetch(
        &self,
        wanted: &[RemoteFile],
        proof: &mut Proof<'_>,
        lock: &File,
        tally: &Tally<'_>,
    ) -> Result<(), Broken> {
        let missing = sum(wanted);
        let before = tally.bytes();
        let here = before + sum(&self.files) - missing;
        tally.change(|progress| progress.bytes = here);
        if wanted.is_empty() {
            return Ok(());
        }
        let needed = wanted.iter().filter(|file| is_missing(&self.folder, file)).map(|file| file.bytes).sum();
        let claim = self.part.room.claim(&self.folder, needed)?;
        let (arrived, ended) = (Notify::new(), Notify::new());
        let lock = lock.try_clone().map_err(|e| Broken::for_now(e.to_string()))?;
        let fetching = async {
            let at = |bytes: u64| {
                claim.arrived(bytes);
                tally.change(|progress| progress.bytes = here + bytes.min(missing));
                arrived.notify_one();
            };
            let fetched = self.part.rsync.fetch(self.part.errand.ip, wanted, &self.folder, lock, at).await;
            ended.notify_one();
            fetched
        };
        let proving = async {
            loop {
                tokio::select! {
                    () = ended.notified() => return Ok(()),
                    () = arrived.notified() => proof.go_on(tally).await?,
                }
            }
        };
        tokio::try_join!(fetching, proving)?;
        tally.change(|progress| progress.bytes = here + missing);
        Ok(())
    }

    /// What rsync is to fetch, and what it must not touch: footage that was proven here and is another one there.
    /// Footage of equal length is here already; if its bytes are not the same, its digest will tell.
    async fn choose(&self) -> Result<(Vec<RemoteFile>, Vec<RemoteFile>), Broken> {
        let (mut wanted, mut guarded) = (Vec::new(), Vec::new());
        let digests = digests_in(&self.folder, &self.files);
        let ledger = self.ledger()?;
        for file in &self.files {
            let here = fs::symlink_metadata(self.folder.join(&file.name)).ok();
            match here.filter(|_| is_footage(&file.name)) {
                None => wanted.push(file.clone()),
                Some(meta) if meta.is_file() && meta.len() == file.bytes => {}
                Some(_) => {
                    let found = sha256_of(self.folder.join(&file.name)).await?;
                    let recorded = ledger.get(self.part.errand.ip, &file.name).filter(|record| record.is_proven());
                    let proven = digests.get(&file.name) == Some(&found) || recorded.is_some_and(|r| r.sha256 == found);
                    if proven { &mut guarded } else { &mut wanted }.push(file.clone());
                }
            }
        }
        Ok((wanted, guarded))
    }

    /// Footage that is here in its full length and with other bytes than the node wrote: fetched once more, whole. It
    /// is the node's copy that has changed when that does not help.
    async fn mend(&self, found: Proven, guarded: &[RemoteFile], lock: &File) -> Result<Proven, Broken> {
        let damaged = |file: &&RemoteFile| found.damaged.iter().any(|damaged| damaged.file == file.name);
        let again: Vec<_> = self.files.iter().filter(damaged).cloned().collect();
        let _claim = self.part.room.claim(&self.folder, sum(&again))?;
        let mut aside = Vec::new();
        for damaged in &found.damaged {
            tracing::warn!("{}: it is set aside and fetched once more", damaged.told(&self.folder));
            let (here, kept) = (self.folder.join(&damaged.file), aside_name(&self.folder, &damaged.file));
            fs::rename(&here, &kept).map_err(|e| format!("cannot set {} aside: {e}", here.display()))?;
            aside.push((kept, here));
        }
        let lock = lock.try_clone().map_err(|e| Broken::for_now(e.to_string()))?;
        let fetched = self.part.rsync.fetch(self.part.errand.ip, &again, &self.folder, lock, |_| {}).await;
        for (kept, here) in &aside {
            // What could not be fetched is put back: half-rotten footage is better than none.
            if !here.exists() {
                let _ = fs::rename(kept, here);
            }
        }
        fetched?;
        let quiet = |_| {};
        let proven = Proof::new(self, guarded).finish(&Tally::new(self.files.iter(), &quiet)).await?;
        if let Some(damaged) = proven.damaged.first() {
            for (kept, here) in &aside {
                let _ = fs::rename(kept, here);
            }
            let why = format!(
                "{}; fetched again it is the same: the copy on {} has changed\n\nhint: what is here is what can be had of it; play it, and move it away to try again",
                damaged.told(&self.folder),
                self.part.errand.ip
            );
            return Err(Broken::for_good(why));
        }
        let mended = found.damaged.into_iter().map(|damaged| damaged.file).collect();
        Ok(Proven { mended, ..proven })
    }
}

fn sum(files: &[RemoteFile]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}
