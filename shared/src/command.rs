//! The commands that anyone may send, and the answer that each of them gets. Pure.
//!
//! A command's payload is empty, plain text, or a JSON object; what starts with `{` is taken for JSON.

use std::net::Ipv4Addr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::camera::Changes;
use crate::order::Power;
use crate::protocol::read;
use crate::take::{MAX_NOTE, NameError, Stamp, TakeId, TakeName};
use crate::time::Wall;

/// The longest payload that is looked at, in bytes; what is longer is `malformed`.
pub const MAX_COMMAND: usize = 64 * 1024;

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
    /// Turn nodes off, or off and on again.
    Power {
        /// Which of both.
        power: Power,
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

#[derive(Deserialize)]
struct MarkJson {
    #[serde(default)]
    note: Option<String>,
    at: Option<Wall>,
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
struct PowerJson {
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
            let (note, at) = match form::<MarkJson>(payload)? {
                Form::Empty => (String::new(), None),
                Form::Text(note) => (note.to_owned(), None),
                Form::Json(json) => (json.note.unwrap_or_default(), json.at),
            };
            if note.len() > MAX_NOTE {
                return Err(malformed(&format!("field `note`: {} bytes, at most {MAX_NOTE} are kept", note.len())));
            }
            Wish::Mark { at, note }
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
        "shutdown" | "reboot" => {
            let power = if word == "shutdown" { Power::Shutdown } else { Power::Reboot };
            match form::<PowerJson>(payload)? {
                Form::Empty => Wish::Power { power, nodes: None, force: false },
                Form::Text(_) => return Err(malformed(&format!("`cmd/{word}` is empty or a JSON object"))),
                Form::Json(json) => Wish::Power { power, nodes: json.nodes, force: json.force },
            }
        }
        "camera" => match form::<CameraJson>(payload)? {
            Form::Empty | Form::Text(_) => return Err(malformed("`cmd/camera` is a JSON object")),
            Form::Json(json) => camera(json)?,
        },
        other => {
            return Err(malformed(&format!(
                "there is no command `{}`: start, stop, mark, download, shutdown, reboot and camera are known",
                other.chars().take(64).collect::<String>().escape_debug()
            )));
        }
    })
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::camera::Settings;

    fn refusal(word: &str, payload: &str) -> (ErrorCode, String) {
        let refusal = Command::read(word, payload.as_bytes()).wish.unwrap_err();
        (refusal.code, refusal.message)
    }

    #[test]
    fn a_command_has_three_forms() {
        let wish = |word: &str, payload: &str| Command::read(word, payload.as_bytes()).wish.unwrap();
        let a01 = Some(TakeName::new("A01").unwrap());
        assert_eq!(wish("start", ""), Wish::Start { take: None, at: None, force: false });
        assert_eq!(wish("start", "A01"), Wish::Start { take: a01.clone(), at: None, force: false });
        assert_eq!(
            wish("start", r#"{"take":"A01","at":"2025-10-23T12:02:10.5Z","force":true,"later":7}"#),
            Wish::Start { take: a01, at: Some(Wall::from_micros(1_761_220_930_500_000)), force: true }
        );
        assert_eq!(wish("download", r#"{"cancel":true}"#), Wish::Cancel { take: None, nodes: None });
        assert_eq!(wish("mark", "he laughs"), Wish::Mark { at: None, note: "he laughs".into() });
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_reason() {
        use ErrorCode::{InvalidSetting, InvalidTakeName, Malformed};
        let table = [
            ("start", "../x", InvalidTakeName, "cannot hold `/`"),
            ("start", "A01 ", InvalidTakeName, "cannot hold ` `"),
            ("start", r#"{"take":"../x"}"#, InvalidTakeName, "cannot hold `/`"),
            ("start", r#"{"take":7}"#, Malformed, "field `take`: invalid type"),
            ("start", r#"{"at":"noon"}"#, Malformed, "field `at`: `noon` is no RFC 3339 time"),
            ("start", "{", Malformed, "EOF"),
            ("stop", "now", Malformed, "empty or a JSON object"),
            ("mark", r#"{"note":[]}"#, Malformed, "field `note`"),
            ("download", r#"{"nodes":["x"]}"#, Malformed, "field `nodes[0]`"),
            ("shutdown", "now", Malformed, "`cmd/shutdown` is empty or a JSON object"),
            ("reboot", r#"{"nodes":["left"]}"#, Malformed, "field `nodes[0]`"),
            ("reboot", r#"{"force":1}"#, Malformed, "field `force`"),
            ("download", r#"{"stamp":"yesterday"}"#, Malformed, "field `stamp`: `yesterday` is no stamp"),
            ("download", r#"{"cancel":true,"delete_after_verify":true}"#, Malformed, "`take` and `nodes` alone"),
            ("camera", "", Malformed, "`cmd/camera` is a JSON object"),
            ("camera", "{}", Malformed, "one of them is needed"),
            ("camera", r#"{"setings":{}}"#, Malformed, "unknown field `setings`"),
            ("camera", r#"{"settings":{},"match":"10.0.0.7"}"#, Malformed, "one of them is enough"),
            ("camera", r#"{"settings":{"fps":0}}"#, InvalidSetting, "`fps`: 0 does not lie between 1 and 240"),
            ("camera", r#"{"settings":{"zoom":1}}"#, InvalidSetting, "no setting `zoom`"),
            (
                "camera",
                r#"{"segment_s":3601}"#,
                InvalidSetting,
                "`segment_s`: 3601 is no whole number between 1 and 3600",
            ),
            ("dance", "", Malformed, "no command `dance`"),
        ];
        for (word, payload, code, reason) in table {
            let (found, message) = refusal(word, payload);
            assert_eq!(found, code, "{word} {payload}: {message}");
            assert!(message.contains(reason), "{word} {payload}: {message}");
        }
        assert_eq!(refusal("mark", &"x".repeat(MAX_NOTE + 1)).0, Malformed);
        assert_eq!(refusal("start", &"x".repeat(10_000_000)).0, Malformed);
        assert_eq!(Command::read("start", b"\xff\xfe").wish.unwrap_err().code, Malformed);
    }

    #[test]
    fn power_is_for_all_nodes_unless_some_are_named() {
        let wish = |word: &str, payload: &str| Command::read(word, payload.as_bytes()).wish.unwrap();
        let all = Wish::Power { power: Power::Shutdown, nodes: None, force: false };
        assert_eq!(wish("shutdown", ""), all);
        let one = Wish::Power { power: Power::Reboot, nodes: Some(vec![[10, 0, 0, 7].into()]), force: true };
        assert_eq!(wish("reboot", r#"{"nodes":["10.0.0.7"],"force":true,"id":1}"#), one);
    }

    #[test]
    fn cameras_are_set_by_values_or_like_another() {
        let wish = |payload: &str| Command::read("camera", payload.as_bytes()).wish.unwrap();
        let values = |json: &str| CameraWish::Values(Settings::into(serde_json::from_str(json).unwrap()));
        assert_eq!(
            wish(r#"{"nodes":["10.0.0.7"],"settings":{"width":640},"segment_s":30,"id":7}"#),
            Wish::Camera {
                nodes: Some(vec![[10, 0, 0, 7].into()]),
                to: values(r#"{"width":640}"#),
                segment_s: Some(Some(30))
            }
        );
        let like = CameraWish::Like([10, 0, 0, 7].into());
        assert_eq!(
            wish(r#"{"match":"10.0.0.7","nodes":null}"#),
            Wish::Camera { nodes: None, to: like, segment_s: None }
        );
        assert_eq!(
            wish(r#"{"segment_s":null}"#),
            Wish::Camera { nodes: None, to: values("{}"), segment_s: Some(None) }
        );
    }

    #[test]
    fn the_id_comes_back_also_from_what_cannot_be_read() {
        let command = Command::read("start", br#"{"take":7,"id":"a7"}"#);
        let answer = command.answer(command.wish.clone().map(|_| None), Wall::from_micros(0));
        assert_eq!((answer.id, answer.ok), (Some(Value::from("a7")), false));
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_reader_panic(
            word in "start|stop|mark|download|shutdown|camera|\\PC{0,9}",
            payload in prop::collection::vec(any::<u8>(), 0..80),
            text in "\\{?(\"(take|at|id|note|nodes)\":(\"\\PC{0,5}\"|[0-9]|null|\\[\\]),?){0,3}\\}?",
        ) {
            let _ = Command::read(&word, &payload);
            let _ = Command::read(&word, text.as_bytes());
        }
    }
}
