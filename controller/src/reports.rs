//! Makes the sync reports of takes, off the event loop and never in the way of custody: it reads what has arrived and
//! writes two files beside it, whole or not at all. What a report was made of stands in it, so a take whose files have
//! changed since, or came while no controller ran, gets a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use syncslate_report::folder;
use syncslate_report::model::Weight;
use syncslate_report::names::{self, Form};
use syncslate_report::{Limits, Report, Verdict, page};
use syncslate_shared::report::Failure;
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use tokio::sync::watch;

use crate::snapshot::TakeSummary;

/// Files come one after another: a take whose report was made is looked at again after this time, not at once.
const PAUSE: Duration = Duration::from_secs(2);

/// The take's name in the list, its id.
type Key = (TakeName, TakeId);

/// Makes the reports of the takes in `lists`, each list the newest state of `downloads`, until no more lists come.
pub async fn keep(downloads: PathBuf, limits: Limits, mut lists: watch::Receiver<Vec<TakeSummary>>) {
    // What cannot be made is tried again when its files change.
    let mut seen: BTreeMap<Key, BTreeSet<(String, u64)>> = BTreeMap::new();
    while lists.changed().await.is_ok() {
        let list = lists.borrow_and_update().clone();
        for (key, files) in list.iter().flat_map(parts) {
            if seen.get(&key) == Some(&files) {
                continue;
            }
            let (folder, id) = (downloads.join(key.0.as_str()), key.1.clone());
            let work = move || {
                if folder::fresh(&folder, &id).is_some() { Ok(None) } else { renew(&folder, &id, &limits).map(Some) }
            };
            match tokio::task::spawn_blocking(work).await {
                Ok(Ok(Some(report))) => tracing::info!("sync of {}: {}", report.id, line(&report)),
                Ok(Ok(None)) => {}
                Ok(Err(why)) => tracing::debug!("no sync report of {} yet: {why}", key.1),
                Err(e) => tracing::warn!("making the sync report of {} failed: {e}", key.1),
            }
            seen.insert(key, files);
        }
        seen.retain(|(take, _), _| list.iter().any(|summary| summary.take == *take));
        tokio::time::sleep(PAUSE).await;
    }
}

/// The takes of one name, each with what its report depends on.
fn parts(take: &TakeSummary) -> Vec<(Key, BTreeSet<(String, u64)>)> {
    let of = |id: &TakeId| {
        let files = take.nodes.iter().flat_map(|node| &node.files);
        let end = format!("_{}", id.stamp);
        let ours = files.filter(|file| {
            let base = ["_take.json", "_frames.csv"].into_iter().find_map(|kind| file.name.strip_suffix(kind));
            base.is_some_and(|base| base.ends_with(&end))
        });
        ours.map(|file| (file.name.clone(), file.bytes)).collect::<BTreeSet<_>>()
    };
    take.ids.iter().map(|id| ((take.take.clone(), id.clone()), of(id))).filter(|(_, files)| !files.is_empty()).collect()
}

fn renew(folder: &Path, id: &TakeId, limits: &Limits) -> Result<Report, String> {
    let report = folder::make(folder, id, limits)?;
    folder::write(folder, &report)?;
    Ok(report)
}

/// A report in one line.
pub fn line(report: &Report) -> String {
    let verdict = page::word(report.verdict).to_lowercase();
    format!("{verdict} ({}): {}", colour(report.verdict), report.summary)
}

/// The verdict's colour.
pub fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Green => "green",
        Verdict::Amber => "amber",
        Verdict::Red => "red",
    }
}

/// `syncslate-controller report`: makes the reports of `take` anew, or of the one of that name with this stamp, and
/// prints verdict and reasons to `out`; gives the worst verdict.
///
/// # Errors
/// There is no such take here, or its report cannot be made or written.
pub fn tell(
    downloads: &Path,
    take: &TakeName,
    stamp: Option<&Stamp>,
    limits: &Limits,
    out: &mut impl Write,
) -> Result<Verdict, Failure> {
    let ids = crate::shelf::chosen(downloads, take, stamp)?;
    let folder = downloads.join(take.as_str());
    let mut worst = Verdict::Green;
    for id in &ids {
        let report = renew(&folder, id, limits).map_err(Failure::new)?;
        let _ = writeln!(out, "{id}: {}", line(&report));
        for reason in &report.reasons {
            let mark = match reason.weight {
                Weight::Red => "red  ",
                Weight::Amber => "amber",
                Weight::Info => "     ",
            };
            let _ = writeln!(out, "  {mark}  {}", reason.text);
        }
        let _ = writeln!(out, "  {}", folder.join(names::file(id, Form::Html)).display());
        worst = worst.max(report.verdict);
    }
    Ok(worst)
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
