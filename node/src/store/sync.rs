//! The thread that syncs open files, so that a power cut costs at most half a second.

use std::fs::File;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncslate_shared::time::{Clocks as _, SystemClocks};

use super::gauge::Gauge;

/// Measured from the end of one sync to the start of the next; with it at most 0.5 s are at stake on a card that
/// syncs in 100 ms.
const EVERY: Duration = Duration::from_millis(400);

/// A handle to the thread; the last one that goes ends it.
#[derive(Clone, Debug)]
pub(super) struct Syncer {
    files: Arc<Mutex<Vec<Arc<File>>>>,
    _alive: mpsc::Sender<()>,
}

impl Syncer {
    pub(super) fn start(gauge: Arc<Mutex<Gauge>>) -> std::io::Result<Self> {
        let files = Arc::new(Mutex::new(Vec::<Arc<File>>::new()));
        let (alive, stop) = mpsc::channel::<()>();
        let shared = Arc::clone(&files);
        std::thread::Builder::new().name("sync".into()).spawn(move || {
            let mut said = String::new();
            while stop.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let now: Vec<_> = super::lock(&shared).clone();
                for file in now {
                    super::lock(&gauge).begin(SystemClocks.mono());
                    let synced = file.sync_data();
                    super::lock(&gauge).end(SystemClocks.mono());
                    let why = synced.err().map(|e| e.to_string()).unwrap_or_default();
                    if !why.is_empty() && why != said {
                        tracing::warn!("a file could not be synced to the disk: {why}");
                    }
                    said = why;
                }
            }
        })?;
        Ok(Self { files, _alive: alive })
    }

    /// From now on these files are synced, and no others.
    pub(super) fn watch(&self, files: Vec<Arc<File>>) {
        *super::lock(&self.files) = files;
    }
}
