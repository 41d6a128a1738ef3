//! What the broker tells the controller.

use std::time::Duration;

use bytes::Bytes;

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
    /// The router had ended or did not answer and was replaced; no client was disconnected.
    Restarted {
        /// What was noticed.
        why: String,
        /// From noticing to routing again.
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
