//! What transfers leave in a node's folder: the lock, what a killed one had got so far, what was set aside as damaged.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use syncslate_shared::files::Base;

use crate::errand::{Broken, RemoteFile};
use crate::rsync::PARTIAL;

/// A program that is just being started has all our files open until it is there, a let-go lock as well.
const STARTING: Duration = Duration::from_millis(5);
const STARTS: usize = 20;

/// Holds a node's folder: one transfer at a time writes into it, also of two controllers.
pub(crate) fn hold(folder: &Path) -> Result<File, Broken> {
    let lock = File::open(folder).map_err(|e| Broken::for_now(format!("cannot open {}: {e}", folder.display())))?;
    let mut tries = 1..STARTS;
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(lock),
            Err(_) if tries.next().is_some() => thread::sleep(STARTING),
            Err(e) => {
                let folder = folder.display();
                return Err(Broken::for_now(format!("another download writes into {folder} at this moment ({e})")));
            }
        }
    }
}

/// A killed rsync leaves what has arrived under a name that it never looks at again, `.NAME.AbCdEf`: it is put where
/// the next one goes on from. What a mending that was broken off had set aside is put back.
pub(crate) fn salvage(folder: &Path) {
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
pub(crate) fn aside_name(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.damaged"))
}

/// All is proven: what was damaged is of no use any more.
pub(crate) fn drop_damaged(folder: &Path, files: &[RemoteFile]) {
    for file in files {
        let _ = fs::remove_file(aside_name(folder, &file.name));
    }
}
