//! The commands that anyone may send, and the answer that each of them gets. Pure.
//!
//! A command's payload is empty, plain text, or a JSON object; what starts with `{` is taken for JSON.

use std::net::Ipv4Addr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::camera::Changes;
use crate::order::Action;
use crate::protocol::read;
pub use crate::refusal::{ErrorCode, Refusal};
use crate::take::{MAX_NOTE, NameError, Stamp, TakeId, TakeName};
use crate::time::Wall;

/// The longest payload that is looked at, in bytes; what is longer is `malformed`.
pub const MAX_COMMAND: usize = 64 * 1024;

/// `cmd/result`: the answer to every command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// The `id` that the command bore, as it was.
    pub id: Option<Value>,
    /// The command's word, `start`.
    pub cmd: String,
    /// Whether it was obeyed.
    pub ok: bool,
    /// The take it was about.
    pub take: Option<TakeId>,
    /// The number of the mark it was about; left out when it was about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// Why it was not obeyed.
    pub error: Option<Refusal>,
    /// What speaks against what was done all the same, a sentence each; left out when nothing does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was done where, a sentence each, where the command alone does not tell; left out when it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<String>,
    /// When it was answered.
    pub at: Wall,
}

/// What is wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Roll.
    Start {
        /// The name; `None` for the next free `take_NNN`.
        take: Option<TakeName>,
        /// The instant to roll at; `None` for the moment the command arrived.
        at: Option<Wall>,
        /// Roll although the set is not ready.
        force: bool,
    },
    /// Cut.
    Stop {
        /// The instant to cut at; `None` for the moment the command arrived.
        at: Option<Wall>,
    },
    /// Mark a moment.
    Mark {
        /// The moment; `None` for the one the command arrived at.
        at: Option<Wall>,
        /// What is written beside it.
        note: String,
    },
    /// Change a mark that there is.
    Remark {
        /// The take; `None` for the present or last one.
        take: Option<TakeId>,
        /// The mark's number.
        n: u32,
        /// What becomes of it.
        change: MarkChange,
    },
    /// Fetch footage.
    Download {
        /// The take; `None` for everything that is not here yet.
        take: Option<TakeName>,
        /// Only these nodes; `None` for all.
        nodes: Option<Vec<Ipv4Addr>>,
        /// Of several takes of that name only the one with this stamp; `None` for all.
        stamp: Option<Stamp>,
        /// Delete the nodes' copies once they are proven equal.
        delete_after_verify: bool,
    },
    /// Break off fetching footage; what has arrived stays.
    Cancel {
        /// The take; `None` for every download.
        take: Option<TakeName>,
        /// Only from these nodes; `None` for all.
        nodes: Option<Vec<Ipv4Addr>>,
    },
    /// Turn nodes off, or off and on again, or let them show which they are.
    Order {
        /// Which of these.
        action: Action,
        /// Only these; `None` for all that are there.
        nodes: Option<Vec<Ipv4Addr>>,
        /// Also in the middle of a take.
        force: bool,
    },
    /// Set cameras.
    Camera {
        /// Only these; `None` for all that were ever heard of.
        nodes: Option<Vec<Ipv4Addr>>,
        /// To what.
        to: CameraWish,
        /// The length of all later takes' segments in seconds; `Some(None)` for the one in the settings.
        segment_s: Option<Option<u32>>,
    },
}

/// What cameras are to be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraWish {
    /// These values, the rest as it is.
    Values(Changes),
    /// What this node's camera has now.
    Like(Ipv4Addr),
}

/// What becomes of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkChange {
    /// It gets this note; its instant stays.
    Note(String),
    /// It goes; its number is not given again.
    Delete,
}

/// A command as it arrived: its word and id for the answer, and what is wished or why that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The word after `cmd/`.
    pub word: String,
    /// The sender's own mark, given back in the answer.
    pub id: Option<Value>,
    /// What is wished.
    pub wish: Result<Wish, Refusal>,
}

#[derive(Deserialize)]
struct StartJson {
    take: Option<String>,
    at: Option<Wall>,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
struct StopJson {
    at: Option<Wall>,
}

#[derive(Default, Deserialize)]
struct MarkJson {
    #[serde(default)]
    note: Option<String>,
    at: Option<Wall>,
    n: Option<u32>,
    take: Option<TakeId>,
    #[serde(default)]
    delete: bool,
}

#[derive(Deserialize)]
struct DownloadJson {
    take: Option<String>,
    nodes: Option<Vec<Ipv4Addr>>,
    stamp: Option<Stamp>,
    #[serde(default)]
    delete_after_verify: bool,
    #[serde(default)]
    cancel: bool,
}

#[derive(Deserialize)]
struct OrderJson {
    nodes: Option<Vec<Ipv4Addr>>,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraJson {
    nodes: Option<Vec<Ipv4Addr>>,
    settings: Option<serde_json::Map<String, Value>>,
    #[serde(rename = "match")]
    like: Option<Ipv4Addr>,
    #[serde(default, deserialize_with = "given")]
    segment_s: Option<Value>,
    #[serde(default, rename = "id")]
    _id: Option<Value>,
}

/// Tells null from what is not there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A payload's three forms.
enum Form<'a, T> {
    Empty,
    Text(&'a str),
    Json(T),
}

impl Command {
    /// Reads the command `word` with its payload. What cannot be read becomes a command that is refused, so that it is answered.
    pub fn read(word: &str, payload: &[u8]) -> Self {
        Self { word: word.chars().take(64).collect(), id: find_id(payload), wish: read_wish(word, payload) }
    }

    /// A command that came with the retain flag: refused whatever it says.
    pub fn retained(word: &str, payload: &[u8]) -> Self {
        let refusal = Refusal::new(
            ErrorCode::Retained,
            format!(
                "`cmd/{word}` came with the retain flag and would start again at every boot: publish it without (mosquitto_pub without -r)"
            ),
        );
        Self { wish: Err(refusal), ..Self::read(word, payload) }
    }

    /// The answer.
    pub fn answer(&self, outcome: Result<Option<TakeId>, Refusal>, at: Wall) -> CommandResult {
        let (take, error) = match outcome {
            Ok(take) => (take, None),
            Err(refusal) => (None, Some(refusal)),
        };
        CommandResult {
            id: self.id.clone(),
            cmd: self.word.clone(),
            ok: error.is_none(),
            take,
            mark: None,
            error,
            warnings: Vec::new(),
            done: Vec::new(),
            at,
        }
    }
}

fn read_wish(word: &str, payload: &[u8]) -> Result<Wish, Refusal> {
    Ok(match word {
        "start" => match form::<StartJson>(payload)? {
            Form::Empty => Wish::Start { take: None, at: None, force: false },
            Form::Text(name) => Wish::Start { take: Some(TakeName::new(name)?), at: None, force: false },
            Form::Json(json) => Wish::Start { take: name(json.take)?, at: json.at, force: json.force },
        },
        "stop" => match form::<StopJson>(payload)? {
            Form::Empty => Wish::Stop { at: None },
            Form::Text(_) => return Err(malformed("`cmd/stop` is empty or a JSON object")),
            Form::Json(json) => Wish::Stop { at: json.at },
        },
        "mark" => {
            let json = match form::<MarkJson>(payload)? {
                Form::Empty => MarkJson::default(),
                Form::Text(note) => MarkJson { note: Some(note.to_owned()), ..MarkJson::default() },
                Form::Json(json) => json,
            };
            mark(json)?
        }
        "download" => match form::<DownloadJson>(payload)? {
            Form::Empty => Wish::Download { take: None, nodes: None, stamp: None, delete_after_verify: false },
            Form::Text(name) => Wish::Download {
                take: Some(TakeName::new(name)?),
                nodes: None,
                stamp: None,
                delete_after_verify: false,
            },
            Form::Json(json) if json.cancel => match (json.delete_after_verify, json.stamp) {
                (false, None) => Wish::Cancel { take: name(json.take)?, nodes: json.nodes },
                _ => return Err(malformed("field `cancel`: it goes with `take` and `nodes` alone")),
            },
            Form::Json(json) => Wish::Download {
                take: name(json.take)?,
                nodes: json.nodes,
                stamp: json.stamp,
                delete_after_verify: json.delete_after_verify,
            },
        },
        "camera" => match form::<CameraJson>(payload)? {
            Form::Empty | Form::Text(_) => return Err(malformed("`cmd/camera` is a JSON object")),
            Form::Json(json) => camera(json)?,
        },
        other => match Action::of_word(other) {
            Some(action) => order(action, payload)?,
            None => {
                return Err(malformed(&format!(
                    "there is no command `{}`: start, stop, mark, download, camera, shutdown, reboot and identify are known",
                    other.chars().take(64).collect::<String>().escape_debug()
                )));
            }
        },
    })
}

fn order(action: Action, payload: &[u8]) -> Result<Wish, Refusal> {
    match form::<OrderJson>(payload)? {
        Form::Empty => Ok(Wish::Order { action, nodes: None, force: false }),
        Form::Text(_) => Err(malformed(&format!("`cmd/{}` is empty or a JSON object", action.as_str()))),
        Form::Json(json) => Ok(Wish::Order { action, nodes: json.nodes, force: json.force }),
    }
}

fn camera(json: CameraJson) -> Result<Wish, Refusal> {
    let invalid = |message: String| Refusal::new(ErrorCode::InvalidSetting, message);
    let to = match (json.like, json.settings) {
        (Some(_), Some(_)) => return Err(malformed("fields `match` and `settings`: one of them is enough")),
        (Some(like), None) => CameraWish::Like(like),
        (None, Some(settings)) => CameraWish::Values(Changes::read(&settings).map_err(invalid)?),
        (None, None) if json.segment_s.is_some() => CameraWish::Values(Changes::default()),
        (None, None) => return Err(malformed("fields `settings`, `match`, `segment_s`: one of them is needed")),
    };
    let segment_s = json.segment_s.map(|value| match value {
        Value::Null => Ok(None),
        value => match value.as_u64().and_then(|s| u32::try_from(s).ok()).filter(|s| (1..=3600).contains(s)) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(invalid(format!("`segment_s`: {value} is no whole number between 1 and 3600"))),
        },
    });
    Ok(Wish::Camera { nodes: json.nodes, to, segment_s: segment_s.transpose()? })
}

/// A new mark, or with `n` a change of one that there is.
fn mark(json: MarkJson) -> Result<Wish, Refusal> {
    if let Some(note) = json.note.as_ref().filter(|note| note.len() > MAX_NOTE) {
        return Err(malformed(&format!("field `note`: {} bytes, at most {MAX_NOTE} are kept", note.len())));
    }
    let MarkJson { note, at, n, take, delete } = json;
    let Some(n) = n else {
        return match (delete, take) {
            (false, None) => Ok(Wish::Mark { at, note: note.unwrap_or_default() }),
            (true, _) => Err(malformed("field `delete`: it needs `n`, the number of the mark that goes")),
            (false, Some(_)) => {
                Err(malformed("field `take`: it goes with `n`; a new mark is one of the take that rolls"))
            }
        };
    };
    let change = match (delete, note, at) {
        (_, _, Some(_)) => return Err(malformed("field `at`: the instant of a mark that there is does not change")),
        (true, Some(_), _) => return Err(malformed("field `note`: a mark is deleted or gets a note, not both")),
        (true, None, _) => MarkChange::Delete,
        (false, Some(note), _) => MarkChange::Note(note),
        (false, None, _) => return Err(malformed("field `n`: it goes with `note` or `delete`")),
    };
    Ok(Wish::Remark { take, n, change })
}

fn form<T: DeserializeOwned>(payload: &[u8]) -> Result<Form<'_, T>, Refusal> {
    if payload.len() > MAX_COMMAND {
        return Err(malformed(&format!("a payload of {} bytes, at most {MAX_COMMAND} are looked at", payload.len())));
    }
    let text = std::str::from_utf8(payload).map_err(|e| malformed(&format!("the payload is no UTF-8 text: {e}")))?;
    if text.is_empty() {
        Ok(Form::Empty)
    } else if text.trim_start().starts_with('{') {
        read(payload).map(Form::Json).map_err(|e| malformed(&e))
    } else {
        Ok(Form::Text(text))
    }
}

/// An empty name in JSON (what a form with an empty field sends) is no name, like an empty payload.
fn name(text: Option<String>) -> Result<Option<TakeName>, NameError> {
    text.filter(|t| !t.is_empty()).map(|t| TakeName::new(&t)).transpose()
}

fn malformed(message: &str) -> Refusal {
    Refusal::new(ErrorCode::Malformed, message)
}

/// The `id` of a command also where the rest of it cannot be read.
fn find_id(payload: &[u8]) -> Option<Value> {
    if payload.len() > MAX_COMMAND || !payload.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let json: Value = serde_json::from_slice(payload).ok()?;
    json.get("id").filter(|id| id.is_string() || id.is_number()).cloned()
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
