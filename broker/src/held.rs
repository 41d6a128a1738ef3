//! What connections hand to one another and are told: a client's session, which outlives them, and its way out of the router.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rumqttd::local::LinkRx;
use tokio::sync::{mpsc, oneshot};

use crate::session::Session;

/// A session and its way out of the router, which it has once it subscribes.
pub(crate) struct Held {
    pub(crate) session: Session,
    pub(crate) link: Option<Link>,
}

/// A session's way out of the router.
pub(crate) struct Link {
    pub(crate) number: usize,
    pub(crate) rx: LinkRx,
    /// Marks still to come out. What comes before the last of them was meant for an earlier user of this link.
    pub(crate) marks: usize,
    /// The router waits to be told that this link takes more.
    pub(crate) asleep: bool,
    /// The latest turn of a log that came out of it.
    pub(crate) turned: Arc<AtomicU64>,
    /// After a restart: the same link of the new router.
    pub(crate) fresh: mpsc::UnboundedReceiver<LinkRx>,
}

/// What a connection (or the keeper of an absent client's session) is told.
pub(crate) enum Note {
    /// A publish of this client has been dealt with.
    Routed(Routed),
    /// A new connection has the same client id.
    Takeover(Takeover),
    /// The broker stops.
    Stop,
}

/// What a publish is answered with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Routed {
    pub(crate) pkid: u16,
    pub(crate) qos: u8,
    pub(crate) bytes: usize,
    /// Reason code of version 5.
    pub(crate) code: u8,
}

/// The session is asked for.
pub(crate) struct Takeover {
    /// The new connection wants to forget what was before.
    pub(crate) clean: bool,
    /// Dropped without an answer, the session has ended.
    pub(crate) reply: oneshot::Sender<Box<Held>>,
}
