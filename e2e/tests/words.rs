//! Hostile words: names and notes that would be markup, that turn the writing around, that have no end. They show as
//! text, nothing runs, nothing lies beside the screen.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use serde_json::json;
use syncslate_e2e::browser::Browser;
use syncslate_e2e::process::wait_for;
use syncslate_e2e::rig::Rig;

const NAME: &str = "<script>window.ran=1</script> \u{202e}left 🎥";

fn notes() -> Vec<String> {
    vec![
        "<script>window.ran=2</script>".into(),
        "<img src=x onerror=window.ran=3>".into(),
        "</li></ol><svg onload=window.ran=4>".into(),
        "\u{202e}right to left, and never back".into(),
        "👩‍🎬🎥🏳️‍🌈 emoji".into(),
        "{{note}} ${1+1} &lt;b&gt; 'quoted' \"twice\"".into(),
        "x".repeat(10_000),
        "words ".repeat(1_700),
    ]
}

/// A camera that nobody knows says its name and is not heard again.
fn stranger(rig: &Rig) {
    let mut status = rig.status(1, "a status", |status| Some(status.clone()));
    (status["ip"], status["name"]) = (json!("127.0.1.120"), json!(NAME));
    rig.publish("status/127.0.1.120", status.to_string().as_bytes(), &[]);
}

/// Nothing ran, nothing became an element, nothing lies beside the screen.
fn harmless(browser: &Browser, page: &str) {
    let ran = browser.run("return window.ran ?? null");
    assert_eq!(ran, json!(null), "{page}: a script ran");
    let made = browser.run(
        "return document.querySelectorAll('main script:not([src^=\"/assets/\"]), main img[src=x], main svg').length",
    );
    assert_eq!(made, json!(0), "{page}: a word became an element");
    let wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(wide, json!(0), "{page}: something lies beside the screen");
}

#[test]
fn hostile_names_and_notes_are_text_on_every_page() {
    let rig = Rig::new().node("phase_ms=7").up("armed");
    stranger(&rig);
    rig.roll("words_01");
    for note in notes() {
        let answer =
            rig.ask("mark", json!({"note": note, "id": note.chars().take(20).collect::<String>()}).to_string());
        assert_eq!(answer["ok"], true, "{answer}");
    }
    for browser in [Browser::desktop(), Browser::phone()] {
        browser.open(rig.http, "/");
        browser.see(".word", "ROLLING");
        browser.see(".tiles", "<script>window.ran=1</script>");
        wait_for("all marks", || {
            browser.run("return document.querySelectorAll('.marks li').length") == json!(notes().len())
        });
        for (n, note) in notes().iter().enumerate() {
            let shown = browser
                .run(&format!("return document.querySelector('.marks [data-key=\"{}\"] .note').textContent", n + 1));
            assert_eq!(shown, json!(note));
        }
        harmless(&browser, "/");
        // A note that is edited is put into a field, and kept as it was.
        browser.press(".marks [data-key='2'] [data-mark=edit]");
        browser.see(".marks [data-key='2'] form", "Keep");
        harmless(&browser, "/ while a note is edited");
        browser.press(".marks [data-key='2'] form button[type=submit]");
        browser.see(".mark-answer", "Note of mark 2 kept");
        browser.open(rig.http, "/events");
        browser.see(".events", "<script>window.ran=1</script>");
        browser.see(".events", "onerror=window.ran=3");
        harmless(&browser, "/events");
        browser.open(rig.http, "/about");
        browser.see("main", "<script>window.ran=1</script>");
        harmless(&browser, "/about");
    }
    // T0 waits for the stranger's camera, and may not have come yet.
    rig.recorded(1, 1);
    let idle = rig.cut();
    rig.finished(1, &idle);
    assert_eq!(rig.ask("download", r#"{"take":"words_01"}"#)["ok"], true);
    let list = rig.downloads().join("words_01");
    wait_for("the footage to be here", || {
        std::fs::read_dir(list.join(rig.ips()[0].to_string())).is_ok_and(|dir| dir.count() >= 4)
    });
    let browser = Browser::phone();
    browser.open(rig.http, "/takes/words_01");
    browser.see(".marks", "<svg onload=window.ran=4>");
    harmless(&browser, "/takes/words_01");
}
