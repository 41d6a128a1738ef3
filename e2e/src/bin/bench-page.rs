//! What the operator's page costs, in a real browser at a real controller with thirty nodes that talk: bytes and time
//! until it can be used, and the time from a node's word to the changed page. `bench-page [NODES] [EVENTS]`: 30 and 300.

#![expect(clippy::print_stdout, reason = "it prints its table")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::time::Duration;

use serde_json::{Value, json};
use syncslate_e2e::browser::Browser;
use syncslate_e2e::crowd::Crowd;
use syncslate_e2e::figures::{median, percent};
use syncslate_e2e::process::wait_for;
use syncslate_e2e::rig::Rig;
use syncslate_shared::time::{Clocks as _, SystemClocks};

/// So many first looks, each without a cache.
const LOOKS: usize = 9;

/// Times in milliseconds by the browser's clock, which is this machine's.
const FIRST_LOOK: &str = "
    const [page] = performance.getEntriesByType('navigation');
    const entries = [page, ...performance.getEntriesByType('resource')];
    const bytes = entries.reduce((sum, entry) => sum + entry.transferSize, 0);
    return {bytes, ready: page.domContentLoadedEventEnd, whole: page.loadEventEnd, requests: entries.length};";

/// Notes when each number of frames is first seen in the tile of the node that changes.
const WATCH: &str = "
    window.seen = {};
    new MutationObserver(() => {
        const at = performance.timeOrigin + performance.now();
        for (const found of document.querySelector('.tiles').innerText.matchAll(/7[\\d,\\u202f ]{6,9}/g)) {
            window.seen[found[0].replace(/\\D/g, '')] ??= at;
        }
    }).observe(document.querySelector('.tiles'), {subtree: true, childList: true, characterData: true});";

fn main() {
    let mut words = std::env::args().skip(1);
    let nodes: u8 = words.next().map_or(30, |word| word.parse().unwrap());
    let events: usize = words.next().map_or(300, |word| word.parse().unwrap());
    let rig = Rig::new();
    let crowd = Crowd::join(rig.mqtt, nodes);
    let topic = format!("status/{}", crowd.ips().last().unwrap());
    rig.ear.wait("the last node to be known", &topic, |_| Some(()));

    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        let browser = Browser::phone();
        browser.open(rig.http, "/");
        wait_for("the page to be whole", || browser.run(FIRST_LOOK)["whole"].as_f64().is_some_and(|ms| ms > 0.0));
        looks.push(browser.run(FIRST_LOOK));
    }
    let of = |key: &str| median(&looks.iter().map(|look| look[key].as_f64().unwrap()).collect::<Vec<_>>());
    println!("the first look at {nodes} nodes, medians of {LOOKS}");
    println!("  bytes                     {:>8.0} in {} requests", of("bytes"), of("requests"));
    println!("  until it can be used, ms  {:>8.0}", of("ready"));
    println!("  until all is there, ms    {:>8.0}", of("whole"));

    let rolling = rig.roll("bench_page");
    for i in 0..usize::from(nodes) {
        crowd.change(i, &json!({"state": "rolling", "take": rolling["id"], "frames": 100, "segment": 0}));
    }
    let browser = Browser::desktop();
    browser.open(rig.http, "/");
    browser.see(".word", "ROLLING");
    browser.run(WATCH);
    let mut said = Vec::new();
    for event in 0..events {
        // All others talk once a second.
        let i = 1 + event % usize::from(nodes - 1).max(1);
        crowd.change(i, &json!({"frames": 1000 + event}));
        std::thread::sleep(Duration::from_millis(1000 / u64::from(nodes)));
        let frames = 7_000_000 + event;
        said.push((frames, SystemClocks.wall().micros() as f64 / 1000.0));
        crowd.change(0, &json!({"frames": frames}));
    }
    let last = said.last().unwrap().0.to_string();
    wait_for("the last word on the page", || !browser.run("return window.seen")[&last].is_null());
    let seen = browser.run("return window.seen");
    let times: Vec<f64> =
        said.iter().filter_map(|(frames, at)| Some(seen.get(frames.to_string())?.as_f64()? - at)).collect();
    let percent = |p| percent(&times, p);
    println!("from a node's word to the changed page, {} of {events} words seen one by one", times.len());
    println!("  ms: median {:.1}, p90 {:.1}, p99 {:.1}", percent(50), percent(90), percent(99));
    let _: Value = rig.cut();
}
