//! Takes for editors, of real cameras: judged by the clocks that are burned into their pictures.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use syncslate_e2e::browser::Browser;
use syncslate_e2e::judge::PERIOD_US;
use syncslate_e2e::process::{command, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_node::decode::read_pictures;
use syncslate_shared::time::Wall;
use tempfile::TempDir;

/// A take of three cameras whose phases differ, one with pictures from before T0, downloaded.
struct Shot {
    rig: Rig,
    idle: Value,
}

impl Shot {
    fn new(name: &str) -> Self {
        let cameras = ["phase_ms=0", "phase_ms=11", "phase_ms=22.5"];
        let rig = cameras.into_iter().fold(Rig::new(), |rig, camera| rig.node(camera));
        let rig = rig.with("[capture]\npre_roll_s = 0.7\n").up("armed");
        rig.roll(name);
        rig.recorded(1, 45);
        assert_eq!(rig.ask("mark", "he laughs")["ok"], json!(true));
        for i in 1..=3 {
            rig.recorded(i, 180);
        }
        assert_eq!(rig.ask("mark", "the glass falls: too early, look at the left camera")["ok"], json!(true));
        rig.recorded(1, 210);
        let idle = rig.cut();
        for i in 1..=3 {
            rig.finished(i, &idle);
        }
        rig.download(name);
        Self { rig, idle }
    }

    fn name(&self) -> &str {
        self.idle["take"].as_str().unwrap()
    }

    fn time(&self, field: &str) -> Wall {
        Wall::parse(self.idle[field].as_str().unwrap()).unwrap()
    }

    /// A camera's film; `end` is what stands behind the take in its name.
    fn film(&self, ip: Ipv4Addr, end: &str) -> PathBuf {
        let [a, b, c, d] = ip.octets();
        let stamp = &self.idle["id"].as_str().unwrap()[self.name().len() + 1..];
        let file = format!("{}_{a}_{b}_{c}_{d}_{stamp}{end}.mp4", self.name());
        self.rig.downloads().join(self.name()).join("editor").join(file)
    }

    /// What `melt` renders of a film, at 30 frames a second.
    fn rendered(&self, film: &Path, folder: &Path) -> Vec<i64> {
        let project = folder.join("project.mlt");
        let xml = format!(
            "<mlt><profile width=\"640\" height=\"360\" progressive=\"1\" sample_aspect_num=\"1\" sample_aspect_den=\"1\" \
             display_aspect_num=\"16\" display_aspect_den=\"9\" frame_rate_num=\"30\" frame_rate_den=\"1\"/>\
             <producer id=\"film\"><property name=\"resource\">{}</property></producer></mlt>",
            film.display()
        );
        std::fs::write(&project, xml).unwrap();
        let out = folder.join("rendered.mkv");
        let mut melt = command("melt");
        melt.arg("-silent").arg(&project).arg("-consumer").arg(format!("avformat:{}", out.display()));
        melt.args(["vcodec=ffv1", "an=1", "real_time=-1", "terminate_on_pause=1"]);
        melt.env("QT_QPA_PLATFORM", "offscreen").env("SDL_VIDEODRIVER", "dummy");
        let told = melt.output().unwrap();
        assert!(told.status.success(), "{told:?}");
        clocks(&out)
    }
}

/// When the pictures of a file were taken, in microseconds since 1970.
fn clocks(file: &Path) -> Vec<i64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pictures = runtime.block_on(read_pictures(file)).unwrap();
    pictures.iter().map(|picture| picture.code.unwrap().time_ns as i64 / 1000).collect()
}

/// The pictures of one instant lie within a period, whichever cameras they are of.
fn expect_together(films: &[Vec<i64>], what: &str) {
    let ticks = films.iter().map(Vec::len).min().unwrap();
    assert!(ticks > 150, "{ticks} pictures");
    for tick in 0..ticks {
        let at: Vec<_> = films.iter().map(|film| film[tick]).collect();
        let spread = at.iter().max().unwrap() - at.iter().min().unwrap();
        assert!(spread <= PERIOD_US, "{what}: picture {tick}: {spread} µs apart");
    }
}

#[test]
fn films_show_each_picture_when_it_was_taken() {
    let shot = Shot::new("film_01");
    let said = shot.rig.export(shot.name(), &["--conform"]);
    assert!(said.contains(&format!("{}: ", shot.idle["id"].as_str().unwrap())) && !said.contains("no film"), "{said}");
    let mut conformed = Vec::new();
    for ip in shot.rig.ips() {
        let film = shot.film(ip, "");
        let (times, clocks_of) = (shown_us(&film), clocks(&film));
        assert_eq!(times.len(), clocks_of.len());
        for (time, clock) in times.iter().zip(&clocks_of) {
            let away = clock - shot.time("t0").micros() - time;
            assert!(away.abs() <= 1_000, "{}: a picture is shown {away} µs off", film.display());
        }
        assert!(*clocks_of.last().unwrap() < shot.time("t1").micros());
        let constant = clocks(&shot.film(ip, "_conformed"));
        for (tick, clock) in constant.iter().enumerate() {
            let away = clock - shot.time("t0").micros() - tick as i64 * 100_000 / 3;
            assert!(away.abs() <= PERIOD_US / 2 + 1_000 || tick == 0, "tick {tick} is {away} µs off");
        }
        conformed.push(constant);
    }
    expect_together(&conformed, "constant rate");
    assert!(conformed.windows(2).all(|pair| pair[0].len() == pair[1].len()));
    let again = shot.rig.export(shot.name(), &["--conform"]);
    assert!(again.contains("6 films were there already"), "{again}");
}

#[test]
#[ignore = "needs melt, which `make editors` installs"]
fn melt_renders_pictures_of_one_instant() {
    let shot = Shot::new("melt_01");
    shot.rig.export(shot.name(), &[]);
    let folder = TempDir::new().unwrap();
    let films: Vec<_> = shot.rig.ips().iter().map(|ip| shot.rendered(&shot.film(*ip, ""), folder.path())).collect();
    expect_together(&films, "melt");
}

/// The times of a film's shown pictures in microseconds.
fn shown_us(film: &Path) -> Vec<i64> {
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-loglevel", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]);
    let out = ffprobe.arg(film).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let us = |line: &str| (line.trim_end_matches(',').parse::<f64>().unwrap() * 1e6).round() as i64;
    text.split_whitespace().map(us).collect()
}

/// The clocks of what the page shows now.
fn seen(browser: &Browser, folder: &Path) -> Vec<i64> {
    let script = "return [...document.querySelectorAll('video')].map((video) => { \
        const canvas = document.createElement('canvas'); \
        [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight]; \
        canvas.getContext('2d').drawImage(video, 0, 0); return canvas.toDataURL('image/png').split(',')[1]; })";
    let pictures = browser.run(script);
    let clock = |(i, picture): (usize, &Value)| {
        let file = folder.join(format!("{i}.png"));
        let coded = folder.join("coded");
        std::fs::write(&coded, picture.as_str().unwrap()).unwrap();
        let out = command("base64").arg("-d").arg(&coded).output().unwrap();
        std::fs::write(&file, out.stdout).unwrap();
        clocks(&file)[0]
    };
    pictures.as_array().unwrap().iter().enumerate().map(clock).collect()
}

fn expect_shown(browser: &Browser, shot: &Shot, folder: &Path, tick: i64) {
    wait(browser, &format!("return document.getElementById('play').dataset.shown === '{tick}'"));
    let clocks = seen(browser, folder);
    assert_eq!(clocks.len(), 3);
    let spread = clocks.iter().max().unwrap() - clocks.iter().min().unwrap();
    assert!(spread <= PERIOD_US, "frame {tick}: {spread} µs apart: {clocks:?}");
    for clock in clocks {
        // A camera's first picture may come after T0.
        let away = shot.time("t0").micros() + tick * 100_000 / 3 - clock;
        assert!((-PERIOD_US..=PERIOD_US + 1_000).contains(&away), "frame {tick}: {away} µs off");
    }
}

fn wait(browser: &Browser, script: &str) {
    wait_for(script, || browser.run(script) == json!(true));
}

#[test]
fn the_page_makes_films_and_plays_all_cameras_together() {
    let shot = Shot::new("play_01");
    let folder = TempDir::new().unwrap();
    let browser = Browser::phone();
    browser.open(shot.rig.http, "/takes/play_01");
    browser.press("#export");
    made(&browser, "#export-told");
    browser.see("#export-told", "Done.");
    browser.see("#products", ".otio");
    browser.press("#export-play a");
    browser.see("#flags", "he laughs");
    expect_shown(&browser, &shot, folder.path(), 0);
    for tick in 1..=7 {
        browser.press("#on");
        expect_shown(&browser, &shot, folder.path(), tick);
    }
    browser.press("#back");
    expect_shown(&browser, &shot, folder.path(), 6);
    for tick in [150, 31, 97] {
        scrub(&browser, tick);
        expect_shown(&browser, &shot, folder.path(), tick);
    }
    // To the first mark, one camera alone, all again, and playing on from there.
    browser.press("#flags button");
    let shown = "return Number(document.getElementById('scrub').value) > 30";
    wait(&browser, shown);
    browser.press("figure:nth-child(2) button");
    wait(&browser, "return [...document.querySelectorAll('figure')].filter((f) => f.offsetHeight > 0).length === 1");
    browser.press("figure:nth-child(2) button");
    browser.press("#run");
    let begin = browser.run("return Number(document.getElementById('scrub').value)").as_i64().unwrap();
    wait(&browser, &format!("return Number(document.getElementById('scrub').value) > {}", begin + 20));
    // However busy the machine is, films that run come together again and again.
    wait_for("films that run to be together", || {
        let clocks = seen(&browser, folder.path());
        clocks.iter().max().unwrap() - clocks.iter().min().unwrap() <= PERIOD_US
    });
    let wide = browser.run("return document.documentElement.scrollWidth - window.innerWidth");
    assert!(wide.as_i64().unwrap() <= 0, "{wide} pixels too wide");

    // As if these films were too heavy: the page has light ones made, and plays those.
    let record = shot.rig.downloads().join(shot.name()).join("editor");
    let record = record.join(format!("{}_export.json", shot.idle["id"].as_str().unwrap()));
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replace("\"heavy\": false", "\"heavy\": true")).unwrap();
    browser.open(shot.rig.http, "/takes/play_01/play");
    wait(&browser, "return document.getElementById('make-light').offsetHeight > 0");
    browser.press("#make-light");
    made(&browser, "#play-told");
    wait(&browser, "return document.querySelectorAll('video[src$=\"_proxy.mp4\"]').length === 3");
    for tick in [0, 113, 42] {
        scrub(&browser, tick);
        expect_shown(&browser, &shot, folder.path(), tick);
    }
}

/// Waits as long as something is being made and goes on.
fn made(browser: &Browser, told: &str) {
    wait(browser, &format!("return (document.querySelector('{told}')?.innerText ?? '') !== ''"));
    let script = format!(
        "const told = document.querySelector('{told}')?.innerText ?? ''; \
         return /^(Making|Waits)/.test(told) ? told + document.querySelector('progress').value : null"
    );
    let mut last = browser.run(&script);
    while last.is_string() {
        let now = || browser.run(&script);
        wait_for("the export to go on", || now() != last);
        last = now();
    }
}

fn scrub(browser: &Browser, tick: i64) {
    browser.run(&format!(
        "const bar = document.getElementById('scrub'); bar.value = {tick}; bar.dispatchEvent(new Event('input'))"
    ));
}
