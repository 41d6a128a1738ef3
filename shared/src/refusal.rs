//! Why something that was asked for is not done: a word for programs, a sentence for people. Pure.

use serde::{Deserialize, Serialize};

use crate::take::NameError;

/// Why a command was not obeyed, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The payload or the command's word is not of the contract.
    Malformed,
    /// It came with the retain flag.
    Retained,
    /// The take's name breaks a rule.
    InvalidTakeName,
    /// A take is being recorded.
    AlreadyRolling,
    /// No take is being recorded.
    NotRolling,
    /// No node is reachable.
    NoNodes,
    /// No reachable node can record.
    NotReady,
    /// The instant asked for lies behind what the cameras hold in memory.
    TooLate,
    /// There is no such take.
    UnknownTake,
    /// A camera has no such setting, or no such value of it.
    InvalidSetting,
    /// The take has no such mark.
    UnknownMark,
    /// Something else has to end first.
    Busy,
    /// The controller failed; its log says more.
    Internal,
}

impl ErrorCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Retained => "retained",
            Self::InvalidTakeName => "invalid_take_name",
            Self::AlreadyRolling => "already_rolling",
            Self::NotRolling => "not_rolling",
            Self::NoNodes => "no_nodes",
            Self::NotReady => "not_ready",
            Self::TooLate => "too_late",
            Self::UnknownTake => "unknown_take",
            Self::InvalidSetting => "invalid_setting",
            Self::UnknownMark => "unknown_mark",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }
}

/// A refusal: a word for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The word.
    pub code: ErrorCode,
    /// The sentence, with what to do where there is something.
    pub message: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::new(ErrorCode::InvalidTakeName, error.to_string())
    }
}
