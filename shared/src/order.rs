//! What the controller orders a single node to do, and the node's answer. Pure.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::command::Refusal;
use crate::time::Wall;

/// What a computer can do with its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// Turn itself off.
    Shutdown,
    /// Turn itself off and on again.
    Reboot,
}

impl Power {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Reboot => "reboot",
        }
    }
}

/// `order/<ip>`: what the controller orders one node to do. Nodes do not obey `cmd/…`, and an order that the broker had
/// kept is not obeyed either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// [`crate::protocol::VERSION`].
    pub v: u32,
    /// The controller's own mark, given back in the answer.
    pub id: u64,
    /// What to do.
    pub power: Power,
    /// Also in the middle of a take.
    pub force: bool,
    /// When it was ordered.
    pub at: Wall,
}

/// `answer/<ip>`: whether the node does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAnswer {
    /// [`crate::protocol::VERSION`].
    pub v: u32,
    /// Who answers.
    pub ip: Ipv4Addr,
    /// The order's own mark.
    pub id: u64,
    /// What was ordered.
    pub power: Power,
    /// Why it is not done; null when it is.
    pub error: Option<Refusal>,
    /// When this was said.
    pub at: Wall,
}
