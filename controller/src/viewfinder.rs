//! Between the page and the nodes' pictures: they pass by the desk, as they are no state of the shoot, and by the loop,
//! which must not wait behind them.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use syncslate_shared::preview::LeaseMessage;
use syncslate_shared::time::Clocks;
use tokio::sync::mpsc;

use crate::previews::{Previews, Size};

/// Leases that wait for the loop; one that finds no room is asked for again in a moment.
const QUEUE: usize = 16;

/// A handle; cheap to clone.
#[derive(Clone)]
pub struct Viewfinder {
    clocks: Arc<dyn Clocks>,
    previews: Arc<Mutex<Previews>>,
    leases: mpsc::Sender<LeaseMessage>,
    /// Tells the pictures of this run of the program from those of another one.
    run: i64,
}

/// A picture as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Another one than that of any other picture.
    pub tag: String,
    /// How long ago it arrived.
    pub age: Duration,
    /// The JPEG.
    pub jpeg: Bytes,
}

impl fmt::Debug for Viewfinder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewfinder").finish_non_exhaustive()
    }
}

impl Viewfinder {
    /// The handle, and the leases that are to be published.
    pub fn new(clocks: Arc<dyn Clocks>) -> (Self, mpsc::Receiver<LeaseMessage>) {
        let (leases, due) = mpsc::channel(QUEUE);
        let run = clocks.wall().micros();
        (Self { clocks, previews: Arc::default(), leases, run }, due)
    }

    /// Looks at a node, which is what lets it send pictures; gives the newest one.
    pub fn look(&self, ip: Ipv4Addr, size: Size) -> Option<Shown> {
        let now = self.clocks.mono();
        let mut previews = self.lock();
        if let Some(lease) = previews.look(ip, size, now) {
            let _ = self.leases.try_send(lease);
        }
        previews.newest(ip).map(|picture| Shown {
            tag: format!("\"{:x}-{}\"", self.run, picture.number),
            age: now.since(picture.at),
            jpeg: picture.jpeg.clone(),
        })
    }

    /// A picture came from a node.
    pub fn show(&self, ip: Ipv4Addr, jpeg: Bytes) {
        self.lock().show(ip, jpeg, self.clocks.mono());
    }

    /// Time passed.
    pub fn tick(&self) {
        self.lock().forget(self.clocks.mono());
    }

    fn lock(&self) -> MutexGuard<'_, Previews> {
        self.previews.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
