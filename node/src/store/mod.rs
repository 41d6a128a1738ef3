//! The disk: a thread that writes what the session wants kept, in order, and a second one that syncs it.
//!
//! Writing and syncing are apart, so that an SD card that takes a second to sync does not hold up the next picture;
//! the loop that owns the session never touches the disk.

mod gauge;
mod open;
mod papers;
mod place;
mod recover;
mod segment;
mod sync;
mod trouble;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use syncslate_shared::files::Base;
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::{CameraReport, ClockReading};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::{Clocks as _, Mono, SystemClocks};

use crate::camera::{AccessUnit, CameraFacts};
use crate::event::{StoreCommand, StoreEvent};
use gauge::Gauge;
use open::OpenTake;
use sync::Syncer;

/// Above this much waiting footage the disk counts as failed: it is slower than the camera.
const MAX_WAITING: usize = 64 * 1024 * 1024;

/// Who records, for names and manifests; the camera's part changes as it becomes known.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The node's address.
    pub ip: std::net::Ipv4Addr,
    /// The node's name.
    pub name: String,
    /// The camera as the status says it.
    pub camera: Option<CameraReport>,
    /// What is known of the running camera.
    pub facts: Option<CameraFacts>,
    /// The clock as it was read last.
    pub clock: Option<ClockReading>,
}

/// What is kept of the take that is being recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
    /// The index of the open segment.
    pub segment: Option<u32>,
    /// First kept frame at or after T0, minus T0, in microseconds.
    pub skew_us: Option<i64>,
}

/// How the disk does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The slowest write or sync of the last seconds.
    pub slowest: Duration,
    /// Bytes of footage that wait to be written.
    pub waiting: u64,
}

/// A handle to the disk.
#[derive(Debug)]
pub struct Store {
    commands: Option<mpsc::Sender<StoreCommand>>,
    waiting: Arc<AtomicUsize>,
    kept: Arc<Mutex<Kept>>,
    identity: Arc<Mutex<Identity>>,
    thread: Option<JoinHandle<()>>,
    refused: bool,
    writing: Arc<Mutex<Gauge>>,
    syncing: Arc<Mutex<Gauge>>,
    tell: tokio::sync::mpsc::UnboundedSender<StoreEvent>,
}

impl Store {
    /// Starts the threads that write into `videos`.
    ///
    /// # Errors
    /// The folder cannot be made or written to, or no thread can be had.
    pub fn start(
        videos: PathBuf,
        identity: Identity,
        tell: tokio::sync::mpsc::UnboundedSender<StoreEvent>,
    ) -> Result<Self, String> {
        let shown = videos.display().to_string();
        std::fs::create_dir_all(&videos)
            .and_then(|()| tempfile::tempfile_in(&videos).map(drop))
            .map_err(|e| format!("cannot write to the videos folder {shown}: {e}"))?;
        let (commands, receiver) = mpsc::channel();
        let (waiting, kept) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Kept::default())));
        let identity = Arc::new(Mutex::new(identity));
        let (writing, syncing) = (Arc::<Mutex<Gauge>>::default(), Arc::<Mutex<Gauge>>::default());
        let syncer = Syncer::start(Arc::clone(&syncing)).map_err(|e| format!("no thread for syncing the disk: {e}"))?;
        let worker = Worker {
            videos,
            identity: Arc::clone(&identity),
            kept: Arc::clone(&kept),
            tell: tell.clone(),
            syncer,
            writing: Arc::clone(&writing),
            failing: false,
            take: None,
        };
        let counter = Arc::clone(&waiting);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || worker.run(&receiver, &counter))
            .map_err(|e| format!("no thread for writing to the disk: {e}"))?;
        let (commands, thread) = (Some(commands), Some(thread));
        Ok(Self { commands, waiting, kept, identity, thread, refused: false, writing, syncing, tell })
    }

    /// Has something done; never blocks.
    pub fn submit(&mut self, command: StoreCommand) {
        match &command {
            StoreCommand::Segment => self.refused = false,
            StoreCommand::Keep(_) if self.refused => return,
            StoreCommand::Keep(unit) if !self.count(unit) => return,
            _ => {}
        }
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }

    /// Counts what waits to be written; refuses more of it than memory should hold.
    fn count(&mut self, unit: &AccessUnit) -> bool {
        if self.waiting.load(Ordering::Relaxed) <= MAX_WAITING {
            self.waiting.fetch_add(unit.data.len(), Ordering::Relaxed);
            return true;
        }
        self.refused = true;
        let message = format!(
            "the disk is slower than the camera: {} MiB wait to be written\n\nhint: use a faster card or a lower bit rate",
            MAX_WAITING >> 20
        );
        let last = Some(unit.time.offset_us(-1));
        let _ = self.tell.send(StoreEvent::Failed { code: "disk_slow", message, last });
        false
    }

    /// What is kept of the take so far.
    pub fn kept(&self) -> Kept {
        lock(&self.kept).clone()
    }

    /// How the disk does.
    pub fn health(&self, now: Mono) -> Health {
        let slowest = lock(&self.writing).slowest(now).max(lock(&self.syncing).slowest(now));
        Health { slowest, waiting: self.waiting.load(Ordering::Relaxed) as u64 }
    }

    /// Changes what manifests say of the node.
    pub fn know(&self, change: impl FnOnce(&mut Identity)) {
        change(&mut lock(&self.identity));
    }

    /// Waits until everything that was submitted is on disk.
    pub fn close(mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's own.
struct Worker {
    videos: PathBuf,
    identity: Arc<Mutex<Identity>>,
    kept: Arc<Mutex<Kept>>,
    tell: tokio::sync::mpsc::UnboundedSender<StoreEvent>,
    syncer: Syncer,
    writing: Arc<Mutex<Gauge>>,
    /// Something failed, and no picture was written since.
    failing: bool,
    take: Option<OpenTake>,
}

impl Worker {
    fn run(mut self, commands: &mpsc::Receiver<StoreCommand>, waiting: &AtomicUsize) {
        while let Ok(command) = commands.recv() {
            if let StoreCommand::Keep(unit) = &command {
                waiting.fetch_sub(unit.data.len(), Ordering::Relaxed);
            }
            let picture = matches!(command, StoreCommand::Keep(_));
            let closing = matches!(command, StoreCommand::Finish { .. } | StoreCommand::Recover { .. });
            // Closing a take after a crash reads all of it: that says nothing of the disk's speed.
            let timed = matches!(command, StoreCommand::Keep(_) | StoreCommand::Segment);
            if timed {
                lock(&self.writing).begin(SystemClocks.mono());
            }
            let done = self.execute(command);
            if timed {
                lock(&self.writing).end(SystemClocks.mono());
            }
            if let Err(error) = done {
                let (code, message) = trouble::name(&self.videos, &error);
                let _ = self.tell.send(if closing {
                    StoreEvent::Unfinished { code, message }
                } else {
                    self.failing = true;
                    let last = self.take.as_mut().and_then(OpenTake::fail);
                    StoreEvent::Failed { code, message, last }
                });
            } else if picture && self.failing && self.take.as_ref().is_some_and(OpenTake::writing) {
                self.failing = false;
                let _ = self.tell.send(StoreEvent::Recovered);
            }
            *lock(&self.kept) = self.take.as_ref().map(OpenTake::kept).unwrap_or_default();
        }
    }

    fn execute(&mut self, command: StoreCommand) -> Result<(), String> {
        match command {
            StoreCommand::Open(take) => {
                let identity = lock(&self.identity).clone();
                let take = OpenTake::open(&self.videos, take, &identity, self.syncer.clone())?;
                let (id, last) = (take.id().clone(), take.last());
                self.take = Some(take);
                let _ = self.tell.send(StoreEvent::Opened { id, last });
                Ok(())
            }
            StoreCommand::Recover { rolling, ended } => {
                let identity = lock(&self.identity).clone();
                recover::finish_others(&self.videos, rolling.as_ref(), &ended, &identity)
            }
            StoreCommand::Marks { id, marks } => match &mut self.take {
                Some(take) if *take.id() == id => take.marks(marks),
                _ => self.mark_closed(&id, marks),
            },
            StoreCommand::Finish { t1, clock } => {
                let Some(mut take) = self.take.take() else { return Ok(()) };
                let identity = lock(&self.identity).clone();
                let id = take.id().clone();
                let done = take.finish(t1, clock, &identity);
                let _ = self.tell.send(StoreEvent::Finished { id });
                done
            }
            StoreCommand::Park => self.take.take().map_or(Ok(()), |mut take| take.park()),
            other => {
                let Some(take) = &mut self.take else { return Ok(()) };
                let key = match &other {
                    StoreCommand::Keep(unit) if unit.key => Some(unit.time),
                    _ => None,
                };
                take.execute(other)?;
                if let Some(at) = key {
                    take.clock(at, lock(&self.identity).clock.as_ref());
                }
                Ok(())
            }
        }
    }

    /// Marks that came, or changed, after the take's files were closed.
    fn mark_closed(&self, id: &TakeId, marks: Vec<syncslate_shared::take::Mark>) -> Result<(), String> {
        let base = Base { id: id.clone(), ip: lock(&self.identity).ip };
        let Some(mut manifest) = papers::read_manifest(&self.videos, &base)? else { return Ok(()) };
        if manifest.marks.iter().map(|placed| &placed.mark).eq(&marks) {
            return Ok(());
        }
        manifest.marks = place::all(&self.videos, &base, marks)?;
        papers::write_manifest(&self.videos, &base, &manifest)?;
        papers::write_markers(&self.videos, &base, &manifest)
    }
}

/// The camera's part of a manifest.
fn describe(manifest: &mut Manifest, identity: &Identity) {
    if let Some(camera) = &identity.camera {
        manifest.camera = Some(camera.clone());
    }
    if let Some(facts) = &identity.facts {
        manifest.encoder = Some(facts.encoder.clone());
        manifest.stamps = Some(facts.stamps);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
