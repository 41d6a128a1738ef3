//! One part of a download: a take from a node into `<downloads>/<take>/<ip>/`, then the proof that it is whole, then,
//! when that is wished, the end of the node's copy.
//!
//! From its arrival on each file stands in the [`ledger`]. Footage that was proven is never overwritten; footage that
//! is damaged here is fetched anew and kept aside until the new copy is proven.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use syncslate_shared::files::{Base, Kind, parse_digests};
use syncslate_shared::take::{TakeId, TakeName};

use crate::digest::sha256_of;
use crate::event::{Broken, Fetched, Progress, RemoteFile};
use crate::ledger::{self, Custody, Ledger, Record};
use crate::room::Room;
use crate::rsync::{PARTIAL, Rsync};

/// What is to be fetched, and where to.
#[derive(Clone, Debug)]
pub struct Part {
    /// How.
    pub rsync: Rsync,
    /// The room in the downloads folder.
    pub room: Room,
    /// The downloads folder.
    pub downloads: PathBuf,
    /// The take.
    pub take: TakeName,
    /// The node.
    pub ip: Ipv4Addr,
    /// A take that is rolling: its files still grow.
    pub without: Option<TakeId>,
    /// Delete the node's copies once they are proven equal.
    pub delete: bool,
}

impl Part {
    /// Fetches and proves; `told` hears how far it is.
    pub async fn run(self, told: impl Fn(Progress) + Send + Sync) -> Fetched {
        // Asked again: since the wish, files may have been closed.
        let files: Vec<_> = self.rsync.list(self.ip).await?.into_iter().filter(|file| self.wants(&file.name)).collect();
        if files.is_empty() {
            return self.nothing_left();
        }
        let folder = self.folder();
        fs::create_dir_all(&folder)
            .map_err(|e| Broken::for_now(format!("cannot make the folder {}: {e}", folder.display())))?;
        let lock = hold(&folder)?;
        salvage(&folder);
        let fetched = self.fetch(&folder, &files, &lock, &told).await?;
        let work = Proof { part: &self, folder: &folder, files: &files, guarded: &fetched.guarded };
        let mut proven = work.prove(fetched.progress, &told).await?;
        if !proven.damaged.is_empty() {
            proven = self.mend(&work, proven, &lock, fetched.progress, &told).await?;
        }
        drop_damaged(&folder, &files);
        if let Some(file) = fetched.guarded.first() {
            return Err(Broken::for_good(format!(
                "{} was fetched and proven before, but {} now has another one of {} bytes: nothing was overwritten\n\nhint: look at both, and move the one here away if the node's is right",
                folder.join(&file.name).display(),
                self.ip,
                file.bytes
            )));
        }
        let deleted = if self.delete { Some(crate::cleanup::clean(&self, &folder, &files).await?) } else { None };
        let remarks: Vec<_> = proven.remark().into_iter().chain(deleted.flatten()).collect();
        Ok((!remarks.is_empty()).then(|| remarks.join("; ")))
    }

    /// Where its files lie here.
    pub fn folder(&self) -> PathBuf {
        self.downloads.join(self.take.as_str()).join(self.ip.to_string())
    }

    /// The take's ledger lies beside the nodes' folders.
    pub fn ledger(&self) -> Result<Ledger, String> {
        Ledger::read(&self.downloads.join(self.take.as_str()))
    }

    /// Adds lines to the ledger.
    pub async fn record(&self, records: Vec<Record>) -> Result<(), Broken> {
        let folder = self.downloads.join(self.take.as_str());
        let done = tokio::task::spawn_blocking(move || ledger::add(&folder, &records)).await;
        done.map_err(|e| e.to_string()).and_then(|done| done).map_err(Broken::for_now)
    }

    fn wants(&self, name: &str) -> bool {
        Base::parse(name).is_some_and(|(base, _)| base.id.name == self.take && Some(&base.id) != self.without.as_ref())
    }

    fn nothing_left(&self) -> Fetched {
        let ledger = self.ledger()?;
        let mut known = ledger.records().filter(|record| record.ip == self.ip).peekable();
        if known.peek().is_some() && known.all(|record| record.state == Custody::DeletedOnNode) {
            return Ok(Some(format!("all of it is here, and {} has deleted its copies", self.ip)));
        }
        Err(Broken::for_good(format!("{} has no footage of {} any more", self.ip, self.take)))
    }

    async fn fetch(
        &self,
        folder: &Path,
        files: &[RemoteFile],
        lock: &File,
        told: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<FetchedFiles, Broken> {
        let (wanted, guarded) = self.choose(folder, files).await?;
        let total_bytes = files.iter().map(|file| file.bytes).sum();
        let missing = sum(&wanted);
        let here = total_bytes - missing - sum(&guarded);
        let mut progress = Progress { files: files.len() as u64, bytes: here, total_bytes, verified: 0 };
        told(progress);
        if !wanted.is_empty() {
            let claim =
                self.room.claim(folder, wanted.iter().filter(|f| is_missing(folder, f)).map(|f| f.bytes).sum())?;
            let at = |bytes: u64| {
                claim.arrived(bytes);
                told(Progress { bytes: (here + bytes).min(total_bytes), ..progress });
            };
            let lock = lock.try_clone().map_err(|e| Broken::for_now(e.to_string()))?;
            self.rsync.fetch(self.ip, &wanted, folder, lock, at).await?;
        }
        progress.bytes = here + missing;
        Ok(FetchedFiles { guarded, progress })
    }

    /// What rsync is to fetch, and what it must not touch: footage that was proven here and is another one there.
    /// Footage of equal length is here already; if its bytes are not the same, its digest will tell.
    async fn choose(&self, folder: &Path, files: &[RemoteFile]) -> Result<(Vec<RemoteFile>, Vec<RemoteFile>), Broken> {
        let (mut wanted, mut guarded) = (Vec::new(), Vec::new());
        let digests = digests_in(folder, files);
        let ledger = self.ledger()?;
        for file in files {
            let here = fs::symlink_metadata(folder.join(&file.name)).ok();
            match here.filter(|_| is_footage(&file.name)) {
                None => wanted.push(file.clone()),
                Some(meta) if meta.is_file() && meta.len() == file.bytes => {}
                Some(_) => {
                    let found = sha256_of(folder.join(&file.name)).await?;
                    let recorded = ledger.get(self.ip, &file.name).filter(|record| record.is_proven());
                    let proven = digests.get(&file.name) == Some(&found) || recorded.is_some_and(|r| r.sha256 == found);
                    if proven { &mut guarded } else { &mut wanted }.push(file.clone());
                }
            }
        }
        Ok((wanted, guarded))
    }

    /// Footage that is here in its full length and with other bytes than the node wrote: fetched once more, whole. It
    /// is the node's copy that has changed when that does not help.
    async fn mend(
        &self,
        work: &Proof<'_>,
        found: Proven,
        lock: &File,
        progress: Progress,
        told: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<Proven, Broken> {
        let folder = work.folder;
        let again: Vec<_> =
            work.files.iter().filter(|file| found.damaged.iter().any(|d| d.file == file.name)).cloned().collect();
        let _claim = self.room.claim(folder, sum(&again))?;
        let mut aside = Vec::new();
        for damaged in &found.damaged {
            tracing::warn!("{}: it is set aside and fetched once more", damaged.told(folder));
            let (here, kept) = (folder.join(&damaged.file), aside_name(folder, &damaged.file));
            fs::rename(&here, &kept).map_err(|e| format!("cannot set {} aside: {e}", here.display()))?;
            aside.push((kept, here));
        }
        let lock = lock.try_clone().map_err(|e| Broken::for_now(e.to_string()))?;
        let fetched = self.rsync.fetch(self.ip, &again, folder, lock, |_| {}).await;
        for (kept, here) in &aside {
            // What could not be fetched is put back: half-rotten footage is better than none.
            if !here.exists() {
                let _ = fs::rename(kept, here);
            }
        }
        fetched?;
        let proven = work.prove(progress, told).await?;
        if let Some(damaged) = proven.damaged.first() {
            for (kept, here) in &aside {
                let _ = fs::rename(kept, here);
            }
            let why = format!(
                "{}; fetched again it is the same: the copy on {} has changed\n\nhint: what is here is what can be had of it; play it, and move it away to try again",
                damaged.told(folder),
                self.ip
            );
            return Err(Broken::for_good(why));
        }
        Ok(Proven { mended: found.damaged.into_iter().map(|damaged| damaged.file).collect(), ..proven })
    }
}

struct FetchedFiles {
    guarded: Vec<RemoteFile>,
    progress: Progress,
}

/// Footage that is not what the node wrote.
struct Damaged {
    file: String,
    expected: String,
    found: String,
}

impl Damaged {
    fn told(&self, folder: &Path) -> String {
        format!(
            "{} is not what the node wrote: its SHA-256 is {}, it was {} when it was closed",
            folder.join(&self.file).display(),
            self.found,
            self.expected
        )
    }
}

/// What came of comparing.
#[derive(Default)]
struct Proven {
    /// Without a digest to compare with.
    unproven: Vec<String>,
    damaged: Vec<Damaged>,
    mended: Vec<String>,
}

impl Proven {
    fn remark(&self) -> Option<String> {
        let unproven = self.unproven.first().map(|first| {
            format!(
                "{} of the files could not be verified, as the node has not closed them: {first}",
                self.unproven.len()
            )
        });
        let mended = (!self.mended.is_empty())
            .then(|| format!("damaged here and fetched once more, now proven: {}", self.mended.join(", ")));
        let remarks: Vec<_> = unproven.into_iter().chain(mended).collect();
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

/// Compares what is here with what the node wrote, and writes it into the ledger.
struct Proof<'a> {
    part: &'a Part,
    folder: &'a Path,
    files: &'a [RemoteFile],
    /// Not the node's files of these names: proven before, and left alone.
    guarded: &'a [RemoteFile],
}

impl Proof<'_> {
    async fn prove(&self, mut progress: Progress, told: &(impl Fn(Progress) + Send + Sync)) -> Result<Proven, Broken> {
        let digests = digests_in(self.folder, self.files);
        let ledger = self.part.ledger()?;
        if let Some(name) = digests.keys().find(|name| self.is_lost(name, &ledger)) {
            return Err(Broken::for_good(format!(
                "{name} stands in the digest list of {}, but is neither there nor here",
                self.part.ip
            )));
        }
        let mut proven = Proven::default();
        for file in self.files.iter().filter(|file| !self.guarded.contains(file)) {
            let known = ledger.get(self.part.ip, &file.name);
            let recorded = known.filter(|record| record.is_proven()).map(|record| &record.sha256);
            let footage = is_footage(&file.name);
            let expected = recorded.or_else(|| digests.get(&file.name)).filter(|_| footage);
            if let (Some(before), Some(now)) = (recorded, digests.get(&file.name))
                && before != now
            {
                return Err(Broken::for_good(format!(
                    "{} was proven with the SHA-256 {before}, but the list of {} now says {now}: nothing was changed\n\nhint: the list on the node is damaged, or its take was made anew",
                    self.folder.join(&file.name).display(),
                    self.part.ip,
                )));
            }
            let (bytes, sha256) = self.read(&file.name).await?;
            let state = match expected {
                Some(expected) if *expected != sha256 => {
                    proven.damaged.push(Damaged { file: file.name.clone(), expected: expected.clone(), found: sha256 });
                    continue;
                }
                Some(_) => {
                    progress.verified += 1;
                    told(progress);
                    Custody::Verified
                }
                None => {
                    if footage {
                        proven.unproven.push(file.name.clone());
                    }
                    Custody::Arrived
                }
            };
            let record = Record { ip: self.part.ip, file: file.name.clone(), bytes, sha256, state };
            if known != Some(&record) {
                self.part.record(vec![record]).await?;
            }
        }
        Ok(proven)
    }

    /// Whether a file that the node once closed is nowhere any more.
    fn is_lost(&self, name: &str, ledger: &Ledger) -> bool {
        let gone = !self.folder.join(name).exists() && !self.files.iter().any(|file| file.name == name);
        gone && self.part.wants(name) && ledger.get(self.part.ip, name).is_none()
    }

    /// Length and digest of a file here, its bytes on the disk first: what the ledger says must outlive the power.
    async fn read(&self, name: &str) -> Result<(u64, String), Broken> {
        let path = self.folder.join(name);
        let synced = path.clone();
        let length = tokio::task::spawn_blocking(move || {
            let file = File::open(synced)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        let length = length.await.map_err(|e| e.to_string())?.map_err(|e: std::io::Error| {
            Broken::for_now(format!("cannot read {} to verify it: {e}", path.display()))
        })?;
        Ok((length, sha256_of(path).await?))
    }
}

/// Holds a node's folder: one transfer at a time writes into it, also of two controllers.
fn hold(folder: &Path) -> Result<File, Broken> {
    let lock = File::open(folder).map_err(|e| Broken::for_now(format!("cannot open {}: {e}", folder.display())))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(e) => {
            Err(Broken::for_now(format!("another download writes into {} at this moment ({e})", folder.display())))
        }
    }
}

/// A killed rsync leaves what has arrived under a name that it never looks at again, `.NAME.AbCdEf`: it is put where
/// the next one goes on from. What a mending that was broken off had set aside is put back.
fn salvage(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some((name, end)) = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once('.')) else {
            continue;
        };
        if Base::parse(name).is_none() {
            continue;
        }
        let to = if end == "damaged" { folder.join(name) } else { folder.join(PARTIAL).join(name) };
        let length = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        let worse = to.exists() && (end == "damaged" || length(&to) >= length(&entry.path()));
        let done = match to.parent() {
            _ if end != "damaged" && end.len() != 6 => continue,
            _ if worse && end == "damaged" => continue,
            _ if worse => fs::remove_file(entry.path()),
            Some(parent) => fs::create_dir_all(parent).and_then(|()| fs::rename(entry.path(), &to)),
            None => continue,
        };
        if let Err(e) = done {
            tracing::warn!("{} was left by a transfer that was killed and cannot be used: {e}", entry.path().display());
        }
    }
}

/// Where a damaged file waits until the one that was fetched anew is proven.
fn aside_name(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.damaged"))
}

/// All is proven: what was damaged is of no use any more.
fn drop_damaged(folder: &Path, files: &[RemoteFile]) {
    for file in files {
        let _ = fs::remove_file(aside_name(folder, &file.name));
    }
}

fn sum(files: &[RemoteFile]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

fn is_missing(folder: &Path, file: &RemoteFile) -> bool {
    fs::metadata(folder.join(&file.name)).map_or(true, |meta| meta.len() != file.bytes)
}

fn is_footage(name: &str) -> bool {
    matches!(Base::parse(name), Some((_, Kind::Segment(_))))
}

fn digests_in(folder: &Path, files: &[RemoteFile]) -> BTreeMap<String, String> {
    let lists = files.iter().filter(|file| matches!(Base::parse(&file.name), Some((_, Kind::Digests))));
    lists
        .filter_map(|file| fs::read_to_string(folder.join(&file.name)).ok())
        .flat_map(|text| parse_digests(&text))
        .collect()
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
