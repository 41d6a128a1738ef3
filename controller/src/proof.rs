//! Comparing what is here with what the node wrote, and writing it into the ledger: file by file as they arrive, and
//! at the end what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use crate::digest::sha256_of;
use crate::errand::{Broken, Growing, RemoteFile};
use crate::ledger::{Custody, Ledger, Record};
use crate::part::{Piece, Tally, digests_in, is_footage, is_missing};

/// Footage that is not what the node wrote.
pub(crate) struct Damaged {
    pub(crate) file: String,
    expected: String,
    found: String,
}

impl Damaged {
    pub(crate) fn told(&self, folder: &Path) -> String {
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
pub(crate) struct Proven {
    /// Without a digest to compare with.
    pub(crate) unproven: Vec<String>,
    pub(crate) damaged: Vec<Damaged>,
    pub(crate) mended: Vec<String>,
}

impl Proven {
    /// What the operator should know.
    pub(crate) fn remark(&self) -> Option<String> {
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

/// The comparison.
pub(crate) struct Proof<'a> {
    piece: &'a Piece<'a>,
    /// Not the node's files of these names: proven before, and left alone.
    guarded: &'a [RemoteFile],
    /// Those that are compared by now.
    done: BTreeSet<String>,
    proven: Proven,
}

impl<'a> Proof<'a> {
    pub(crate) fn new(piece: &'a Piece<'a>, guarded: &'a [RemoteFile]) -> Self {
        Self { piece, guarded, done: BTreeSet::new(), proven: Proven::default() }
    }

    /// Compares the footage that is whole here by now and was closed by the node.
    pub(crate) async fn go_on(&mut self, tally: &Tally<'_>) -> Result<(), Broken> {
        let Piece { folder, files, .. } = self.piece;
        let whole = |file: &&RemoteFile| {
            let fresh = !self.done.contains(&file.name) && !self.guarded.contains(file);
            fresh && is_footage(&file.name) && !is_missing(folder, file)
        };
        let arrived: Vec<_> = files.iter().filter(whole).collect();
        if arrived.is_empty() {
            return Ok(());
        }
        let (digests, ledger) = (digests_in(folder, files), self.piece.ledger()?);
        for file in arrived.into_iter().filter(|file| digests.contains_key(&file.name)) {
            self.compare(&file.name, &digests, &ledger, tally).await?;
        }
        Ok(())
    }

    /// Compares the rest.
    pub(crate) async fn finish(mut self, tally: &Tally<'_>) -> Result<Proven, Broken> {
        let Piece { folder, files, part, .. } = self.piece;
        let (digests, ledger) = (digests_in(folder, files), self.piece.ledger()?);
        // Of a take that rolls, files were closed since the node was asked what it has.
        let rolls = matches!(part.errand.growing, Some(Growing::ClosedOnly(_)));
        if let Some(name) = digests.keys().find(|name| !rolls && self.is_lost(name, &ledger)) {
            return Err(Broken::for_good(format!(
                "{name} stands in the digest list of {}, but is neither there nor here",
                part.errand.ip
            )));
        }
        let rest = |file: &&RemoteFile| !self.done.contains(&file.name) && !self.guarded.contains(file);
        for file in files.iter().filter(rest).collect::<Vec<_>>() {
            self.compare(&file.name, &digests, &ledger, tally).await?;
        }
        Ok(self.proven)
    }

    async fn compare(
        &mut self,
        name: &str,
        digests: &BTreeMap<String, String>,
        ledger: &Ledger,
        tally: &Tally<'_>,
    ) -> Result<(), Broken> {
        let ip = self.piece.part.errand.ip;
        let known = ledger.get(ip, name);
        let recorded = known.filter(|record| record.is_proven()).map(|record| &record.sha256);
        let footage = is_footage(name);
        let expected = recorded.or_else(|| digests.get(name)).filter(|_| footage);
        if let (Some(before), Some(now)) = (recorded, digests.get(name))
            && before != now
        {
            return Err(Broken::for_good(format!(
                "{} was proven with the SHA-256 {before}, but the list of {ip} now says {now}: nothing was changed\n\nhint: the list on the node is damaged, or its take was made anew",
                self.piece.folder.join(name).display(),
            )));
        }
        let (bytes, sha256) = self.read(name).await?;
        self.done.insert(name.to_owned());
        let state = match expected {
            Some(expected) if *expected != sha256 => {
                let expected = expected.clone();
                self.proven.damaged.push(Damaged { file: name.to_owned(), expected, found: sha256 });
                return Ok(());
            }
            Some(_) => Custody::Verified,
            None => Custody::Arrived,
        };
        if footage && state == Custody::Arrived {
            self.proven.unproven.push(name.to_owned());
        }
        let record = Record { ip, file: name.to_owned(), bytes, sha256, state };
        if known != Some(&record) {
            self.piece.record(vec![record]).await?;
        }
        if state == Custody::Verified {
            tally.verified();
        }
        Ok(())
    }

    /// Whether a file that the node once closed is nowhere any more.
    fn is_lost(&self, name: &str, ledger: &Ledger) -> bool {
        let Piece { folder, files, part, .. } = self.piece;
        let gone = !folder.join(name).exists() && !files.iter().any(|file| file.name == name);
        gone && part.wants(name) && ledger.get(part.errand.ip, name).is_none()
    }

    /// Length and digest of a file here, its bytes on the disk first: what the ledger says must outlive the power.
    async fn read(&self, name: &str) -> Result<(u64, String), Broken> {
        let path = self.piece.folder.join(name);
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
