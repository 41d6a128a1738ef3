//! Commands by POST: what is passed on, what is refused, and with which status.

use serde_json::Value;
use syncslate_shared::command::{ErrorCode, Refusal, Wish};
use syncslate_shared::take::TakeName;

use crate::client::{Answer, Site};
use crate::stage::{T0, armed, id};

/// Posts and answers like a controller would, with `outcome` unless the command cannot be read.
pub(crate) async fn answered(word: &str, body: &str, outcome: Result<(), Refusal>) -> (Answer, Result<Wish, Refusal>) {
    let mut site = Site::open(armed(2)).await;
    let mut requests = std::mem::replace(&mut site.stage.requests, tokio::sync::mpsc::channel(1).1);
    let controller = async {
        let request = requests.recv().await.unwrap();
        let wish = request.command.wish.clone();
        let outcome = wish.clone().and(outcome).map(|()| Some(id("A01", T0)));
        request.answer.send(request.command.answer(outcome, T0)).unwrap();
        wish
    };
    let path = format!("/api/{word}");
    tokio::join!(site.post(&path, body), controller)
}

#[tokio::test]
async fn a_command_goes_the_way_of_all_commands_and_its_answer_comes_back() {
    let (answer, wish) = answered("start", r#"{"take":"A01","id":7}"#, Ok(())).await;
    assert_eq!(wish, Ok(Wish::Start { take: Some(TakeName::new("A01").unwrap()), at: None, force: false }));
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!((&json["id"], &json["cmd"], &json["ok"]), (&7.into(), &"start".into(), &true.into()));
    assert_eq!(json["take"], id("A01", T0).to_string());

    let (answer, wish) = answered("stop", "", Ok(())).await;
    assert_eq!((answer.status, wish), (200, Ok(Wish::Stop { at: None })));
    let (_, wish) = answered("mark", "{\"note\":\"<script>\"}", Ok(())).await;
    assert_eq!(wish, Ok(Wish::Mark { at: None, note: "<script>".into() }));
    let (_, wish) = answered("download", "{}", Ok(())).await;
    assert_eq!(wish, Ok(Wish::Download { take: None, nodes: None, stamp: None, delete_after_verify: false }));
}

#[tokio::test]
async fn every_refusal_has_its_status() {
    let table = [
        (ErrorCode::Malformed, 400),
        (ErrorCode::Retained, 400),
        (ErrorCode::InvalidTakeName, 400),
        (ErrorCode::UnknownTake, 404),
        (ErrorCode::UnknownMark, 404),
        (ErrorCode::AlreadyRolling, 409),
        (ErrorCode::NotRolling, 409),
        (ErrorCode::TooLate, 409),
        (ErrorCode::Busy, 409),
        (ErrorCode::NoNodes, 503),
        (ErrorCode::NotReady, 503),
        (ErrorCode::Internal, 500),
    ];
    for (code, status) in table {
        let (answer, _) = answered("start", "{}", Err(Refusal::new(code, "a reason"))).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code.as_str()));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_too() {
    for (word, body, code) in [
        ("start", r#"{"take":"../x"}"#, "invalid_take_name"),
        ("start", r#"{"take":7}"#, "malformed"),
        ("mark", "{", "malformed"),
        ("stop", r#"{"at":"noon"}"#, "malformed"),
    ] {
        let (answer, _) = answered(word, body, Ok(())).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{word} {body}");
    }
}

#[tokio::test]
async fn the_door_itself_refuses_what_no_page_of_ours_sends() {
    let site = Site::open(armed(2)).await;
    let json = "Content-Type: application/json";
    let own = format!("Origin: http://{}", site.at);
    let large = format!("{{\"note\":\"{}\"}}", "x".repeat(70_000));
    let table: [(&[&str], &str, u16, &str); 8] = [
        (&[json, "Origin: http://evil.example"], "{}", 403, "forbidden"),
        (&[json, "Origin: null"], "{}", 403, "forbidden"),
        (&["Content-Type: text/plain", &own], "{}", 415, "malformed"),
        (&["Content-Type: application/x-www-form-urlencoded"], "take=A01", 415, "malformed"),
        (&[], "{}", 415, "malformed"),
        (&[json], "A01", 400, "malformed"),
        (&[json], "[1]", 400, "malformed"),
        (&[json], &large, 413, "malformed"),
    ];
    for (headers, body, status, code) in table {
        let answer = site.ask("POST", "/api/start", headers, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{headers:?}");
    }
    // A body whose length is not announced is cut off as soon as it is too long.
    let chunk = format!("11170\r\n{}\r\n0\r\n\r\n", "x".repeat(0x11170));
    let answer = site.ask("POST", "/api/start", &[json, "Transfer-Encoding: chunked", "", &chunk], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "malformed"));
}

#[tokio::test]
async fn a_controller_that_is_gone_is_said() {
    let mut site = Site::open(armed(2)).await;
    site.stage.requests.close();
    let answer = site.post("/api/stop", "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
}
