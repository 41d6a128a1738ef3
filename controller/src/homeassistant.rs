//! Home Assistant finds the buttons and the nodes by itself: MQTT discovery, retained configurations below
//! `homeassistant/`. Pure: what is to be said comes back as messages.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use syncslate_shared::time::Mono;

use crate::snapshot::{NodeView, Snapshot};

/// Who Home Assistant's settings belong to: after a restart nodes get so long to be heard of, before what was said of
/// them is taken back. Taken back at once, Home Assistant would forget how its user has arranged them.
const PATIENCE: Duration = Duration::from_secs(60);

/// A retained message; an empty payload takes it back.
pub type Message = (String, Vec<u8>);

/// What Home Assistant is told.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// Where it listens, `homeassistant`; `None` when it is switched off.
    at: Option<String>,
    /// Before our own topics, with its `/`; empty for none.
    prefix: String,
    since: Mono,
    /// What was said; `None` for what an earlier run said.
    said: BTreeMap<String, Option<Vec<u8>>>,
}

impl Discovery {
    /// `at` is where Home Assistant listens, `prefix` what stands before our topics, `before` the topics on which an
    /// earlier run has said something.
    pub fn new(at: Option<String>, prefix: &str, before: Vec<String>, now: Mono) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { at, prefix, since: now, said: before.into_iter().map(|topic| (topic, None)).collect() }
    }

    /// What is to be said now, so that Home Assistant knows what there is.
    pub fn look(&mut self, snapshot: &Snapshot, now: Mono) -> Vec<Message> {
        let wanted = self.at.as_ref().map(|at| self.wanted(at, snapshot)).unwrap_or_default();
        let patient = self.at.is_some() && now.since(self.since) < PATIENCE;
        let gone: Vec<_> = self.said.keys().filter(|topic| !patient && !wanted.contains_key(*topic)).cloned().collect();
        let mut messages: Vec<Message> = Vec::new();
        for topic in gone {
            self.said.remove(&topic);
            messages.push((topic, Vec::new()));
        }
        for (topic, config) in wanted {
            let payload = config.to_string().into_bytes();
            if self.said.get(&topic).and_then(Option::as_ref) != Some(&payload) {
                self.said.insert(topic.clone(), Some(payload.clone()));
                messages.push((topic, payload));
            }
        }
        messages
    }

    /// The topics on which something stands: to be remembered over a restart.
    pub fn topics(&self) -> BTreeSet<String> {
        self.said.keys().cloned().collect()
    }

    fn wanted(&self, at: &str, snapshot: &Snapshot) -> BTreeMap<String, Value> {
        let us = self.id();
        let mut wanted = BTreeMap::new();
        for (component, object, config) in self.controller(snapshot) {
            wanted.insert(format!("{at}/{component}/{us}/{object}/config"), config);
        }
        for node in &snapshot.nodes {
            for (object, config) in self.node(node, snapshot) {
                let ip = underscored(node.ip);
                wanted.insert(format!("{at}/sensor/{us}_{ip}/{object}/config"), config);
            }
        }
        wanted
    }

    /// Two sets on one broker have each their own.
    fn id(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let set: String = self.prefix.trim_end_matches('/').chars().map(safe).collect();
        if set.is_empty() { "syncslate".into() } else { format!("syncslate_{set}") }
    }

    /// Buttons, and what all cameras do.
    fn controller(&self, snapshot: &Snapshot) -> Vec<(&'static str, &'static str, Value)> {
        let (us, prefix) = (self.id(), &self.prefix);
        let about = json!({
            "device": {
                "identifiers": [us], "name": us.replace('_', " ").replacen('s', "S", 1), "manufacturer": "Syncslate",
                "model": "Controller", "sw_version": snapshot.version,
            },
            "origin": {"name": "Syncslate", "sw_version": snapshot.version},
            "availability": [self.up()],
        });
        let button = |word: &str, name: &str, icon: &str| {
            json!({
                "name": name, "unique_id": format!("{us}_{word}"), "icon": icon,
                // An empty object: START names the take by itself.
                "command_topic": format!("{prefix}cmd/{word}"), "payload_press": "{}", "qos": 1, "retain": false,
            })
        };
        let current = format!("{prefix}take/current");
        let configs = [
            ("button", "start", button("start", "Start", "mdi:record")),
            ("button", "stop", button("stop", "Stop", "mdi:stop")),
            ("button", "mark", button("mark", "Mark", "mdi:flag")),
            (
                "binary_sensor",
                "rolling",
                json!({
                    "name": "Rolling", "unique_id": format!("{us}_rolling"), "state_topic": current,
                    "device_class": "running",
                    "value_template": "{{ 'ON' if value_json.state == 'rolling' else 'OFF' }}",
                }),
            ),
            (
                "sensor",
                "take",
                json!({
                    "name": "Take", "unique_id": format!("{us}_take"), "icon": "mdi:movie-open", "state_topic": current,
                    "value_template": "{{ value_json.take }}",
                }),
            ),
        ];
        configs.into_iter().map(|(component, object, config)| (component, object, joined(&about, config))).collect()
    }

    /// A node's sensors.
    fn node(&self, node: &NodeView, snapshot: &Snapshot) -> Vec<(&'static str, Value)> {
        let (us, topic) = (self.id(), format!("{}status/{}", self.prefix, node.ip));
        let status = node.status.as_ref();
        let name = status.map(|status| status.name.clone()).filter(|name| !name.is_empty());
        let unique = format!("{us}_{}", underscored(node.ip));
        let mut device = json!({
            "identifiers": [unique], "name": name.unwrap_or_else(|| node.ip.to_string()), "manufacturer": "Syncslate",
            "via_device": us,
        });
        if let Some(status) = status {
            device["model"] = status.camera.model.clone().unwrap_or_else(|| status.camera.kind.clone()).into();
            device["sw_version"] = status.version.clone().into();
        }
        let there = json!({
            "topic": topic,
            "value_template": "{{ 'offline' if value_json.state == 'offline' else 'online' }}",
        });
        let about = json!({
            "device": device,
            "origin": {"name": "Syncslate", "sw_version": snapshot.version},
            "state_topic": topic,
            "availability": [self.up(), there],
            "availability_mode": "all",
        });
        let states = ["offline", "starting", "standby", "armed", "rolling", "fault"];
        let configs = [
            (
                "state",
                // Offline is one of its states: of it alone the node need not be there.
                json!({
                    "name": "State", "device_class": "enum", "options": states, "icon": "mdi:video",
                    "value_template": "{{ value_json.state }}", "availability": [self.up()],
                }),
            ),
            (
                "disk",
                json!({
                    "name": "Recording time left", "device_class": "duration", "unit_of_measurement": "s",
                    "state_class": "measurement",
                    "value_template": "{{ value_json.disk.record_s_left if value_json.disk else none }}",
                }),
            ),
            (
                "temperature",
                json!({
                    "name": "Temperature", "device_class": "temperature", "unit_of_measurement": "°C",
                    "state_class": "measurement", "value_template": "{{ value_json.temp_c | default(none) }}",
                }),
            ),
            (
                "clock",
                json!({
                    "name": "Clock offset", "unit_of_measurement": "µs", "state_class": "measurement",
                    "icon": "mdi:clock-outline",
                    "value_template": "{{ value_json.clock.offset_us if value_json.clock else none }}",
                }),
            ),
            (
                "dropped",
                json!({
                    "name": "Dropped frames", "state_class": "measurement", "icon": "mdi:filmstrip-off",
                    "value_template": "{{ value_json.dropped | default(none) }}",
                }),
            ),
        ];
        let whole = |(object, mut config): (&'static str, Value)| {
            config["unique_id"] = format!("{unique}_{object}").into();
            (object, joined(&about, config))
        };
        configs.into_iter().map(whole).collect()
    }

    /// Nothing is to be believed while the controller is away.
    fn up(&self) -> Value {
        json!({"topic": format!("{}controller", self.prefix), "value_template": "{{ value_json.state }}"})
    }
}

/// `config` with what it does not say itself from `about`.
fn joined(about: &Value, config: Value) -> Value {
    let mut whole: Map<String, Value> = about.as_object().cloned().unwrap_or_default();
    if let Value::Object(config) = config {
        whole.extend(config);
    }
    Value::Object(whole)
}

fn underscored(ip: Ipv4Addr) -> String {
    ip.to_string().replace('.', "_")
}

#[cfg(test)]
#[path = "homeassistant_tests.rs"]
mod tests;
