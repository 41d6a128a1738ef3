//! One part of a download: a take from a node into `<downloads>/<take>/<ip>/`, then the proof that it is whole.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use syncslate_shared::files::{Base, Kind, parse_digests};
use syncslate_shared::take::{TakeId, TakeName};

use crate::digest::sha256_of;
use crate::event::{Fetched, Progress, RemoteFile};
use crate::rsync::Source;

/// What is to be fetched, and where to.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where the nodes' footage lies.
    pub source: Source,
    /// The downloads folder.
    pub downloads: PathBuf,
    /// The take.
    pub take: TakeName,
    /// The node.
    pub ip: Ipv4Addr,
    /// A take that is rolling: its files still grow.
    pub without: Option<TakeId>,
}

impl Part {
    /// Fetches and proves; `told` hears how far it is.
    pub async fn run(self, told: impl Fn(Progress) + Send + Sync) -> Fetched {
        // Asked again: since the wish, files may have been closed.
        let files: Vec<_> = self.source.list(self.ip).await?.into_iter().filter(|file| self.wants(file)).collect();
        if files.is_empty() {
            return Err(format!("{} has no footage of {} any more", self.ip, self.take));
        }
        let folder = self.downloads.join(self.take.as_str()).join(self.ip.to_string());
        fs::create_dir_all(&folder).map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))?;
        let (wanted, guarded) = self.choose(&folder, &files).await?;
        let total_bytes = files.iter().map(|file| file.bytes).sum();
        let here = total_bytes - wanted.iter().chain(&guarded).map(|file| file.bytes).sum::<u64>();
        let mut progress = Progress { files: files.len() as u64, bytes: here, total_bytes, verified: 0 };
        told(progress);
        if !wanted.is_empty() {
            let at = |bytes: u64| Progress { bytes: (here + bytes).min(total_bytes), ..progress };
            self.source.fetch(self.ip, &wanted, &folder, |bytes| told(at(bytes))).await?;
        }
        progress.bytes = total_bytes - guarded.iter().map(|file| file.bytes).sum::<u64>();
        let remark = verify(&folder, &files, progress, told).await;
        match guarded.first() {
            None => remark,
            Some(file) => Err(format!(
                "{} was fetched and proven before, but {} now has another one of {} bytes: nothing was overwritten\n\nhint: look at both, and move the one here away if the node's is right",
                folder.join(&file.name).display(),
                self.ip,
                file.bytes
            )),
        }
    }

    fn wants(&self, file: &RemoteFile) -> bool {
        Base::parse(&file.name)
            .is_some_and(|(base, _)| base.id.name == self.take && Some(&base.id) != self.without.as_ref())
    }

    /// What rsync is to fetch, and what it must not touch: footage that was proven here and is another one there.
    /// Footage of equal length is here already; if its bytes are not the same, its digest will tell.
    async fn choose(&self, folder: &Path, files: &[RemoteFile]) -> Result<(Vec<RemoteFile>, Vec<RemoteFile>), String> {
        let (mut wanted, mut guarded) = (Vec::new(), Vec::new());
        let digests = digests_in(folder, files);
        for file in files {
            let here = fs::symlink_metadata(folder.join(&file.name)).ok();
            match here.filter(|_| is_footage(&file.name)) {
                None => wanted.push(file.clone()),
                Some(meta) if meta.is_file() && meta.len() == file.bytes => {}
                Some(_) => {
                    let found = sha256_of(folder.join(&file.name)).await?;
                    let proven = digests.get(&file.name) == Some(&found);
                    if proven { &mut guarded } else { &mut wanted }.push(file.clone());
                }
            }
        }
        Ok((wanted, guarded))
    }
}

/// Compares each segment with its digest: an error names the first that differs, a remark the first without one.
async fn verify(
    folder: &Path,
    files: &[RemoteFile],
    mut progress: Progress,
    told: impl Fn(Progress) + Send,
) -> Fetched {
    let digests = digests_in(folder, files);
    let mut unproven = Vec::new();
    for file in files.iter().filter(|file| is_footage(&file.name)) {
        let path = folder.join(&file.name);
        let Some(digest) = digests.get(&file.name) else {
            unproven.push(file.name.as_str());
            continue;
        };
        let found = sha256_of(path.clone()).await?;
        if found != *digest {
            return Err(format!(
                "{} is not what the node wrote: its SHA-256 is {found}, the node's list says {digest}\n\nhint: move it away and download again",
                path.display()
            ));
        }
        progress.verified += 1;
        told(progress);
    }
    Ok(unproven.first().map(|first| {
        format!("{} of the files could not be verified, as the node has not closed them: {first}", unproven.len())
    }))
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
