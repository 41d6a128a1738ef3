//! Settings as JSON. What comes from a program of ours is read as it is; what somebody wishes is checked, value by value.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

use super::{Can, Changes, Key, Light, Milli, Range, Settings, Value, within};

impl Changes {
    /// Reads what somebody wishes: `null` and `"auto"` take a wish away.
    ///
    /// # Errors
    /// A name that is not known, or a value with its name and the range.
    pub fn read(json: &Map<String, Json>) -> Result<Self, String> {
        let one = |(name, json): (&String, &Json)| {
            let key = Key::parse(name).ok_or_else(|| unknown(name))?;
            let value = value(key, json)?;
            value.map_or(Ok(()), |value| within(key, value, key.range()))?;
            Ok((key, value))
        };
        json.iter().map(one).collect::<Result<_, String>>().map(Self)
    }
}

fn unknown(name: &str) -> String {
    let known = Key::ALL.map(Key::as_str).join(", ");
    let name: String = name.chars().take(64).collect();
    format!("a camera has no setting `{}`: {known} are known", name.escape_debug())
}

/// Reads a value as the setting has them, whatever its range.
fn value(key: Key, json: &Json) -> Result<Option<Value>, String> {
    let shown = || shown(json);
    let number = |json: &Json| json.as_f64().and_then(Milli::near);
    Ok(Some(match (key, json) {
        (_, Json::Null) => return Ok(None),
        (key, Json::String(word)) if key.automatic() && word == "auto" => return Ok(None),
        (Key::Awb, Json::String(word)) => {
            let light = Light::ALL.into_iter().find(|light| light.as_str() == word);
            Value::Light(light.ok_or_else(|| {
                format!("`awb`: {} is no light: auto, {} are known", shown(), Light::ALL.map(Light::as_str).join(", "))
            })?)
        }
        (Key::Awb, Json::Object(gains)) => {
            let gain = |name: &str| gains.get(name).and_then(number);
            match (gain("red"), gain("blue"), gains.len()) {
                (Some(red), Some(blue), 2) => Value::Gains { red, blue },
                _ => return Err(format!("`awb`: {} is not {{\"red\":…,\"blue\":…}} with numbers up to 32", shown())),
            }
        }
        (Key::Awb, _) => return Err(format!("`awb`: {} is no light and no pair of gains up to 32", shown())),
        (key, json) => {
            let Range { from, to } = key.range();
            let number = number(json);
            Value::Number(number.ok_or_else(|| format!("`{key}`: {} does not lie between {from} and {to}", shown()))?)
        }
    }))
}

fn shown(json: &Json) -> String {
    let text = json.to_string();
    if text.chars().count() <= 60 { text } else { format!("{}…", text.chars().take(60).collect::<String>()) }
}

impl Serialize for Milli {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.f64())
        }
    }
}

impl<'de> Deserialize<'de> for Milli {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        Self::near(number).ok_or_else(|| D::Error::custom(format!("{number} is no number from 0")))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(n) => n.serialize(serializer),
            Self::Gains { red, blue } => json!({ "red": red, "blue": blue }).serialize(serializer),
            Self::Light(light) => light.serialize(serializer),
        }
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key.as_str(), value)))
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Self::default();
        // What is not known is of a later version.
        for (name, json) in Map::deserialize(deserializer)? {
            let Some(key) = Key::parse(&name) else { continue };
            settings.set(key, value(key, &json).map_err(D::Error::custom)?);
        }
        Ok(settings)
    }
}

impl Serialize for Can {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, range)| (key.as_str(), range)))
    }
}

impl<'de> Deserialize<'de> for Can {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranges = BTreeMap::<String, Range>::deserialize(deserializer)?;
        Ok(Self(ranges.into_iter().filter_map(|(name, range)| Some((Key::parse(&name)?, range))).collect()))
    }
}
