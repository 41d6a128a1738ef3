//! Commands as they arrive: what is understood, what is refused and why.

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
    let remark = |take, change| Wish::Remark { take, n: 3, change };
    assert_eq!(wish("mark", r#"{"n":3,"note":"he cries"}"#), remark(None, MarkChange::Note("he cries".into())));
    let of = TakeId::try_from("A01_20251023_140210".to_owned()).unwrap();
    let json = r#"{"n":3,"delete":true,"take":"A01_20251023_140210"}"#;
    assert_eq!(wish("mark", json), remark(Some(of), MarkChange::Delete));
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
        ("mark", r#"{"n":3}"#, Malformed, "goes with `note` or `delete`"),
        ("mark", r#"{"n":-3,"note":""}"#, Malformed, "field `n`"),
        ("mark", r#"{"n":3,"note":"x","delete":true}"#, Malformed, "not both"),
        ("mark", r#"{"n":3,"note":"x","at":"2025-10-23T12:02:10Z"}"#, Malformed, "field `at`"),
        ("mark", r#"{"delete":true}"#, Malformed, "needs `n`"),
        ("mark", r#"{"take":"A01_20251023_140210"}"#, Malformed, "field `take`"),
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
        ("camera", r#"{"segment_s":3601}"#, InvalidSetting, "`segment_s`: 3601 is no whole number between 1 and 3600"),
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
fn an_order_is_for_all_nodes_unless_some_are_named() {
    let wish = |word: &str, payload: &str| Command::read(word, payload.as_bytes()).wish.unwrap();
    let all = Wish::Order { action: Action::Shutdown, nodes: None, force: false };
    assert_eq!(wish("shutdown", ""), all);
    let one = Wish::Order { action: Action::Reboot, nodes: Some(vec![[10, 0, 0, 7].into()]), force: true };
    assert_eq!(wish("reboot", r#"{"nodes":["10.0.0.7"],"force":true,"id":1}"#), one);
    let blink = Wish::Order { action: Action::Identify, nodes: Some(vec![[10, 0, 0, 7].into()]), force: false };
    assert_eq!(wish("identify", r#"{"nodes":["10.0.0.7"]}"#), blink);
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
    assert_eq!(wish(r#"{"match":"10.0.0.7","nodes":null}"#), Wish::Camera { nodes: None, to: like, segment_s: None });
    assert_eq!(wish(r#"{"segment_s":null}"#), Wish::Camera { nodes: None, to: values("{}"), segment_s: Some(None) });
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
        word in "start|stop|mark|download|shutdown|identify|camera|\\PC{0,9}",
        payload in prop::collection::vec(any::<u8>(), 0..80),
        text in "\\{?(\"(take|at|id|note|nodes)\":(\"\\PC{0,5}\"|[0-9]|null|\\[\\]),?){0,3}\\}?",
    ) {
        let _ = Command::read(&word, &payload);
        let _ = Command::read(&word, text.as_bytes());
    }
}
