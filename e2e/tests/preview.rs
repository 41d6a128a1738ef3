//! Live pictures from the camera to the page, while a take rolls, and a camera's own page in a real browser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with a panic that says why")]

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use syncslate_e2e::browser::Browser;
use syncslate_e2e::process::{Process, command, now, send, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_node::decode::read_pictures;
use syncslate_shared::time::{Clocks as _, SystemClocks, Wall};

/// Pictures are made at the lowest priority: on a machine that is busy with others they take their time.
const LONG: Duration = Duration::from_secs(300);
/// The page takes two presses closer together than 0.7 s for one.
const TWO_PRESSES: Duration = Duration::from_millis(900);

/// The child of a node that makes pictures; `None` while nobody looks.
fn maker(node: &Process) -> Option<u32> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", node.id())).into_iter().flatten().flatten();
    let all: String = threads.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok()).collect();
    all.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("image2pipe")
    })
}

fn lease(rig: &Rig, for_s: u32, width: u32) {
    let payload = json!({"nodes": rig.ips(), "fps": 2, "for_s": for_s, "width": width});
    rig.publish("cmd/preview", payload.to_string().as_bytes(), &[]);
}

/// Waits until `condition` holds, longer than for anything that matters to a take.
fn patiently(what: &str, mut condition: impl FnMut() -> bool) {
    let until = now() + LONG;
    while !condition() {
        assert!(now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The next picture that comes while somebody looks so closely, as a file.
fn picture(rig: &Rig, width: u32, file: &Path) {
    let topic = format!("preview/{}", rig.ips()[0]);
    let mut sub = command("mosquitto_sub");
    sub.args(["-h", "127.0.0.1", "-p", &rig.mqtt.to_string(), "-t", &topic, "-C", "1", "-N"]);
    let mut sub = sub.stdout(std::fs::File::create(file).unwrap()).spawn().unwrap();
    let mut asked = None;
    patiently("a picture", || {
        if asked.is_none_or(|asked| now().duration_since(asked) > Duration::from_secs(3)) {
            lease(rig, 6, width);
            asked = Some(now());
        }
        sub.try_wait().unwrap().is_some()
    });
    let jpeg = std::fs::read(file).unwrap();
    assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]), "no picture came");
}

fn size(file: &Path) -> String {
    let mut probe = command("ffprobe");
    probe.args(["-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"]).arg(file);
    String::from_utf8(probe.output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Pictures that the ear has heard.
fn heard(rig: &Rig) -> usize {
    rig.ear.all().iter().filter(|heard| heard.topic.starts_with("preview/")).count()
}

#[test]
fn a_lease_brings_pictures_while_a_take_rolls_and_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jpg");
    let mut rig = Rig::new().node("phase_ms=5").up("armed");
    rig.roll("seen");
    rig.recorded(1, 30);
    let asked = now();
    picture(&rig, 320, &file);
    println!("the first picture came after {:?}", asked.elapsed());
    assert_eq!(size(&file), "mjpeg,320,180");

    // Another one looks closer: he gets the camera's own size, and so does the first one meanwhile.
    patiently("the camera's own size", || {
        picture(&rig, 0, &file);
        size(&file) == "mjpeg,640,360"
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let read = runtime.block_on(read_pictures(&file)).unwrap();
    let code = read[0].code.unwrap_or_else(|| panic!("the picture's clock cannot be read"));
    assert_eq!(code.ip, rig.ips()[0]);
    let age = SystemClocks.wall().since_us(Wall::from_micros((code.time_ns / 1000) as i64));
    println!("its exposure was {} ms before it could be read here", age / 1000);
    assert!((0..300_000_000).contains(&age), "{age} µs");

    // The child that makes them is killed and comes back.
    lease(&rig, 30, 0);
    let mut killed = None;
    patiently("the child", || {
        killed = maker(rig.at(1).process.as_ref().unwrap());
        killed.is_some()
    });
    send(killed.unwrap(), Signal::KILL);
    picture(&rig, 0, &file);
    assert_ne!(maker(rig.at(1).process.as_ref().unwrap()), killed);

    patiently("the end of the lease", || maker(rig.at(1).process.as_ref().unwrap()).is_none());
    rig.ear.clear();
    for _ in 0..2 {
        rig.status(1, "to say something", |status| (status["state"] == "rolling").then_some(()));
        assert_eq!(heard(&rig), 0, "nobody looks any more");
        rig.ear.clear();
    }
    let log = rig.at(1).process.as_ref().unwrap().log.all();
    assert_eq!(log.iter().filter(|line| line.contains("live pictures broke off")).count(), 1, "{log:?}");
    let idle = rig.cut();
    let t1 = Wall::parse(idle["t1"].as_str().unwrap()).unwrap();
    rig.finished(1, &idle).expect_whole(t1);
}

/// Whether something was drawn on a canvas.
fn drawn(browser: &Browser, css: &str) -> bool {
    let script = format!(
        "const c = document.querySelector({}); if (!c?.width) return false;
         return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value > 0)",
        json!(css)
    );
    browser.run(&script) == json!(true)
}

fn number(browser: &Browser, id: &str) -> f64 {
    browser.run(&format!("return Number(document.getElementById('{id}').value)")).as_f64().unwrap_or(0.0)
}

#[test]
fn a_tile_shows_a_picture_and_opens_to_a_full_view() {
    let led = tempfile::tempdir().unwrap();
    for (name, text) in [("trigger", "none [mmc0]"), ("brightness", "0"), ("max_brightness", "255")] {
        std::fs::write(led.path().join(name), text).unwrap();
    }
    let settings = format!("led = '{}'\n", led.path().display());
    let mut rig = Rig::new().node("phase_ms=5").with(&settings).node("phase_ms=19").up("armed");
    let ip = rig.ips()[0];
    let browser = Browser::desktop();
    browser.open(rig.http, "/");
    browser.see(".word", "ARMED");
    let tile = format!(".tile[data-key='{ip}']");
    patiently("a picture in the tile", || drawn(&browser, &format!("{tile} canvas")));
    browser.press(&format!("{tile} .view"));
    browser.see("h1", "cam1");
    patiently("a sharpness", || number(&browser, "sharp") > 0.0);
    patiently("a histogram", || drawn(&browser, "#histogram"));
    browser.see("#clipping", "at black");
    patiently("the camera's own size", || browser.run("return document.getElementById('picture').width") == json!(640));
    assert!(number(&browser, "peak") >= number(&browser, "sharp"));
    for aid in ["thirds", "safe", "zebra", "crop"] {
        browser.press(&format!("[data-aid={aid}]"));
        assert_eq!(
            browser.run(&format!("return document.getElementById('stage').hasAttribute('data-{aid}')")),
            json!(true)
        );
    }
    browser.press("#identify");
    browser.see("#ordered", "blinks");
    wait_for("the LED to shine", || std::fs::read_to_string(led.path().join("brightness")).unwrap() == "255");

    browser.escape();
    browser.see(".word", "ARMED");
    wait_for("the focus to be back", || {
        browser.run("return document.activeElement.getAttribute('href')") == json!(format!("/nodes/{ip}"))
    });
    // Who leaves looks no more.
    browser.open(rig.http, "/healthz");
    for i in 1..=2 {
        wait_for("the lease to end", || maker(rig.at(i).process.as_ref().unwrap()).is_none());
    }
    rig.ear.clear();
    for i in 1..=2 {
        rig.status(i, "to say something", |status| (status["state"] == "armed").then_some(()));
    }
    assert_eq!(heard(&rig), 0);
    wait_for("the LED to be as it was", || std::fs::read_to_string(led.path().join("trigger")).unwrap() == "mmc0");
}

#[test]
fn a_camera_computer_is_not_turned_off_by_accident() {
    let rig = Rig::new().node("phase_ms=5").with("[power]\nreboot = ['true']\n").up("armed");
    let browser = Browser::phone();
    browser.open(rig.http, &format!("/nodes/{}", rig.ips()[0]));
    browser.see("h1", "cam1");
    let wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(wide, Value::from(0), "nothing lies beside the screen");
    rig.roll("safe");
    let twice = || {
        browser.press("#reboot");
        browser.see("#reboot", "Press again");
        browser.pause(TWO_PRESSES);
        browser.press("#reboot");
    };
    twice();
    browser.see("#ordered", "is rolling: STOP it first");
    rig.cut();
    twice();
    browser.see("#ordered", "comes back by itself");
    // This machine has no LED of a Pi.
    browser.press("#identify");
    browser.see("#ordered", "no LED");
}
