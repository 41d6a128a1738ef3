//! Every wrong command: its code, and nothing changed.

use syncslate_shared::command::ErrorCode::{self, *};

use serde_json::{Value, json};

use crate::event::{Effect, Event};
use crate::kit::{NOON, Rig, answer, ip};

/// The rig's state that commands could change.
fn state(rig: &Rig) -> (crate::journal::Journal, String) {
    let mut snapshot = rig.desk.snapshot(rig.now().wall);
    snapshot.notices.clear();
    (rig.kept.clone(), serde_json::to_string(&snapshot).unwrap())
}

#[test]
fn wrong_commands_are_refused_with_their_code_and_change_nothing() {
    let at = |us: i64| format!(r#"{{"at":"{}"}}"#, syncslate_shared::time::Wall::from_micros(NOON + us));
    let big = "x".repeat(10_000_000);
    let idle: &[(&str, &str, ErrorCode)] = &[
        ("start", "../../etc/passwd", InvalidTakeName),
        ("start", "two words", InvalidTakeName),
        ("start", "-rf", InvalidTakeName),
        ("start", r#"{"take":"a/b"}"#, InvalidTakeName),
        ("start", r#"{"take":7}"#, Malformed),
        ("start", "{", Malformed),
        ("start", r#"{"at":"soon"}"#, Malformed),
        ("start", &big, Malformed),
        ("start", &at(-9_000_000), TooLate),
        ("start", &at(90_000_000_000), Malformed),
        ("stop", "", NotRolling),
        ("stop", "now", Malformed),
        ("mark", "x", NotRolling),
        ("mark", &big, Malformed),
        ("download", "../x", InvalidTakeName),
        ("download", r#"{"nodes":["10.9.9.9"]}"#, NoNodes),
        ("download", r#"{"nodes":[]}"#, NoNodes),
        ("download", r#"{"delete_after_verify":true}"#, Malformed),
        ("dance", "", Malformed),
        ("", "", Malformed),
        ("start/now", "", Malformed),
    ];
    let rolling: &[(&str, &str, ErrorCode)] = &[
        ("start", "B", AlreadyRolling),
        ("start", "", AlreadyRolling),
        ("stop", &at(-5_000_000), TooLate),
        ("stop", &at(60_000_000), Malformed),
        ("mark", &at(-5_000_000), TooLate),
        ("mark", &at(60_000_000), Malformed),
        ("download", "A", Busy),
    ];
    for (start, table) in [(None, idle), (Some("A"), rolling)] {
        let mut rig = Rig::new(2);
        if let Some(name) = start {
            assert!(rig.command("start", name).ok);
        }
        for (word, payload, code) in table {
            let shown: String = payload.chars().take(50).collect();
            let before = state(&rig);
            let (found, message) = rig.refused(word, payload);
            assert_eq!(found, *code, "{word} {shown}: {message}");
            assert!(!message.is_empty());
            assert_eq!(state(&rig), before, "{word} {shown}");
        }
    }
}

#[test]
fn without_a_node_that_can_record_there_is_no_take() {
    assert_eq!(Rig::new(0).refused("start", "A").0, NoNodes);
    assert_eq!(Rig::new(0).refused("download", "").0, NoNodes);
    let mut rig = Rig::new(0);
    rig.node(1, "fault", 900, 0.0);
    assert_eq!(rig.refused("start", "A").0, NotReady);
    rig.pass(12_001);
    assert_eq!(rig.refused("start", "A").0, NoNodes);
}

#[test]
fn a_retained_command_is_answered_cleared_and_its_echo_starts_nothing() {
    let mut rig = Rig::new(1);
    let before = state(&rig);
    let effects = rig.message("cmd/start", "", true);
    assert!(effects.contains(&Effect::Clear { topic: "cmd/start".into() }));
    assert_eq!(answer(&effects).error.unwrap().code, Retained);
    assert_eq!(rig.message("cmd/start", "", false), [], "the echo of the clearing");
    assert_eq!(state(&rig), before);
    assert!(rig.command("start", "").ok, "a true empty START");
}

#[test]
fn a_retained_command_that_the_broker_turned_away_is_answered() {
    let mut rig = Rig::new(1);
    let before = state(&rig);
    let payload = br#"{"take":"A","id":7}"#.as_slice().into();
    let result = answer(&rig.on(Event::RetainRefused { topic: "cmd/start".into(), payload }));
    assert_eq!((result.id, result.error.unwrap().code), (Some(7.into()), Retained));
    assert_eq!(state(&rig), before);
}

#[test]
fn our_own_voice_is_no_command() {
    let mut rig = Rig::new(1);
    for topic in ["cmd/result", "cmd/preview", "take/current", "controller", "nonsense"] {
        assert_eq!(rig.message(topic, r#"{"ok":true}"#, false), [], "{topic}");
    }
}

#[test]
fn doubled_commands_are_answered_twice_and_obeyed_once() {
    let mut rig = Rig::new(1);
    assert!(rig.command("start", "A").ok);
    assert_eq!(rig.refused("start", "A").0, AlreadyRolling);
    assert!(rig.command("stop", "").ok);
    assert_eq!(rig.refused("stop", "").0, NotRolling);
}

#[test]
fn a_journal_that_cannot_be_written_is_said_and_the_take_goes_on() {
    let mut rig = Rig::new(1);
    assert!(rig.command("start", "A").ok);
    let effects = rig.on(Event::Kept(Err("the disk is full".into())));
    assert_eq!(effects, [Effect::Warn("the disk is full".into())]);
    assert_eq!(rig.on(Event::Kept(Err("the disk is full".into()))), [], "once");
    assert_eq!(rig.desk.snapshot(rig.now().wall).notices, ["the disk is full"]);
    rig.on(Event::Kept(Ok(())));
    assert!(rig.desk.snapshot(rig.now().wall).notices.is_empty());
    assert!(rig.take().nodes.unwrap().contains(&ip(1)));
}

/// A node whose clock is not right, as it says itself.
fn unready(rig: &mut Rig, n: u8) {
    let mut words = crate::kit::status(n, "armed", 900, 4.0, rig.now().wall, &Value::Null);
    words["findings"] =
        json!([{"level":"warning","code":"clock_off","message":"the clock is +7.0 ms off","remedy":"wait"}]);
    rig.message(&format!("status/{}", ip(n)), words.to_string(), false);
}

#[test]
fn a_start_warns_of_what_is_not_ready() {
    let mut rig = Rig::new(2);
    unready(&mut rig, 2);
    let answer = rig.command("start", "A01");
    assert!(answer.ok);
    assert_eq!(answer.warnings, ["left (192.168.1.102): the clock is +7.0 ms off"]);
    assert!(rig.command("stop", "").warnings.is_empty());
}

#[test]
fn a_start_is_refused_where_the_set_must_be_ready() {
    let mut rig = Rig::strict(2, vec![ip(1), ip(3)]);
    let (code, why) = rig.refused("start", "A01");
    assert_eq!(code, NotReady);
    assert!(why.contains("192.168.1.103: it belongs to the set, and is not reachable"), "{why}");
    rig.node(3, "armed", 900, 4.0);
    unready(&mut rig, 2);
    let (code, why) = rig.refused("start", "A01");
    assert!(code == NotReady && why.contains("the clock is +7.0 ms off"), "{why}");
    assert_eq!(rig.take().take, None);
    let forced = rig.command("start", r#"{"take":"A01","force":true}"#);
    assert!(forced.ok && forced.warnings.len() == 1, "{forced:?}");
    assert_eq!(rig.refused("start", "A02").0, AlreadyRolling);
}
