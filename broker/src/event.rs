//! What the broker tells the controller.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::rights::Wish;

/// Something that the controller should know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A publish with the retain flag to a topic where nothing may stay. It was not passed on.
    RetainRefused {
        /// The client's id.
        client: String,
        /// Where to.
        topic: String,
        /// What.
        payload: Bytes,
    },
    /// A client was let in.
    Connected {
        /// The client's id.
        client: String,
        /// Its account.
        user: Option<String>,
        /// Where it comes from.
        peer: SocketAddr,
    },
    /// A client's connection has ended.
    Disconnected {
        /// The client's id.
        client: String,
        /// In a few words.
        why: &'static str,
    },
    /// Somebody was not let in: wrong password, or none.
    Refused {
        /// The client's id.
        client: String,
        /// The account that was tried.
        user: Option<String>,
        /// Where it came from.
        peer: SocketAddr,
    },
    /// A client tried what its account may not do.
    Denied {
        /// The client's id.
        client: String,
        /// Its account.
        user: String,
        /// Publishing (a last will too) or subscribing.
        wish: Wish,
        /// The topic or filter.
        what: String,
    },
    /// The router, or the listener of a port, had ended or did not answer and was replaced; no client was disconnected.
    Restarted {
        /// Which part, and what was noticed.
        why: String,
        /// From noticing to working again.
        took: Duration,
    },
    /// Messages for a client that does not keep up were dropped, or the client was disconnected for it.
    Slow {
        /// The client's id.
        client: String,
        /// Whether its connection was closed (messages with QoS 1 or 2 had no room).
        closed: bool,
    },
}
