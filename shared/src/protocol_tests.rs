//! The contract's own examples, read and written again; bad payloads with their messages.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const TAKE: &str = r#"{"v":1,"state":"rolling","take":"test_001_windy","id":"test_001_windy_20251023_140210","stamp":"20251023_140210",
 "t0":"2025-10-23T12:02:10.500000Z","t1":null,"segment_s":60,"nodes":["192.168.1.101","192.168.1.102"]}"#;

const STATUS: &str = r#"{"v":1,"ip":"192.168.1.101","name":"left","state":"armed","take":null,"frames":0,"dropped":0,"fps":30.0,"segment":null,"bytes":0,
 "skew_us":null,"clock":{"source":"chrony","synced":true,"offset_us":-12,"error_us":85},
 "disk":{"free_bytes":51234567890,"record_s_left":13210},"temp_c":51.2,"throttled":false,
 "camera":{"kind":"rpicam","model":"imx477","width":1920,"height":1080,"fps":30.0,"start_ms":900,"ring_s":4.0},
 "fault":null,"version":"0.1.0","booted":"2025-10-23T11:00:00.000000Z","at":"2025-10-23T12:02:10.600000Z"}"#;

fn same(text: &str, written: &[u8]) {
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), serde_json::from_slice::<Value>(written).unwrap());
}

#[test]
fn the_contracts_examples_are_read_and_written_again() {
    let current: CurrentTake = read(TAKE.as_bytes()).unwrap();
    same(TAKE, &write(&current));
    assert_eq!(CurrentTake::of(current.take().unwrap().as_ref()), current);
    let StatusMessage::Node(node) = StatusMessage::read(STATUS.as_bytes()).unwrap() else { panic!("a node") };
    // An older node's status lacks what was added since.
    let mut newer: Value = serde_json::from_str(STATUS).unwrap();
    newer["findings"] = json!([]);
    newer["aes"] = json!(false);
    newer["camera"]["pending"] = json!(false);
    for unknown in ["actual", "bitrate", "can", "phase", "wished"] {
        newer["camera"][unknown] = Value::Null;
    }
    newer["drops"] = json!({"camera":0,"encoder":0,"gaps":0});
    newer["disk"]["slowest_ms"] = Value::Null;
    newer["disk"]["waiting_bytes"] = Value::Null;
    same(&newer.to_string(), &write(&node));
    let will = r#"{"v":1,"ip":"192.168.1.101","state":"offline"}"#;
    same(will, &write(&Departed::of(node.ip)));
    assert_eq!(StatusMessage::read(will.as_bytes()), Ok(StatusMessage::Departed(Departed::of(node.ip))));
}

#[test]
fn before_the_first_take_everything_else_is_null() {
    let none = CurrentTake::of(None);
    same(
        r#"{"v":1,"state":"idle","take":null,"id":null,"stamp":null,"t0":null,"t1":null,"segment_s":null,"nodes":null}"#,
        &write(&none),
    );
    assert_eq!(none.take(), Ok(None));
}

#[test]
fn bad_payloads_name_the_field() {
    let table: [(&str, Value, &str); 6] = [
        ("state", json!("running"), "field `state`: unknown variant `running`"),
        ("id", json!("nonsense"), "field `id`"),
        ("t0", json!("yesterday"), "field `t0`: `yesterday` is no RFC 3339 time"),
        ("segment_s", json!(-1), "field `segment_s`"),
        ("nodes", json!(["cam1"]), "field `nodes[0]`"),
        ("take", json!("../x"), "field `take`"),
    ];
    for (field, value, reason) in table {
        let mut json: Value = serde_json::from_str(TAKE).unwrap();
        json[field] = value;
        let error = read::<CurrentTake>(json.to_string().as_bytes()).unwrap_err();
        assert!(error.contains(reason), "{field}: {error}");
        json.as_object_mut().unwrap().remove(field);
        let error = read::<CurrentTake>(json.to_string().as_bytes()).unwrap_err();
        assert!(error.contains(&format!("missing field `{field}`")), "{field}: {error}");
    }
}

#[test]
fn contradictions_are_errors() {
    let table: [(&str, Value, &str); 5] = [
        ("t1", json!("2025-10-23T12:02:11Z"), "a rolling take has none"),
        ("t0", Value::Null, "a take has one"),
        ("stamp", json!("20251023_140211"), "is not the fields"),
        ("segment_s", json!(0), "at least 1 s"),
        ("v", json!(2), "version 2 is not 1"),
    ];
    for (field, value, reason) in table {
        let mut json: Value = serde_json::from_str(TAKE).unwrap();
        json[field] = value;
        let error = read::<CurrentTake>(json.to_string().as_bytes()).unwrap().take().unwrap_err();
        assert!(error.contains(reason), "{field}: {error}");
    }
}

proptest! {
    #[test]
    fn no_payload_makes_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..600, flip in 0usize..600) {
        let _ = StatusMessage::read(&bytes);
        let _ = read::<Marks>(&bytes);
        let _ = read::<Download>(&bytes);
        for example in [TAKE, STATUS] {
            let mut text = example.as_bytes().to_vec();
            let at = flip % text.len();
            text[at] = text[at].wrapping_add(1);
            let _ = read::<CurrentTake>(&text).map(|t| t.take());
            let _ = StatusMessage::read(&text[..cut.min(text.len())]);
        }
    }
}
