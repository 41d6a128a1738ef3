//! Watches the downloads folder, so that the list of takes is always what is on disk, whoever put it there.
//!
//! What the watcher names is looked at, now and then everything. A take whose files have kept their lengths and times is not
//! read again: ten thousand of them may lie there while one more arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher as _};
use serde::Deserialize;
use syncslate_report::Verdict;
use syncslate_report::model::VERSION;
use syncslate_report::names::{self, Form};
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::read;
use syncslate_shared::report::Failure;
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::homes;
use crate::ledger::Ledger;
use crate::library::{Shelved, newest_first, summarize};
use crate::snapshot::{NodeFiles, SyncSummary, TakeSummary};

/// Changes come in swarms: what happens within this time is looked at once.
const SETTLE: Duration = Duration::from_millis(200);
/// Everything is looked at without being told, too: some file systems (network shares) tell nothing.
const EVERY: Duration = Duration::from_secs(10);

/// Takes that something happened to; `None` for any.
type Touched = Option<BTreeSet<TakeName>>;

/// Makes the folder where it is not there, and tells each change of its list, the first list at once, for ever.
pub async fn watch(folder: PathBuf, told: impl Fn(Vec<TakeSummary>) + Send) {
    let (mut shelf, mut begun) = (Shelf::default(), false);
    let mut complaint = String::new();
    loop {
        let touched = Arc::new(Mutex::new(Some(BTreeSet::new())));
        // Kept open here, so that without a watcher there are no changes rather than no end of them.
        let (changed, mut changes) = mpsc::channel(1);
        let watcher = start_watching(&folder, Arc::clone(&touched), changed.clone());
        if let Err(why) = &watcher
            && *why != complaint
        {
            tracing::warn!("{why}");
            complaint.clone_from(why);
        }
        let watched = identity(&folder);
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Until somebody removes the folder: then it is made anew and watched anew.
        while identity(&folder) == watched {
            let which = tokio::select! {
                biased;
                _ = every.tick() => None,
                _ = changes.recv() => {
                    sleep(SETTLE).await;
                    while changes.try_recv().is_ok() {}
                    touched.lock().unwrap_or_else(PoisonError::into_inner).replace(BTreeSet::new())
                }
            };
            let folder = folder.clone();
            let work = tokio::task::spawn_blocking(move || {
                let changed = shelf.look(&folder, which);
                (shelf, changed)
            });
            let changed;
            (shelf, changed) = work.await.unwrap_or_default();
            if changed || !begun {
                told(shelf.list());
                begun = true;
            }
            if watched.is_none() {
                sleep(EVERY).await;
                break;
            }
        }
    }
}

fn start_watching(
    folder: &Path,
    touched: Arc<Mutex<Touched>>,
    changed: mpsc::Sender<()>,
) -> Result<notify::RecommendedWatcher, String> {
    let failed = |what: &str, e: &dyn std::fmt::Display| {
        format!(
            "{what} the downloads folder {} failed, so it is only looked at every {} s: {e}",
            folder.display(),
            EVERY.as_secs()
        )
    };
    fs::create_dir_all(folder).map_err(|e| failed("making", &e))?;
    // The watcher names what it sees by absolute paths.
    let root = std::path::absolute(folder).map_err(|e| failed("finding", &e))?;
    let watched = root.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own looking makes access events: only what changes something counts.
        if event.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            return;
        }
        let names = event.ok().filter(|event| !event.need_rescan()).and_then(|event| takes_of(&root, &event.paths));
        let mut touched = touched.lock().unwrap_or_else(PoisonError::into_inner);
        match (touched.as_mut(), names) {
            (Some(touched), Some(names)) => touched.extend(names),
            _ => *touched = None,
        }
        let _ = changed.try_send(());
    })
    .map_err(|e| failed("watching", &e))?;
    watcher.watch(&watched, RecursiveMode::Recursive).map_err(|e| failed("watching", &e))?;
    Ok(watcher)
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// The takes in whose folders these paths lie; `None` when one lies elsewhere.
fn takes_of(root: &Path, paths: &[PathBuf]) -> Option<Vec<TakeName>> {
    let below: Option<Vec<&Path>> = paths.iter().map(|path| path.strip_prefix(root).ok()).collect();
    let first = |path: &&Path| TakeName::new(path.components().next()?.as_os_str().to_str()?).ok();
    Some(below?.iter().filter_map(first).collect())
}

/// What is in the folder now. What cannot be read is not there.
pub fn scan(folder: &Path) -> Vec<TakeSummary> {
    let mut shelf = Shelf::default();
    shelf.look(folder, None);
    shelf.list()
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

/// All takes, as they were when their files were last read.
#[derive(Debug, Default)]
struct Shelf(BTreeMap<TakeName, Known>);

#[derive(Debug)]
struct Known {
    /// Of all names, lengths and times.
    print: u64,
    /// `None` when nothing in the folder is ours.
    summary: Option<TakeSummary>,
}

/// A file below the folder of a take.
#[derive(Debug, Hash)]
struct Found {
    /// The folder of a node; empty for what lies beside those.
    inner: String,
    name: String,
    bytes: u64,
    modified: (i64, i64),
}

impl Shelf {
    /// Looks at takes; whether any of them is another than before.
    fn look(&mut self, downloads: &Path, which: Touched) -> bool {
        let all = || {
            let there = entries(downloads).filter_map(|entry| TakeName::new(entry.file_name().to_str()?).ok());
            there.chain(self.0.keys().cloned()).collect()
        };
        let which = which.unwrap_or_else(all);
        which.into_iter().filter(|take| self.look_at(downloads, take)).count() > 0
    }

    fn look_at(&mut self, downloads: &Path, take: &TakeName) -> bool {
        let folder = downloads.join(take.as_str());
        let mut files = files(&folder);
        if files.is_empty() {
            return self.0.remove(take).is_some_and(|known| known.summary.is_some());
        }
        // A folder may tell them in any order.
        files.sort_by(|a, b| (&a.inner, &a.name).cmp(&(&b.inner, &b.name)));
        let mut hasher = DefaultHasher::new();
        files.hash(&mut hasher);
        let print = hasher.finish();
        if self.0.get(take).is_some_and(|known| known.print == print) {
            return false;
        }
        let summary = summary(downloads, take, files);
        let changed = self.0.get(take).and_then(|known| known.summary.as_ref()) != summary.as_ref();
        self.0.insert(take.clone(), Known { print, summary });
        changed
    }

    /// The takes, newest first.
    fn list(&self) -> Vec<TakeSummary> {
        let mut takes: Vec<_> = self.0.values().filter_map(|known| known.summary.clone()).collect();
        newest_first(&mut takes);
        takes
    }
}

fn files(folder: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    let mut add = |inner: &str, entry: &fs::DirEntry, meta: &fs::Metadata| {
        found.push(Found {
            inner: inner.to_owned(),
            name: entry.file_name().to_string_lossy().into_owned(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        });
    };
    for entry in entries(folder) {
        match entry.metadata() {
            Ok(meta) if meta.is_file() => add("", &entry, &meta),
            Ok(_) => {
                let inner = entry.file_name().to_string_lossy().into_owned();
                for file in entries(&entry.path()) {
                    if let Ok(meta) = file.metadata()
                        && meta.is_file()
                    {
                        add(&inner, &file, &meta);
                    }
                }
            }
            Err(_) => {}
        }
    }
    found
}

fn summary(downloads: &Path, take: &TakeName, files: Vec<Found>) -> Option<TakeSummary> {
    let folder = downloads.join(take.as_str());
    // Of a ledger that cannot be read nothing is proven.
    let ledger = Ledger::read(&folder).unwrap_or_default();
    let guests = homes::guests(downloads, take.as_str());
    let shelved = |Found { inner, name, bytes, .. }: Found| {
        // A file that has another length now is not the one that was proven.
        let record = inner.parse().ok().and_then(|ip| ledger.get(ip, &name)).filter(|record| record.bytes == bytes);
        Shelved {
            take: take.to_string(),
            custody: record.map(|record| record.state),
            renamed: Base::parse(&name).is_some_and(|(base, _)| guests.contains(&base.id)),
            ip: inner,
            file: name,
            bytes,
        }
    };
    let inner = files.into_iter().filter(|file| !file.inner.is_empty());
    let takes =
        summarize(inner.map(shelved), |_, id, nodes| length_ms(&folder, id, nodes), |_, ids| verdicts(&folder, ids));
    takes.into_iter().next()
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

/// The part of a report that a list shows.
#[derive(Deserialize)]
struct Brief {
    v: u32,
    verdict: Verdict,
    complete: bool,
    summary: String,
}

/// What a list of takes says of the reports of these, which lie in `folder`.
fn verdicts(folder: &Path, ids: &[TakeId]) -> Vec<SyncSummary> {
    let one = |id: &TakeId| {
        let json = fs::read(folder.join(names::file(id, Form::Json))).ok()?;
        let brief = serde_json::from_slice::<Brief>(&json).ok().filter(|brief| brief.v == VERSION)?;
        let Brief { verdict, complete, summary, .. } = brief;
        Some(SyncSummary { id: id.clone(), verdict, complete, summary })
    };
    ids.iter().filter_map(one).collect()
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
