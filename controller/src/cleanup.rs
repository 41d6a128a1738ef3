//! The end of a node's copies: only of what is proven here, read once more on both sides right before.
//!
//! Four things must agree for each file: the ledger, the bytes here (their SHA-256 is taken anew), the bytes on the node
//! (rsync compares both sides' whole contents, which needs no other program on the node), and the manifest, which must
//! say that the take is finished. One that does not agree, and nothing of the take is deleted on that node.

use std::fs;

use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::read;

use crate::digest::sha256_of;
use crate::errand::{Broken, RemoteFile};
use crate::ledger::{Custody, Record};
use crate::part::Piece;
use crate::size::Size;

/// Where rsync moves what a file that changes this very moment would replace.
const ASIDE: &str = ".replaced";

/// Deletes `files` on the node; gives what to tell the operator.
///
/// # Errors
/// What is not proven, and that nothing was deleted; or how far it came.
pub(crate) async fn clean(piece: &Piece<'_>, files: &[RemoteFile]) -> Result<String, Broken> {
    let (part, folder, ip) = (piece.part, &piece.folder, piece.part.errand.ip);
    refuse_unproven(piece, files).await?;
    let differing = part.rsync.differing(ip, files, folder).await?;
    if let Some(name) = differing.first() {
        return Err(Broken::for_good(format!(
            "nothing was deleted on {}: its copy of {name} is not the proven one here, {}\n\nhint: the copy here was verified just now; the node's disk may be failing",
            ip,
            folder.join(name).display()
        )));
    }
    // The footage first: as long as tables and manifest are there, the node knows what the rest is.
    let (footage, others): (Vec<_>, Vec<_>) =
        files.iter().cloned().partition(|file| matches!(Base::parse(&file.name), Some((_, Kind::Segment(_)))));
    let aside = folder.join(ASIDE);
    for files in [footage, others].iter().filter(|files| !files.is_empty()) {
        part.rsync.delete(ip, files, folder, &aside).await?;
        if let Some(kept) = fs::read_dir(&aside).into_iter().flatten().flatten().next() {
            return Err(Broken::for_good(format!(
                "{} changed on {} while it was being deleted there: the new one is here now, the proven one is kept as {}",
                kept.file_name().display(),
                ip,
                kept.path().display()
            )));
        }
    }
    let _ = fs::remove_dir(&aside);
    let left: Vec<_> = part.rsync.list(ip).await?.into_iter().map(|file| file.name).collect();
    // Also what a clean-up that was killed had deleted, and had no time to write down.
    let ledger = piece.ledger()?;
    let deletes = |record: &&Record| {
        let stamp = Base::parse(&record.file).map(|(base, _)| base.id.stamp);
        record.ip == ip && part.wants(&record.file) && stamp.is_some_and(|stamp| part.errand.delete.holds(&stamp))
    };
    let absent = |record: &&Record| record.state != Custody::DeletedOnNode && !left.contains(&record.file);
    let records: Vec<Record> = ledger.records().filter(deletes).filter(absent).cloned().collect();
    let (count, bytes) = (records.len(), records.iter().map(|record| record.bytes).sum());
    piece.record(records.into_iter().map(Record::gone).collect()).await?;
    if let Some(name) = files.iter().map(|file| &file.name).find(|name| left.contains(name)) {
        return Err(Broken::for_now(format!("{name} is still on {ip} after it was deleted there")));
    }
    Ok(format!("{count} files deleted on {ip}, {} freed", Size(bytes)))
}

/// Every file must be in the ledger with the bytes that are here now; footage proven, its take finished.
async fn refuse_unproven(piece: &Piece<'_>, files: &[RemoteFile]) -> Result<(), Broken> {
    let (folder, ip) = (&piece.folder, piece.part.errand.ip);
    let refuse = |why: String| Err(Broken::for_good(format!("nothing was deleted on {ip}: {why}")));
    let ledger = piece.ledger()?;
    for file in files {
        let Some((base, kind)) = Base::parse(&file.name) else { continue };
        let Some(record) = ledger.get(ip, &file.name) else {
            return refuse(format!("{} is not in the ledger", file.name));
        };
        if matches!(kind, Kind::Segment(_)) && !record.is_proven() {
            return refuse(format!("{} is not verified", file.name));
        }
        if record.bytes != file.bytes {
            return refuse(format!("{} has {} bytes there and {} here", file.name, file.bytes, record.bytes));
        }
        let found = sha256_of(folder.join(&file.name)).await?;
        if found != record.sha256 {
            return refuse(format!(
                "{} is not what was verified: its SHA-256 is {found}, the ledger says {}",
                folder.join(&file.name).display(),
                record.sha256
            ));
        }
        let manifest = folder.join(base.file(Kind::Manifest));
        let finished = fs::read(&manifest)
            .map_err(|e| e.to_string())
            .and_then(|json| read::<Manifest>(&json))
            .map(|manifest| manifest.finished);
        match finished {
            Ok(true) => {}
            Ok(false) => return refuse(format!("the take {} is not finished there", base.id)),
            Err(why) => return refuse(format!("{} does not say that the take is finished: {why}", manifest.display())),
        }
    }
    Ok(())
}
