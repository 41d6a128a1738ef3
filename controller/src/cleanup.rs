//! The end of a node's copies: only of what is proven here, read once more on both sides right before.
//!
//! Four things must agree for each file: the ledger, the bytes here (their SHA-256 is taken anew), the bytes on the node
//! (rsync compares both sides' whole contents, which needs no other program on the node), and the manifest, which must
//! say that the take is finished. One that does not agree, and nothing of the take is deleted on that node.

use std::fs;
use std::path::Path;

use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::read;

use crate::digest::sha256_of;
use crate::event::{Broken, RemoteFile};
use crate::fetch::Part;
use crate::ledger::{Custody, Record};
use crate::size::Size;

/// Where rsync moves what a file that changes this very moment would replace.
const ASIDE: &str = ".replaced";

/// Deletes `files` on the node; gives what to tell the operator.
///
/// # Errors
/// What is not proven, and that nothing was deleted; or how far it came.
pub(crate) async fn clean(part: &Part, folder: &Path, files: &[RemoteFile]) -> Result<Option<String>, Broken> {
    refuse_unproven(part, folder, files).await?;
    let differing = part.rsync.differing(part.ip, files, folder).await?;
    if let Some(name) = differing.first() {
        return Err(Broken::for_good(format!(
            "nothing was deleted on {}: its copy of {name} is not the proven one here, {}\n\nhint: the copy here was verified just now; the node's disk may be failing",
            part.ip,
            folder.join(name).display()
        )));
    }
    // The footage first: as long as tables and manifest are there, the node knows what the rest is.
    let (footage, others): (Vec<_>, Vec<_>) =
        files.iter().cloned().partition(|file| matches!(Base::parse(&file.name), Some((_, Kind::Segment(_)))));
    let aside = folder.join(ASIDE);
    for files in [footage, others].iter().filter(|files| !files.is_empty()) {
        part.rsync.delete(part.ip, files, folder, &aside).await?;
        if let Some(kept) = fs::read_dir(&aside).into_iter().flatten().flatten().next() {
            return Err(Broken::for_good(format!(
                "{} changed on {} while it was being deleted there: the new one is here now, the proven one is kept as {}",
                kept.file_name().display(),
                part.ip,
                kept.path().display()
            )));
        }
    }
    let _ = fs::remove_dir(&aside);
    let left: Vec<_> = part.rsync.list(part.ip).await?.into_iter().map(|file| file.name).collect();
    let ledger = part.ledger()?;
    let gone = files.iter().filter(|file| !left.contains(&file.name));
    let gone: Vec<Record> = gone
        .filter_map(|file| ledger.get(part.ip, &file.name))
        .map(|record| Record { state: Custody::DeletedOnNode, ..record.clone() })
        .collect();
    let (count, bytes) = (gone.len(), gone.iter().map(|record| record.bytes).sum());
    part.record(gone).await?;
    if let Some(name) = files.iter().map(|file| &file.name).find(|name| left.contains(name)) {
        return Err(Broken::for_now(format!("{name} is still on {} after it was deleted there", part.ip)));
    }
    Ok(Some(format!("{count} files deleted on {}, {} freed", part.ip, Size(bytes))))
}

/// Every file must be in the ledger with the bytes that are here now; footage proven, its take finished.
async fn refuse_unproven(part: &Part, folder: &Path, files: &[RemoteFile]) -> Result<(), Broken> {
    let refuse = |why: String| Err(Broken::for_good(format!("nothing was deleted on {}: {why}", part.ip)));
    let ledger = part.ledger()?;
    for file in files {
        let Some((base, kind)) = Base::parse(&file.name) else { continue };
        let Some(record) = ledger.get(part.ip, &file.name) else {
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
