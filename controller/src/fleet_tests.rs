//! Presence: words, wills, silence, and what cannot be read.

use serde_json::{Value, json};
use syncslate_shared::protocol::NodeState;

use crate::event::Effect;
use crate::kit::{NOON, Rig, ip, status};

fn state(rig: &Rig, n: u8) -> NodeState {
    let nodes = rig.desk.snapshot(rig.now().wall).nodes;
    nodes.iter().find(|node| node.ip == ip(n)).map_or(NodeState::Offline, |node| node.state)
}

#[test]
fn a_node_is_gone_by_its_will_or_by_silence() {
    let mut rig = Rig::new(2);
    rig.message(&format!("status/{}", ip(1)), json!({"v":1,"ip":ip(1),"state":"offline"}).to_string(), false);
    assert_eq!((state(&rig, 1), state(&rig, 2)), (NodeState::Offline, NodeState::Armed));
    rig.pass(11_999);
    assert_eq!(state(&rig, 2), NodeState::Armed);
    let effects = rig.pass(2);
    assert_eq!(state(&rig, 2), NodeState::Offline);
    assert!(effects.contains(&Effect::Depart { ip: ip(2) }));
    rig.node(2, "rolling", 900, 4.0);
    rig.pass(2_999);
    assert_eq!(state(&rig, 2), NodeState::Rolling);
    rig.pass(2);
    assert_eq!(state(&rig, 2), NodeState::Offline, "a rolling node speaks every second");
}

#[test]
fn setting_the_wall_clock_makes_nobody_offline() {
    let mut rig = Rig::new(1);
    rig.clocks.step_us(86_400_000_000);
    rig.pass(1_003);
    assert_eq!(state(&rig, 1), NodeState::Armed);
}

#[test]
fn an_old_word_that_the_broker_kept_is_no_presence() {
    let mut rig = Rig::new(0);
    let old = syncslate_shared::time::Wall::from_micros(NOON - 60_000_000);
    let topic = format!("status/{}", ip(1));
    let effects = rig.message(&topic, status(1, "armed", 900, 4.0, old, &Value::Null).to_string(), true);
    assert_eq!(state(&rig, 1), NodeState::Offline);
    assert!(effects.contains(&Effect::Depart { ip: ip(1) }), "and it is said in its place");
    rig.message(&topic, status(1, "armed", 900, 4.0, rig.now().wall, &Value::Null).to_string(), true);
    assert_eq!(state(&rig, 1), NodeState::Armed);
}

#[test]
fn what_cannot_be_read_is_said_once() {
    let mut rig = Rig::new(0);
    let topic = format!("status/{}", ip(1));
    let warnings = |effects: Vec<Effect>| {
        let text = |e: Effect| if let Effect::Warn(text) = e { Some(text) } else { None };
        effects.into_iter().filter_map(text).collect::<Vec<_>>()
    };
    let mut broken = status(1, "armed", 900, 4.0, rig.now().wall, &Value::Null);
    broken["fps"] = json!("many");
    let said = warnings(rig.message(&topic, broken.to_string(), false));
    assert!(said[0].contains("192.168.1.101") && said[0].contains("field `fps`"), "{said:?}");
    assert_eq!(warnings(rig.message(&topic, broken.to_string(), false)), [""; 0]);
    broken["fps"] = json!([]);
    assert_eq!(warnings(rig.message(&topic, broken.to_string(), false)).len(), 1);
    let stranger = status(2, "armed", 900, 4.0, rig.now().wall, &Value::Null);
    let said = warnings(rig.message(&topic, stranger.to_string(), false));
    assert!(said[0].contains("field `ip`"), "{said:?}");
    assert!(warnings(rig.message("status/left", "{}", false))[0].contains("no IPv4 address"));
    assert!(rig.desk.snapshot(rig.now().wall).nodes.is_empty());
}

#[test]
fn absurd_figures_hold_up_nobody() {
    let mut rig = Rig::new(1);
    rig.node(2, "armed", 900, 1e300);
    rig.node(3, "armed", 900, -7.0);
    rig.node(4, "standby", u64::MAX, 0.0);
    assert!(rig.command("start", "A").ok);
    assert!(rig.take().t0.unwrap().since_us(rig.now().wall) < 32_000_000);
}
