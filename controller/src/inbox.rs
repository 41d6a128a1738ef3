//! The way of events to the loop.

use std::sync::Arc;

use syncslate_shared::time::Clocks;
use tokio::sync::mpsc;

use crate::event::{Event, Now};

/// Where events are put, stamped.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) clocks: Arc<dyn Clocks>,
    pub(crate) queue: mpsc::Sender<(Now, Event)>,
}

impl Inbox {
    /// Both clocks, now.
    pub(crate) fn now(&self) -> Now {
        Now { wall: self.clocks.wall(), mono: self.clocks.mono() }
    }

    /// Waits while the queue is full.
    pub(crate) async fn put(&self, event: Event) {
        let _ = self.queue.send((self.now(), event)).await;
    }

    /// For what is soon out of date: dropped when the queue is full.
    pub(crate) fn hint(&self, event: Event) {
        let _ = self.queue.try_send((self.now(), event));
    }
}
