//! The operator's page in a real browser, on a real controller with simulated cameras.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use std::time::Duration;

use serde_json::{Value, json};
use syncslate_broker::accounts::hash;
use syncslate_e2e::browser::Browser;
use syncslate_e2e::process::wait_for;
use syncslate_e2e::rig::{Rig, Setup};
use syncslate_shared::time::Wall;

/// The page takes two presses closer together than 0.7 s for one.
const TWO_PRESSES: Duration = Duration::from_millis(900);

fn time(value: &Value) -> Wall {
    Wall::parse(value.as_str().unwrap()).unwrap()
}

fn two() -> Rig {
    Rig::new().node("phase_ms=5").node("phase_ms=19").up("armed")
}

/// Waits for the take to have ended, and expects all of it.
fn expect_whole(rig: &Rig, name: &str) {
    let idle = rig.ear.wait("the take to end", "take/current", |take| {
        (take["state"] == "idle" && take["take"] == name).then(|| take.clone())
    });
    for i in 1..=2 {
        rig.finished(i, &idle).expect_whole(time(&idle["t1"]));
    }
}

#[test]
fn a_shoot_with_the_keyboard_alone() {
    let rig = two();
    let browser = Browser::desktop();
    browser.open(rig.http, "/");
    browser.see(".word", "ARMED");
    browser.fill("#take", "keys_01");
    browser.escape();
    browser.key('r');
    browser.see("#start", "Press R again");
    browser.pause(TWO_PRESSES);
    browser.key('r');
    browser.see(".word", "ROLLING");
    browser.see(".caption", "keys_01");
    rig.recorded(1, 60);
    browser.pause(TWO_PRESSES);
    browser.key('m');
    browser.see("#answer", "Marked 00:00:");
    browser.see(".marks", "00:00:");
    rig.recorded(2, 100);
    browser.key('r');
    browser.pause(TWO_PRESSES);
    browser.key('r');
    browser.see("#answer", "Cut keys_01");
    expect_whole(&rig, "keys_01");
    // To the button that downloads, and what comes of it.
    browser.run("document.getElementById('download').focus()");
    browser.enter();
    browser.see("[data-list=downloads]", "keys_01");
    browser.see("[data-list=downloads] .state", "all here");
    browser.see("[data-list=takes]", "keys_01");
}

#[test]
fn a_shoot_with_a_thumb_on_a_phone() {
    let rig = two();
    let browser = Browser::phone();
    browser.open(rig.http, "/");
    browser.see(".word", "ARMED");
    let wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(wide, json!(0), "nothing lies beside the screen");
    browser.fill("#take", "thumb_01");
    browser.press("#start");
    browser.see(".word", "ROLLING");
    rig.recorded(1, 60);
    browser.pause(TWO_PRESSES);
    browser.fill("#note", "he laughs");
    browser.press("#mark");
    browser.see(".marks", "he laughs");
    rig.recorded(2, 100);
    browser.press("#stop");
    browser.see("#stop", "Press again to cut");
    browser.pause(TWO_PRESSES);
    browser.press("#stop");
    browser.see("#answer", "Cut thumb_01");
    expect_whole(&rig, "thumb_01");
}

#[test]
fn a_note_may_come_after_the_press_and_marks_can_be_mended() {
    let rig = two();
    let (browser, other) = (Browser::phone(), Browser::desktop());
    for browser in [&browser, &other] {
        browser.open(rig.http, "/");
        browser.see(".word", "ARMED");
    }
    rig.roll("noted_03");
    browser.see("#take", "");
    assert_eq!(browser.run("return document.getElementById('take').value"), json!("noted_04"));
    browser.pause(TWO_PRESSES);
    browser.press("#mark");
    browser.see("#note-label", "Note for mark 1 at 00:00:");
    browser.fill("#note", "she laughs");
    browser.enter();
    browser.see(".marks .note", "she laughs");
    browser.see("#note-label", "Note for the next mark");
    other.see(".marks .note", "she laughs");
    // By the keys: M marks, N goes to its note.
    other.key('m');
    other.see("#note-label", "Note for mark 2");
    other.key('n');
    wait_for("the field", || other.run("return document.activeElement.id") == json!("note"));
    for key in "twice".chars() {
        other.key(key);
    }
    other.enter();
    other.see(".marks [data-key='2'] .note", "twice");
    browser.press(".marks [data-key='1'] [data-mark=edit]");
    browser.fill(".marks .edit input", "he laughs");
    browser.press(".marks .edit [type=submit]");
    other.see(".marks [data-key='1'] .note", "he laughs");
    other.press(".marks [data-key='2'] [data-mark=delete]");
    other.see(".marks [data-key='2'] [data-mark=delete]", "Press again");
    other.pause(TWO_PRESSES);
    other.press(".marks [data-key='2'] [data-mark=delete]");
    browser.see(".mark-answer", "");
    wait_for("the mark to be gone", || browser.run("return document.querySelectorAll('.marks li').length") == json!(1));
    rig.recorded(2, 60);
    let idle = rig.cut();
    for i in 1..=2 {
        rig.finished(i, &idle);
    }
    // Also after the cut, and each camera's own list follows.
    assert_eq!(rig.ask("mark", r#"{"n":1,"note":"both laugh"}"#)["ok"], true);
    for ip in rig.ips() {
        wait_for("the camera's list", || {
            let files = std::fs::read_dir(rig.videos(ip)).unwrap().flatten();
            let list = files.map(|file| file.path()).find(|path| path.to_string_lossy().ends_with("_markers.txt"));
            let text = std::fs::read_to_string(list.unwrap()).unwrap();
            text.lines().filter(|line| !line.starts_with('#')).count() == 1 && text.contains("both laugh")
        });
    }
}

/// The page says within this time that the controller is gone.
const SAID_WITHIN: Duration = Duration::from_secs(3);

#[test]
fn a_controller_that_hangs_is_said_within_three_seconds_and_caught_up_with() {
    use rustix::process::Signal;
    let mut rig = Rig::new();
    let browser = Browser::desktop();
    browser.open(rig.http, "/events");
    browser.see(".events", "starts");
    let hidden = |browser: &Browser| browser.run("return document.getElementById('lost').hidden") == json!(true);
    wait_for("the connection", || browser.run("return document.body.classList.contains('stale')") == json!(false));
    // The page keeps the time itself: the driver's own delay is none of its.
    browser.run(
        "window.since = null; new MutationObserver(() => { if (!document.getElementById('lost').hidden) window.said ??= performance.now() - window.since; }).observe(document.getElementById('lost'), {attributes: true})",
    );
    browser.run("window.since = performance.now()");
    // The kernel keeps its sockets open: only the silence tells.
    rig.controller().signal(Signal::STOP);
    browser.see("#lost", "Connection lost");
    let said = browser.run("return window.said").as_f64().unwrap();
    assert!(said < SAID_WITHIN.as_secs_f64() * 1000.0, "said after {said:.0} ms");
    assert_eq!(browser.run("return document.body.classList.contains('stale')"), json!(true));
    rig.controller().signal(Signal::CONT);
    wait_for("the page to be back", || hidden(&browser));
    assert_eq!(rig.ask("stop", "")["ok"], false);
    browser.see(".events", "STOP by MQTT is refused");
}

#[test]
fn two_browsers_see_the_same_and_a_node_that_dies() {
    let mut rig = two();
    let (one, other) = (Browser::desktop(), Browser::phone());
    for browser in [&one, &other] {
        browser.open(rig.http, "/");
        browser.see(".word", "ARMED");
    }
    rig.roll("seen_by_two");
    for browser in [&one, &other] {
        browser.see(".word", "ROLLING");
        browser.see(".caption", "seen_by_two");
    }
    rig.at(2).process.as_mut().unwrap().kill();
    for browser in [&one, &other] {
        // Trouble comes first.
        browser.see(".tiles li:first-child", "not reachable in the middle of the take");
    }
    rig.start_node(2);
    rig.recorded(2, 1);
    rig.kill_controller();
    one.see("#lost", "Connection lost");
    let http = rig.http;
    rig.restart_controller_at(http);
    for browser in [&one, &other] {
        wait_for("the page to be back", || browser.run("return document.getElementById('lost').hidden") == json!(true));
        browser.see(".word", "ROLLING");
    }
    rig.cut();
    other.see(".caption", "seen_by_two");
}

#[test]
fn footage_is_fetched_renamed_freed_and_thrown_away() {
    let rig = two();
    rig.roll("kept_01");
    rig.recorded(1, 60);
    let idle = rig.cut();
    for i in 1..=2 {
        rig.finished(i, &idle);
    }
    let browser = Browser::desktop();
    browser.open(rig.http, "/");
    browser.press("#download");
    browser.see("[data-list=downloads] .state", "all here");
    browser.press("[data-list=takes] a");
    browser.see("h1", "kept_01");

    // The cameras' copies of one camera: two presses.
    let button = format!("button[data-cleanup][data-ip='{}']", rig.ips()[0]);
    browser.press(&button);
    browser.see(&button, "Press again");
    browser.pause(TWO_PRESSES);
    browser.press(&button);
    let left = |i: usize| {
        std::fs::read_dir(rig.videos(rig.ips()[i]))
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(".h264"))
            .count()
    };
    wait_for("the first camera's copies to be gone", || left(0) == 0);
    assert!(left(1) > 0, "the other camera was not asked");

    browser.open(rig.http, "/takes/kept_01");
    browser.fill("#to", "../evil");
    browser.press("#rename");
    browser.see("#to-problem", "cannot hold");
    browser.fill("#to", "best_01");
    browser.press("#rename");
    browser.see("#rename", "Press again");
    browser.pause(TWO_PRESSES);
    browser.press("#rename");
    wait_for("the folder to have its new name", || rig.downloads().join("best_01").is_dir());
    browser.see("h1", "best_01");
    browser.press("#discard");
    browser.see("#discard", "Press again");
    browser.pause(TWO_PRESSES);
    browser.press("#discard");
    browser.see("#told", "In the trash for a week");
    wait_for("the folder to be gone", || !rig.downloads().join("best_01").exists());
}

#[test]
fn with_accounts_the_page_wants_a_login() {
    let [anna, otto] = ["anna's", "otto's"].map(|password| hash(password.as_bytes()).unwrap());
    let settings = format!(
        "[accounts.anna]\nrole = 'operator'\nhash = '{anna}'\n[accounts.otto]\nrole = 'viewer'\nhash = '{otto}'\n"
    );
    let clients = ["-u", "anna", "-P", "anna's"].map(str::to_owned).to_vec();
    let mut rig = Rig::set_up(Setup { settings, clients, ..Setup::default() });
    let browser = Browser::phone();
    browser.open(rig.http, "/takes");
    let log_in = |name: &str, password: &str| {
        browser.fill("#name", name);
        browser.fill("#password", password);
        browser.press(".login button");
    };
    log_in("anna", "a guess");
    browser.see(".login [role=alert]", "do not belong to an account");
    log_in("anna", "anna's");
    browser.see("h1", "Takes");
    browser.open(rig.http, "/");
    browser.see(".word", "STANDBY");
    assert_eq!(browser.run("return document.cookie"), json!(""), "no script can read the session");
    // A restart of the controller does not end the session.
    rig.kill_controller();
    browser.see("#lost", "Connection lost");
    let http = rig.http;
    rig.restart_controller_at(http);
    wait_for("the page to be back", || browser.run("return document.getElementById('lost').hidden") == json!(true));
    browser.press(".visitor button");
    browser.see("h1", "Log in");
    log_in("otto", "otto's");
    browser.see(".word", "STANDBY");
    assert_eq!(browser.run("return getComputedStyle(document.querySelector('.controls')).display"), json!("none"));
    let answer = browser.run(
        "return await fetch('/api/start', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}).then((r) => r.status)",
    );
    assert_eq!(answer, json!(403));
}
