//! The page about cameras: what each is set to, where they differ, and what can be set. Pure.

use serde::Serialize;
use serde_json::{Map, Value as Json};
use syncslate_shared::camera::{Key, Settings, Value};
use syncslate_shared::protocol::{NodeState, TakeState};

use super::{Line, node_name, tile};
use crate::snapshot::{NodeView, Snapshot};

/// The page `/cameras`.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct Cameras {
    cameras: Vec<Map<String, Json>>,
    /// Why nothing can be set now; empty when it can.
    locked: String,
    segment_s: u32,
    /// Where cameras differ, in a sentence.
    differing: String,
    /// `warn` when they do.
    differing_kind: &'static str,
    notices: Vec<Line>,
}

/// A column of the table: its name, and what stands in it.
const COLUMNS: [(&str, &[Key]); 7] = [
    ("size", &[Key::Width, Key::Height]),
    ("rate", &[Key::Fps]),
    ("bits", &[Key::Bitrate]),
    ("exposure", &[Key::ExposureUs]),
    ("gain", &[Key::Gain]),
    ("balance", &[Key::Awb]),
    ("focus", &[Key::Focus]),
];

/// A camera with what it has, as far as it tells.
struct Camera<'a> {
    node: &'a NodeView,
    has: Settings,
    wished: Settings,
}

impl Cameras {
    pub(in crate::web) fn of(snapshot: &Snapshot) -> Self {
        let cameras: Vec<Camera<'_>> = snapshot.nodes.iter().map(|node| Camera::of(node, snapshot)).collect();
        let usual = |key| usual(&cameras, key);
        let differ = |keys: &[Key]| {
            keys.iter()
                .any(|key| usual(*key).is_some_and(|usual| cameras.iter().any(|camera| camera.differs(*key, usual))))
        };
        let names = ["size", "frame rate", "bit rate", "exposure", "gain", "white balance", "focus"];
        let columns = COLUMNS.iter().zip(names).filter(|((_, keys), _)| differ(keys));
        let differing: Vec<&str> = columns.map(|(_, name)| name).collect();
        let told = cameras.iter().filter(|camera| !camera.has.0.is_empty()).count();
        let (differing_kind, differing) = match (differing.as_slice(), told) {
            ([], 0 | 1) => ("quiet", String::new()),
            ([], _) => ("ok", "All cameras that are on are set alike.".into()),
            (columns, _) => ("warn", format!("The cameras differ in: {}.", columns.join(", "))),
        };
        let notices = snapshot.notices.iter().map(|text| Line { key: text.clone(), text: text.clone() }).collect();
        Self {
            cameras: cameras.iter().map(|camera| camera.row(snapshot, usual)).collect(),
            locked: locked(snapshot),
            segment_s: snapshot.cameras.segment_s,
            differing,
            differing_kind,
            notices,
        }
    }
}

fn locked(snapshot: &Snapshot) -> String {
    match (snapshot.take.state, &snapshot.take.take) {
        (TakeState::Rolling, Some(take)) => format!("The take {take} is rolling: cameras can be set after STOP."),
        _ => String::new(),
    }
}

impl<'a> Camera<'a> {
    fn of(node: &'a NodeView, snapshot: &Snapshot) -> Self {
        let there = node.status.as_ref().filter(|_| node.state != NodeState::Offline);
        let has = there.and_then(|status| status.camera.actual.clone()).unwrap_or_default();
        let wished = snapshot.cameras.wishes.get(&node.ip).cloned().unwrap_or_default();
        Self { node, has, wished }
    }

    /// Whether this camera tells another value than most.
    fn differs(&self, key: Key, usual: Value) -> bool {
        self.has.get(key).is_some_and(|value| !key.agrees(value, usual))
    }

    fn row(&self, snapshot: &Snapshot, usual: impl Fn(Key) -> Option<Value>) -> Map<String, Json> {
        let node = self.node;
        let mut row = Map::new();
        let mut put = |name: String, value: String| row.insert(name, value.into());
        put("key".into(), node.ip.to_string());
        put("ip".into(), node.ip.to_string());
        put("name".into(), node_name(snapshot, node.ip));
        put("kind".into(), node.state.as_str().into());
        put("word".into(), tile::word(node.state).into());
        put("choose".into(), format!("Set {}", node_name(snapshot, node.ip)));
        put("match".into(), format!("Match all to {}", node_name(snapshot, node.ip)));
        put("can_match".into(), if self.has.0.is_empty() { "no" } else { "yes" }.into());
        put("problem".into(), self.problem());
        let can = node.status.as_ref().and_then(|status| status.camera.can.as_ref());
        // One that does not tell may have all.
        let keys = Key::ALL.into_iter().filter(|key| can.is_none_or(|can| can.has(*key)));
        put("has".into(), keys.map(Key::as_str).collect::<Vec<_>>().join(" "));
        for key in Key::ALL {
            put(format!("v_{key}"), self.field(key));
        }
        for (column, keys) in COLUMNS {
            let text: Vec<String> = keys.iter().filter_map(|key| Some(key.show(self.has.get(*key)?))).collect();
            let differs = keys.iter().any(|key| usual(*key).is_some_and(|usual| self.differs(*key, usual)));
            put(column.into(), if text.is_empty() { "–".into() } else { text.join(" × ") });
            put(format!("{column}_note"), if text.is_empty() { String::new() } else { self.note(keys, differs) });
            put(format!("{column}_is"), if differs { "differs" } else { "" }.into());
        }
        row
    }

    /// What is to be said beside a value.
    fn note(&self, keys: &[Key], differs: bool) -> String {
        let missed = self.wished.missed(&self.has);
        let missed: Vec<String> = missed
            .iter()
            .filter(|(key, ..)| keys.contains(key))
            .map(|(key, wished, _)| format!("wished: {}", key.show(*wished)))
            .collect();
        let free = keys.iter().all(|key| key.automatic() && self.wished.get(*key).is_none());
        let notes = [(free, "automatic"), (differs, "differs")];
        let notes = notes.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word.to_owned());
        notes.chain(missed).collect::<Vec<_>>().join(" · ")
    }

    /// The value as the form has it: `auto` for what is automatic, nothing for what is not known.
    fn field(&self, key: Key) -> String {
        let asked = self.node.status.as_ref().map(|status| &status.camera);
        let asked = asked.and_then(|camera| match key {
            Key::Width => Value::number(f64::from(camera.width)),
            Key::Height => Value::number(f64::from(camera.height)),
            Key::Fps => Value::number(camera.fps),
            Key::Bitrate => camera.bitrate.and_then(|bits| Value::number(bits as f64)),
            _ => None,
        });
        match self.wished.get(key).or(asked) {
            Some(Value::Number(n)) if key == Key::Bitrate => (n.f64() / 1e6).to_string(),
            Some(Value::Number(n)) => n.to_string(),
            Some(Value::Gains { red, blue }) => format!("{red}/{blue}"),
            Some(Value::Light(light)) => light.as_str().into(),
            None if key.automatic() => "auto".into(),
            None => String::new(),
        }
    }

    /// What became of the wishes, where they do not hold.
    fn problem(&self) -> String {
        let own = self.node.findings.iter().filter(|finding| finding.code.starts_with("settings_"));
        own.map(|finding| finding.message.clone()).collect::<Vec<_>>().join(" · ")
    }
}

/// The value that most cameras have; of two halves that of the first one.
fn usual(cameras: &[Camera<'_>], key: Key) -> Option<Value> {
    let values: Vec<Value> = cameras.iter().filter_map(|camera| camera.has.get(key)).collect();
    let votes = |value: Value| values.iter().filter(|other| key.agrees(value, **other)).count();
    let most = values.iter().map(|value| votes(*value)).max()?;
    values.iter().copied().find(|value| votes(*value) == most)
}
