//! Takes for editors: made beside the footage in a task of their own, one after the other, for the page and for
//! `syncslate-controller export`. What is made, and how, is `syncslate_export`'s.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use syncslate_export::Stopped;
use syncslate_export::job::{Job, Outcome, Progress, run};
use syncslate_export::names::{self, Named};
use syncslate_export::rate::Zone;
use syncslate_shared::report::Failure;
use syncslate_shared::take::{Stamp, TakeId, TakeName};

use crate::console::{percent_bar, say};
use crate::export_settings::ExportSection;
use crate::marks;

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for another one.
    Queued,
    /// It runs.
    Running,
    /// It is done; of cameras that have problems there is no film.
    Done,
    /// It failed.
    Failed,
    /// It was cancelled; what was finished stays.
    Cancelled,
}

/// An export as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// How far it is.
    pub state: State,
    /// The file that is being made; empty before and after.
    pub file: String,
    /// Bytes of footage that are done with …
    pub done: u64,
    /// … of so many.
    pub total: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// Cameras without a film, with the reason.
    pub problems: BTreeMap<Ipv4Addr, String>,
    /// What is odd and should be known.
    pub notes: Vec<String>,
}

impl Export {
    const fn new() -> Self {
        Self {
            state: State::Queued,
            file: String::new(),
            done: 0,
            total: 0,
            error: None,
            problems: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Whether it goes on.
    pub fn is_on(&self) -> bool {
        matches!(self.state, State::Queued | State::Running)
    }
}

/// What is made beside films, timelines and marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// Films of a constant rate, which the timelines show then.
    pub conform: bool,
    /// Light films for playing all cameras at once.
    pub proxies: bool,
}

/// Exports that were asked for since the controller started; cheap to clone.
#[derive(Clone, Debug)]
pub struct Exports {
    downloads: PathBuf,
    zone: Zone,
    known: Arc<Mutex<BTreeMap<TakeId, Known>>>,
    /// One runs at a time: two would only be in each other's way on the disk.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Known {
    export: Export,
    unwanted: Arc<AtomicBool>,
}

impl Exports {
    /// None yet, of takes in `downloads`.
    pub fn new(downloads: PathBuf, section: ExportSection) -> Self {
        Self { downloads, zone: section.timecode, known: Arc::default(), turn: Arc::default() }
    }

    /// Has the take `id`, which lies in the folder `take`, exported. One that goes on is left alone.
    pub fn start(&self, take: &TakeName, id: &TakeId, extra: Extra) {
        let unwanted = Arc::<AtomicBool>::default();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(id).is_some_and(|known| known.export.is_on()) {
            return;
        }
        known.insert(id.clone(), Known { export: Export::new(), unwanted: Arc::clone(&unwanted) });
        drop(known);
        let (exports, take, id) = (self.clone(), take.clone(), id.clone());
        tokio::spawn(async move {
            let turn = Arc::clone(&exports.turn).lock_owned().await;
            let worker = exports.clone();
            let (of, stop) = (id.clone(), unwanted);
            let work = tokio::task::spawn_blocking(move || worker.work(&take, &of, extra, &stop));
            let outcome = work.await.unwrap_or_else(|e| Err(Stopped::Failed(e.to_string())));
            drop(turn);
            exports.end(&id, outcome);
        });
    }

    /// Ends an export; what is finished stays and is not made again.
    pub fn cancel(&self, id: &TakeId) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(id) {
            known.unwanted.store(true, Ordering::Relaxed);
        }
    }

    /// How far the export of a take is; `None` when none was asked for.
    pub fn look(&self, id: &TakeId) -> Option<Export> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).map(|known| known.export.clone())
    }

    fn change(&self, id: &TakeId, change: impl FnOnce(&mut Export)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(id) {
            change(&mut known.export);
        }
    }

    fn work(&self, take: &TakeName, id: &TakeId, extra: Extra, unwanted: &AtomicBool) -> Result<Outcome, Stopped> {
        if unwanted.load(Ordering::Relaxed) {
            return Err(Stopped::Asked);
        }
        self.change(id, |export| export.state = State::Running);
        let job = job(&self.downloads, take, id, None, extra, self.zone)?;
        run(&job, &mut |progress| {
            let Progress { file, done, total } = progress.clone();
            self.change(id, |export| (export.file, export.done, export.total) = (file, done, total));
            !unwanted.load(Ordering::Relaxed)
        })
    }

    fn end(&self, id: &TakeId, outcome: Result<Outcome, Stopped>) {
        match &outcome {
            Ok(done) => tracing::info!("{id} was exported for editors: {} files", done.files.len()),
            Err(Stopped::Asked) => tracing::info!("exporting {id} was cancelled"),
            Err(Stopped::Failed(why)) => tracing::warn!("exporting {id} failed: {why}"),
        }
        self.change(id, |export| {
            export.file.clear();
            match outcome {
                Ok(outcome) => {
                    export.state = State::Done;
                    export.notes = outcome.notes.iter().map(|(ip, note)| format!("{ip}: {note}")).collect();
                    export.problems = outcome.problems.into_iter().collect();
                }
                Err(Stopped::Asked) => export.state = State::Cancelled,
                Err(Stopped::Failed(why)) => (export.state, export.error) = (State::Failed, Some(why)),
            }
        });
    }
}

fn job(
    downloads: &Path,
    take: &TakeName,
    id: &TakeId,
    to: Option<&Path>,
    Extra { conform, proxies }: Extra,
    zone: Zone,
) -> Result<Job, String> {
    let folder = downloads.join(take.as_str());
    let to = to.map_or_else(|| folder.join(names::FOLDER), Path::to_owned);
    let marks = marks::find(downloads, take, id)?.marks;
    Ok(Job { folder, id: id.clone(), to, conform, proxies, zone, marks })
}

/// A finished file for editors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// The finished files of a take in the folder `take`, by name.
pub fn products(downloads: &Path, take: &TakeName, id: &TakeId) -> Vec<Product> {
    let folder = downloads.join(take.as_str()).join(names::FOLDER);
    let ours = |name: &str| match names::parse(name) {
        Some(Named::Of(of, _)) => of == *id,
        Some(Named::Film(base, _)) => base.id == *id,
        None => false,
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let product = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok().filter(|name| ours(name))?;
        Some(Product { name, bytes: entry.metadata().ok().filter(std::fs::Metadata::is_file)?.len() })
    };
    let mut products: Vec<_> = entries.filter_map(product).collect();
    products.sort_by(|a, b| a.name.cmp(&b.name));
    products
}

/// What `syncslate-controller export` is asked for.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The take's name here.
    pub take: &'a TakeName,
    /// Of several takes of that name only this one.
    pub stamp: Option<&'a Stamp>,
    /// Where to; beside the footage when it is left out.
    pub to: Option<&'a Path>,
    /// What else.
    pub extra: Extra,
}

/// `syncslate-controller export`: makes the files and shows how far it is. Must be called on a thread that may wait,
/// within a tokio runtime.
///
/// # Errors
/// There is no such take here, something cannot be read or written, or a camera has no film.
pub fn tell(downloads: &Path, section: ExportSection, wish: &Wish<'_>) -> Result<(), Failure> {
    let Wish { take, stamp, to, extra } = *wish;
    let ids = crate::shelf::chosen(downloads, take, stamp)
        .map_err(|none| none.hint("`syncslate-controller download` fetches it"))?;
    let mut without = 0;
    for id in &ids {
        let job = job(downloads, take, id, to, extra, section.timecode).map_err(Failure::new)?;
        let mut show = Show::default();
        let outcome = run(&job, &mut |progress| show.draw(progress));
        show.end();
        let outcome = outcome.map_err(|stopped| match stopped {
            Stopped::Failed(why) => Failure::new(why),
            Stopped::Asked => Failure::new("ended"),
        })?;
        let Outcome { files, kept, problems, notes } = outcome;
        for (ip, note) in notes {
            say(&format!("{ip}: {note}"));
        }
        for (ip, why) in &problems {
            say(&format!("{ip} has no film: {why}"));
        }
        let kept = if kept > 0 { format!(", {kept} films were there already") } else { String::new() };
        say(&format!("{id}: {} files in {}{kept}", files.len(), job.to.display()));
        without += problems.len();
    }
    if without == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!("{without} cameras have no film")).hint("the lines above say why"))
    }
}

/// What stands on the terminal.
#[derive(Debug, Default)]
struct Show {
    said: Option<(String, u64)>,
}

impl Show {
    /// On a terminal a bar; elsewhere a line for each file.
    fn draw(&mut self, progress: &Progress) -> bool {
        let Progress { file, done, total } = progress;
        let percent = done.saturating_mul(100) / (*total).max(1);
        let terminal = std::io::stdout().is_terminal();
        let now = (file.clone(), if terminal { percent } else { 0 });
        if self.said.as_ref() == Some(&now) {
            return true;
        }
        self.said = Some(now);
        let mut out = std::io::stdout().lock();
        let _ = if terminal { write!(out, "\r\x1b[2K{}", line(file, percent)) } else { writeln!(out, "{file}") };
        let _ = out.flush();
        true
    }

    fn end(&self) {
        if self.said.is_some() && std::io::stdout().is_terminal() {
            say("");
        }
    }
}

fn line(file: &str, percent: u64) -> String {
    format!("{}  {file}", percent_bar(usize::try_from(percent).unwrap_or(100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_how_far_it_is() {
        assert_eq!(line("a.mp4", 25), "[######..................]  25 %  a.mp4");
        assert_eq!(line("a.mp4", 100), format!("[{}] 100 %  a.mp4", "#".repeat(24)));
    }

    #[tokio::test]
    async fn an_export_of_nothing_fails_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let exports = Exports::new(folder.path().to_owned(), ExportSection::default());
        let (take, id) = (TakeName::new("A").unwrap(), TakeId::try_from("A_20251023_140210".to_owned()).unwrap());
        assert_eq!(exports.look(&id), None);
        exports.start(&take, &id, Extra::default());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(30), async {
            loop {
                if let Some(export) = exports.look(&id).filter(|export| !export.is_on()) {
                    return export;
                }
                tokio::task::yield_now().await;
            }
        });
        let export = ended.await.unwrap();
        assert_eq!(export.state, State::Failed);
        assert!(export.error.unwrap().starts_with("there is no file of the take A_20251023_140210 in "));
        assert_eq!(products(folder.path(), &take, &id), []);
    }
}
