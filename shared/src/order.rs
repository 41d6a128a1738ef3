//! What the controller orders a single node to do, and the node's answer. Pure.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;
use crate::time::Wall;

/// What a node's computer can be ordered to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Turn itself off.
    Shutdown,
    /// Turn itself off and on again.
    Reboot,
    /// Blink its LED for ten seconds, so that a person finds it among others.
    Identify,
}

impl Action {
    /// The word on the wire, which is the command's too: `cmd/identify`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Reboot => "reboot",
            Self::Identify => "identify",
        }
    }

    /// The action of that word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Shutdown, Self::Reboot, Self::Identify].into_iter().find(|action| action.as_str() == word)
    }

    /// Whether it would end the recording of a take.
    pub fn ends_recording(self) -> bool {
        !matches!(self, Self::Identify)
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
    /// What to do; `power` was this field's name when there was nothing else to do.
    #[serde(alias = "power")]
    pub action: Action,
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
    #[serde(alias = "power")]
    pub action: Action,
    /// Why it is not done; null when it is.
    pub error: Option<Refusal>,
    /// When this was said.
    pub at: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{read, write};

    #[test]
    fn an_order_is_read_by_its_old_name_too() {
        let order: Order =
            read(br#"{"v":1,"id":7,"power":"reboot","force":false,"at":"2025-10-23T12:02:10.5Z"}"#).unwrap();
        assert_eq!(order.action, Action::Reboot);
        let written = String::from_utf8(write(&Order { action: Action::Identify, ..order })).unwrap();
        assert!(written.contains(r#""action":"identify""#), "{written}");
        assert!(read::<Order>(written.replace("identify", "dance").as_bytes()).is_err());
    }

    #[test]
    fn every_action_has_its_word() {
        for action in [Action::Shutdown, Action::Reboot, Action::Identify] {
            assert_eq!(Action::of_word(action.as_str()), Some(action));
        }
        assert_eq!(Action::of_word("dance"), None);
    }
}
