//! What Home Assistant is told: only keys that its documentation names, nothing twice, and all of it taken back.

use syncslate_shared::time::{Clocks as _, Wall};

use super::*;
use crate::kit::{NOON, Rig};

/// The keys of <https://www.home-assistant.io/integrations/mqtt/> (discovery), `button.mqtt`, `sensor.mqtt` and
/// `binary_sensor.mqtt`, as far as there is a use for them here.
const COMMON: [&str; 7] = ["availability", "availability_mode", "device", "icon", "name", "origin", "unique_id"];
const BUTTON: [&str; 4] = ["command_topic", "payload_press", "qos", "retain"];
const SENSOR: [&str; 6] =
    ["device_class", "options", "state_class", "state_topic", "unit_of_measurement", "value_template"];
const BINARY_SENSOR: [&str; 3] = ["device_class", "state_topic", "value_template"];
const DEVICE: [&str; 6] = ["identifiers", "manufacturer", "model", "name", "sw_version", "via_device"];

fn discovery(rig: &Rig, on: bool, prefix: &str, before: &[&str]) -> Discovery {
    let before = before.iter().map(|topic| (*topic).to_owned()).collect();
    Discovery::new(on.then(|| "homeassistant".to_owned()), prefix, before, rig.clocks.mono())
}

fn look(discovery: &mut Discovery, rig: &Rig) -> Vec<Message> {
    discovery.look(&rig.desk.snapshot(Wall::from_micros(NOON)), rig.clocks.mono())
}

#[test]
fn only_documented_keys_are_said_and_each_thing_has_an_id_of_its_own() {
    let rig = Rig::new(2);
    let messages = look(&mut discovery(&rig, true, "stage/left", &[]), &rig);
    assert_eq!(messages.len(), 5 + 2 * 5);
    let mut ids = BTreeSet::new();
    for (topic, payload) in messages {
        let levels: Vec<_> = topic.split('/').collect();
        let ["homeassistant", component, node, object, "config"] = levels[..] else { panic!("{topic}") };
        let safe = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        assert!(safe(node) && safe(object), "{topic}");
        let own: &[&str] = match component {
            "button" => &BUTTON,
            "sensor" => &SENSOR,
            "binary_sensor" => &BINARY_SENSOR,
            other => panic!("{other}"),
        };
        let config: Value = serde_json::from_slice(&payload).unwrap();
        for key in config.as_object().unwrap().keys() {
            assert!(COMMON.contains(&key.as_str()) || own.contains(&key.as_str()), "{topic}: {key}");
        }
        for key in config["device"].as_object().unwrap().keys() {
            assert!(DEVICE.contains(&key.as_str()), "{topic}: device.{key}");
        }
        assert!(ids.insert(config["unique_id"].as_str().unwrap().to_owned()), "{topic}");
        for topic in ["command_topic", "state_topic"].iter().filter_map(|key| config[*key].as_str()) {
            let known = topic.strip_prefix("stage/left/").and_then(syncslate_shared::topic::Topic::parse);
            assert!(known.is_some_and(|known| known.row().is_some()), "{topic}");
        }
        for availability in config["availability"].as_array().unwrap() {
            assert_eq!(availability.as_object().unwrap().keys().collect::<Vec<_>>(), ["topic", "value_template"]);
        }
    }
}

#[test]
fn what_changed_is_said_again_and_what_is_gone_is_taken_back() {
    let mut rig = Rig::new(1);
    let mut on = discovery(&rig, true, "", &["homeassistant/sensor/syncslate_10_0_0_9/state/config"]);
    assert_eq!(look(&mut on, &rig).len(), 10);
    assert_eq!(look(&mut on, &rig), []);
    rig.node(2, "armed", 900, 4.0);
    assert_eq!(look(&mut on, &rig).len(), 5);
    rig.pass(59_000);
    assert_eq!(look(&mut on, &rig), [], "a node of before may be on its way");
    rig.pass(2_000);
    let gone = look(&mut on, &rig);
    assert_eq!(gone, [("homeassistant/sensor/syncslate_10_0_0_9/state/config".to_owned(), Vec::new())]);
    let topics: Vec<String> = on.topics().into_iter().collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut off = discovery(&rig, false, "", &topics);
    let gone = look(&mut off, &rig);
    assert!(gone.len() == 15 && gone.iter().all(|(_, payload)| payload.is_empty()), "{gone:?}");
    assert_eq!(look(&mut off, &rig), []);
    assert!(off.topics().is_empty());
}
