//! The slate, filmed: the real page in Chromium, its pictures before three cameras whose stamps are off by what is known.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use syncslate_e2e::browser::Browser;
use syncslate_e2e::film::{Camera, Display};
use syncslate_e2e::process::{command, ours, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use syncslate_shared::time::Wall;

/// The display's first refresh.
const T0: Wall = Wall::from_micros(1_761_220_930_500_000);
/// Not 60: then a camera of 25 frames a second sees but five places of a refresh, over and over.
const REFRESH_US: f64 = 1e6 / 59.8;
const REFRESHES: u32 = 90;
const SCREEN: [usize; 2] = [360, 560];

/// In front, from the left with a soft lens, and from above on a noisy sensor.
const LENSES: [&str; 3] = [
    "scale=-2:340,pad=640:360:(ow-iw)/2:(oh-ih)/2:color=gray,gblur=sigma=0.7,noise=alls=6:allf=t",
    "scale=-2:340,pad=640:360:(ow-iw)/2:(oh-ih)/2:color=gray,\
     perspective=70:40:600:0:40:330:640:360:sense=destination,gblur=sigma=1.4,noise=alls=10:allf=t",
    "scale=-2:300,pad=640:360:(ow-iw)/2:(oh-ih)/2:color=gray,\
     perspective=90:20:560:45:0:340:630:355:sense=destination,eq=brightness=-0.12:contrast=0.7,gblur=sigma=0.9,noise=alls=22:allf=t",
];

fn id(name: &str) -> TakeId {
    TakeId { name: TakeName::new(name).unwrap(), stamp: Stamp::local(T0) }
}

fn camera(i: usize, phase_us: f64, offset_us: i64) -> Camera {
    let ip = Ipv4Addr::new(127, 0, 1, 101 + i as u8);
    Camera { ip, fps: 25.0, phase_us: 70_000.0 + phase_us, exposure_us: 8_000.0, offset_us, lens: LENSES[i] }
}

/// The page, refresh by refresh: its own code draws, the instants are ours.
fn display(rig: &Rig) -> Display {
    let browser = Browser::sized(SCREEN);
    browser.open(rig.http, "/slate");
    browser.see("#take", "No take yet");
    wait_for("the code to be drawn", || {
        browser.run("return document.getElementById('code').width > 200") == json!(true)
    });
    let pictures: Vec<Vec<u8>> = (0..REFRESHES)
        .map(|k| {
            let ms = T0.micros() / 1000 + (f64::from(k) * REFRESH_US / 1000.0).round() as i64;
            browser.run(&format!("dispatchEvent(new CustomEvent('syncslate-refresh', {{detail: {{ms: {ms}}}}}))"));
            browser.shot()
        })
        .collect();
    Display::of(SCREEN, REFRESH_US, &pictures)
}

/// `syncslate-controller verify`: its exit code, what it printed, what it said against it.
fn verify(rig: &Rig, take: &str) -> (Option<i32>, String, String) {
    let mut program = command(ours("syncslate-controller"));
    program.args(["verify", take]).arg("--downloads").arg(rig.downloads()).arg("--state").arg(rig.state());
    let out = program.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

fn light(rig: &Rig, take: &str) -> Value {
    let file = rig.downloads().join(take).join(format!("{}_light.json", id(take)));
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn stamps_that_are_off_are_found_by_filming_the_page() {
    let rig = Rig::new();
    let display = display(&rig);
    let offsets = [0, 7_000, -40_000];
    for (i, (phase, offset)) in [0.0, 11_000.0, 22_500.0].into_iter().zip(offsets).enumerate() {
        camera(i, phase, offset).film(&display, &rig.downloads().join("film"), &id("film"), T0);
    }
    let (code, said, complained) = verify(&rig, "film");
    assert_eq!(code, Some(1), "{said}{complained}");
    assert!(complained.contains("stamps and light differ"), "{complained}");
    let light = light(&rig, "film");
    for (node, offset) in light["nodes"].as_array().unwrap().iter().zip(offsets) {
        let (found, uncertainty) = (node["offset_us"].as_f64().unwrap(), node["uncertainty_us"].as_f64().unwrap());
        let off = (found - offset as f64).abs();
        assert!(off < 4_000.0 && off < uncertainty, "{offset} µs: {node}");
        assert!(uncertainty < 7_000.0, "{node}");
        assert!(node["read"].as_u64() > Some(20), "{node}");
        assert_eq!(node["claim_us"], json!(183.0));
    }
    let verdicts: Vec<_> = light["nodes"].as_array().unwrap().iter().map(|node| node["verdict"].clone()).collect();
    assert_eq!((&verdicts[0], &verdicts[2]), (&json!("agrees"), &json!("differs")), "{said}");
    let refresh = light["showings"][0]["refresh_us"].as_f64().unwrap();
    assert!((refresh - REFRESH_US).abs() < 200.0, "{refresh}");

    // The same by the page.
    std::fs::remove_file(rig.downloads().join("film").join(format!("{}_light.json", id("film")))).unwrap();
    let browser = Browser::phone();
    wait_for("the take in the list", || {
        browser.open(rig.http, "/takes/film");
        browser.text("h1") == "film"
    });
    browser.see("main", "Not checked by light");
    browser.press("button[data-verify]");
    browser.see("main", "Light differs");
    assert_eq!(self::light(&rig, "film")["nodes"], light["nodes"]);
    browser.open(rig.http, "/takes/film/sync");
    let summary = light["summary"].as_str().unwrap();
    assert!(summary.starts_with("stamps and light differ: cam3 is furthest from the middle, −"), "{summary}");
    browser.see("section.light", summary);
}

#[test]
fn a_take_without_a_slate_says_so() {
    let rig = Rig::new();
    for i in 0..2 {
        camera(i, 0.0, 0).film_bars(30, &rig.downloads().join("bare"), &id("bare"), T0);
    }
    let (code, said, complained) = verify(&rig, "bare");
    assert_eq!(code, Some(1), "{said}{complained}");
    assert!(complained.contains("error: no slate was found in 60 pictures"), "{complained}");
    assert!(complained.contains("hint: open /slate"), "{complained}");
    assert_eq!(light(&rig, "bare")["verdict"], json!("unseen"));
    let (code, _, complained) = verify(&rig, "missing");
    assert_eq!(code, Some(1));
    assert!(complained.contains("there is no take missing"), "{complained}");
}
