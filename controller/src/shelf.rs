//! Watches the downloads folder, so that the list of takes is always what is on disk, whoever put it there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher as _};
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::read;
use syncslate_shared::report::Failure;
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use tokio::sync::mpsc;

use crate::homes;
use crate::ledger::Ledger;
use crate::library::{Shelved, summarize};
use crate::reports::Verdicts;
use crate::snapshot::{NodeFiles, TakeSummary};

/// Changes come in swarms: what happens within this time is looked at once.
const SETTLE: Duration = Duration::from_millis(200);
/// Looked at without being told, too: some file systems (network shares) tell nothing.
const EVERY: Duration = Duration::from_secs(10);

/// Makes the folder where it is not there, and tells each change of its list, the first list at once, for ever.
pub async fn watch(folder: PathBuf, told: impl Fn(Vec<TakeSummary>) + Send) {
    let mut last = None;
    let verdicts = Arc::<Verdicts>::default();
    let mut complaint = String::new();
    loop {
        let (changed, mut changes) = mpsc::channel(1);
        let watcher = start_watching(&folder, changed);
        if let Err(why) = &watcher
            && *why != complaint
        {
            tracing::warn!("{why}");
            complaint.clone_from(why);
        }
        let watched = identity(&folder);
        // Until somebody removes the folder: then it is made anew and watched anew.
        while identity(&folder) == watched {
            if let Some(list) = look(&folder, &verdicts).await
                && last.as_ref() != Some(&list)
            {
                told(list.clone());
                last = Some(list);
            }
            let _ = tokio::time::timeout(EVERY, changes.recv()).await;
            tokio::time::sleep(SETTLE).await;
            while changes.try_recv().is_ok() {}
            if watched.is_none() {
                break;
            }
        }
    }
}

fn start_watching(folder: &Path, changed: mpsc::Sender<()>) -> Result<notify::RecommendedWatcher, String> {
    let failed = |what: &str, e: &dyn std::fmt::Display| {
        format!(
            "{what} the downloads folder {} failed, so it is only looked at every {} s: {e}",
            folder.display(),
            EVERY.as_secs()
        )
    };
    fs::create_dir_all(folder).map_err(|e| failed("making", &e))?;
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own looking makes access events: only what changes something counts.
        if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
            let _ = changed.try_send(());
        }
    })
    .map_err(|e| failed("watching", &e))?;
    watcher.watch(folder, RecursiveMode::Recursive).map_err(|e| failed("watching", &e))?;
    Ok(watcher)
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|meta| (meta.dev(), meta.ino()))
}

async fn look(folder: &Path, verdicts: &Arc<Verdicts>) -> Option<Vec<TakeSummary>> {
    let (folder, verdicts) = (folder.to_owned(), Arc::clone(verdicts));
    tokio::task::spawn_blocking(move || scan_with(&folder, &verdicts)).await.ok()
}

/// What is in the folder now. What cannot be read is not there.
pub fn scan(folder: &Path) -> Vec<TakeSummary> {
    scan_with(folder, &Verdicts::default())
}

/// The takes of this name in the downloads folder, or the one with this stamp, newest first.
///
/// # Errors
/// There is none.
pub fn chosen(downloads: &Path, take: &TakeName, stamp: Option<&Stamp>) -> Result<Vec<TakeId>, Failure> {
    let summary = scan(downloads).into_iter().find(|summary| summary.take == *take);
    let mut ids = summary.map_or_else(Vec::new, |summary| summary.ids);
    ids.retain(|id| stamp.is_none_or(|stamp| id.stamp == *stamp));
    if ids.is_empty() {
        return Err(Failure::new(format!("there is no take {take} in {}", downloads.display())));
    }
    Ok(ids)
}

fn scan_with(folder: &Path, verdicts: &Verdicts) -> Vec<TakeSummary> {
    let mut files = Vec::new();
    for take in entries(folder) {
        // Of a ledger that cannot be read nothing is proven.
        let ledger = Ledger::read(&take.path()).unwrap_or_default();
        let guests = homes::guests(folder, &take.file_name().to_string_lossy());
        for ip in entries(&take.path()) {
            for file in entries(&ip.path()) {
                if let Ok(meta) = file.metadata()
                    && meta.is_file()
                {
                    let name = |name: &OsStr| name.to_string_lossy().into_owned();
                    let (ip, file) = (name(&ip.file_name()), name(&file.file_name()));
                    // A file that has another length now is not the one that was proven.
                    let record = ip.parse().ok().and_then(|ip| ledger.get(ip, &file));
                    let custody = record.filter(|record| record.bytes == meta.len()).map(|record| record.state);
                    let renamed = Base::parse(&file).is_some_and(|(base, _)| guests.contains(&base.id));
                    files.push(Shelved {
                        take: name(&take.file_name()),
                        ip,
                        file,
                        bytes: meta.len(),
                        custody,
                        renamed,
                    });
                }
            }
        }
    }
    summarize(
        files,
        |take, id, nodes| length_ms(&folder.join(take.as_str()), id, nodes),
        |take, ids| verdicts.of(&folder.join(take.as_str()), ids),
    )
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

/// Of a take that lies in `folder`, from the first manifest that knows where the take ended.
fn length_ms(folder: &Path, id: &TakeId, nodes: &[NodeFiles]) -> Option<u64> {
    nodes.iter().find_map(|node| {
        let file = Base { id: id.clone(), ip: node.ip }.file(Kind::Manifest);
        node.files.iter().find(|entry| entry.name == file)?;
        let path = folder.join(node.ip.to_string()).join(file);
        let manifest: Manifest = read(&fs::read(path).ok()?).ok()?;
        u64::try_from(manifest.t1?.since_us(manifest.t0) / 1000).ok()
    })
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
