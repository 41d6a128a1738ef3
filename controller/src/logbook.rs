//! Keeps what happened: the newest in memory, all of the last weeks in `events.jsonl` of the state folder.
//!
//! A line is written at once and whole; a power cut can cost the last one, which is then passed over. When the file is
//! full it becomes `events.1.jsonl` in the place of the one before.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncslate_shared::time::{Wall, micros};
use tokio::sync::oneshot;

use crate::chronicle::{Happening, Kind};

/// So long may a file become, in bytes: some 5,000 lines.
const FULL: u64 = 1_000_000;
/// So many are held in memory.
const HELD: usize = 5_000;
/// What outsiders can cause is told once in this time.
const DAMPED: Duration = Duration::from_secs(60);
/// At the end the disk gets this long.
const GRACE: Duration = Duration::from_millis(500);
const FILE: &str = "events.jsonl";
const OLDER: &str = "events.1.jsonl";

/// Something that happened, with when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up, over restarts too.
    pub n: u64,
    /// When.
    pub at: Wall,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// The book; cheap to clone.
#[derive(Clone, Debug)]
pub struct Logbook {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// Oldest first.
    entries: VecDeque<Entry>,
    latest: u64,
    lines: Sender<Line>,
}

enum Line {
    Write(Vec<u8>),
    Flush(oneshot::Sender<()>),
}

impl Logbook {
    /// Opens the book in `folder`. One that cannot be read or written is said in the log: the shoot goes on without.
    pub fn open(folder: &Path) -> Self {
        Self::with(folder, FULL)
    }

    fn with(folder: &Path, full: u64) -> Self {
        let mut entries: VecDeque<Entry> = [OLDER, FILE].iter().flat_map(|file| read(&folder.join(file))).collect();
        entries.drain(..entries.len().saturating_sub(HELD));
        let latest = entries.back().map_or(0, |entry| entry.n);
        let (lines, wanted) = channel();
        let mut book = Book { folder: folder.to_owned(), full, file: None, bytes: 0, complaint: String::new() };
        std::thread::spawn(move || book.write_all(&wanted));
        Self { shared: Arc::new(Mutex::new(Shared { entries, latest, lines })) }
    }

    /// Writes something down.
    pub fn add(&self, at: Wall, what: Happening) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(what.kind, Kind::Login | Kind::Refused) && shared.has(&what, at) {
            return;
        }
        shared.latest += 1;
        let entry = Entry { n: shared.latest, at, what };
        let mut line = serde_json::to_vec(&entry).unwrap_or_default();
        line.push(b'\n');
        if shared.entries.len() == HELD {
            shared.entries.pop_front();
        }
        shared.entries.push_back(entry);
        let _ = shared.lines.send(Line::Write(line));
    }

    /// The number of the newest one.
    pub fn latest(&self) -> u64 {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).latest
    }

    /// The newest `most` after number `after` that `wanted` takes, newest first.
    pub fn newest(&self, after: u64, most: usize, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = shared.entries.iter().rev().take_while(|entry| entry.n > after);
        fresh.filter(|entry| wanted(entry)).take(most).cloned().collect()
    }

    /// Waits until all of it is on the disk, but not for ever.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let sent = self.shared.lock().unwrap_or_else(PoisonError::into_inner).lines.send(Line::Flush(done));
        if sent.is_ok() {
            let _ = tokio::time::timeout(GRACE, written).await;
        }
    }
}

impl Shared {
    fn has(&self, what: &Happening, now: Wall) -> bool {
        let recent =
            self.entries.iter().rev().take_while(|entry| (0..micros(DAMPED)).contains(&now.since_us(entry.at)));
        recent.into_iter().any(|entry| entry.what == *what)
    }
}

/// What can be read of a file: a line that was cut off by a power cut is passed over.
fn read(path: &Path) -> Vec<Entry> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            tracing::warn!("the events in {} cannot be read: {e}", path.display());
            Vec::new()
        }
    };
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The file, on a thread of its own: a slow disk holds up nobody.
struct Book {
    folder: PathBuf,
    full: u64,
    file: Option<File>,
    bytes: u64,
    complaint: String,
}

impl Book {
    fn write_all(&mut self, wanted: &Receiver<Line>) {
        while let Ok(first) = wanted.recv() {
            let mut flushes = Vec::new();
            let mut lines = Vec::new();
            for line in std::iter::once(first).chain(wanted.try_iter()) {
                match line {
                    Line::Write(line) => lines.extend(line),
                    Line::Flush(done) => flushes.push(done),
                }
            }
            if let Err(e) = self.write(&lines) {
                self.file = None;
                let why = format!("what happens cannot be written to {}: {e}", self.folder.join(FILE).display());
                if why != self.complaint {
                    tracing::warn!("{why}");
                    self.complaint = why;
                }
            } else {
                self.complaint.clear();
            }
            for done in flushes {
                let _ = done.send(());
            }
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.file.is_some() && self.bytes >= self.full {
            self.file = None;
            fs::rename(self.folder.join(FILE), self.folder.join(OLDER))?;
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        file.write_all(lines)?;
        file.sync_data()?;
        self.bytes += lines.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// A line that was cut off is ended, so that it spoils no other.
    fn open(&mut self) -> io::Result<File> {
        let path = self.folder.join(FILE);
        let torn = fs::read(&path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        if torn {
            file.write_all(b"\n")?;
        }
        self.bytes = file.metadata()?.len();
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use syncslate_shared::protocol::Level;

    use super::*;

    const NOON: Wall = Wall::from_micros(1_761_220_930_731_009);

    fn take(text: &str) -> Happening {
        Happening::new(Level::Info, Kind::Take, text)
    }

    fn texts(book: &Logbook) -> Vec<(u64, String)> {
        book.newest(0, 100, |_| true).into_iter().map(|entry| (entry.n, entry.what.text)).collect()
    }

    #[tokio::test]
    async fn it_is_there_after_a_restart_and_a_torn_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let book = Logbook::open(folder.path());
        book.add(NOON, take("one"));
        book.add(NOON, take("two <script>\u{202e}"));
        book.flush().await;
        let path = folder.path().join(FILE);
        fs::write(&path, [fs::read(&path).unwrap(), br#"{"n":3,"at":"2025-"#.to_vec()].concat()).unwrap();
        let book = Logbook::open(folder.path());
        book.add(NOON, take("three"));
        book.flush().await;
        let all = [(3, "three".to_owned()), (2, "two <script>\u{202e}".into()), (1, "one".into())];
        assert_eq!(texts(&book), all);
        assert_eq!(texts(&Logbook::open(folder.path())), all);
        assert_eq!(book.newest(2, 9, |_| true).len(), 1);
        assert_eq!(book.newest(0, 9, |entry| entry.what.text == "one")[0].n, 1);
    }

    #[tokio::test]
    async fn a_full_file_makes_room_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let book = Logbook::with(folder.path(), 1_000);
        for i in 0..100 {
            book.add(NOON, take(&format!("event {i}")));
            book.flush().await;
        }
        let size = |file| fs::metadata(folder.path().join(file)).unwrap().len();
        assert!(size(FILE) < 1_200 && (1_000..1_200).contains(&size(OLDER)), "{} {}", size(FILE), size(OLDER));
        let kept = texts(&Logbook::open(folder.path()));
        assert_eq!(kept[0], (100, "event 99".into()));
        assert!(kept.len() > 9 && kept.windows(2).all(|pair| pair[0].0 == pair[1].0 + 1), "{kept:?}");
    }

    #[tokio::test]
    async fn a_folder_that_refuses_holds_up_nobody() {
        let book = Logbook::open(Path::new("/proc/nowhere"));
        book.add(NOON, take("one"));
        book.flush().await;
        assert_eq!(texts(&book).len(), 1);
    }

    #[tokio::test]
    async fn guesses_at_a_password_do_not_fill_it() {
        let folder = tempfile::tempdir().unwrap();
        let book = Logbook::open(folder.path());
        let guess = Happening::new(Level::Warning, Kind::Login, "a login from 10.0.0.9 failed");
        for s in 0..120 {
            book.add(NOON + Duration::from_secs(s), guess.clone());
        }
        assert_eq!(texts(&book).len(), 2);
        for _ in 0..2 {
            book.add(NOON, take("what we do ourselves is told each time"));
        }
        assert_eq!(texts(&book).len(), 4);
    }
}
