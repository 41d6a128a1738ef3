//! What every page owes every eye: the rules of WCAG 2.2 AA as far as a program can judge them (axe-core), nothing beside
//! a phone's screen, nothing asked of another machine, and little enough for a weak link.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with a panic that says why")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use syncslate_broker::accounts::hash;
use syncslate_e2e::browser::Browser;
use syncslate_e2e::rig::{Rig, Setup};

/// axe-core, where `.ci/clients` puts it.
fn axe() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/clients/node_modules/axe-core/axe.min.js");
    fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}: `make test` brings it", file.display()))
}

/// What axe-core finds against the page that is open.
fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    let script = format!(
        "{axe};
        const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
        return await axe.run(document, {{runOnly: {{type: 'tag', values: tags}}}}).then((found) => [
            found.passes.length,
            found.violations.flatMap((rule) => rule.nodes.map((node) => [rule.id, node.html, node.failureSummary].join(': '))),
        ])"
    );
    let answer = browser.run(&script);
    assert!(answer[0].as_u64().is_some_and(|passed| passed > 10), "axe-core judged next to nothing: {answer}");
    let found = answer[1].as_array().into_iter().flatten();
    found.map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

/// Looks at a page in every way; `what` tells which one it was.
fn expect_good(browser: &Browser, axe: &str, port: u16, what: &str) {
    let found = violations(browser, axe);
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
    let beside = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(beside, json!(0), "{what}: something lies beside the screen");
    let asked = browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)");
    let home = format!("http://127.0.0.1:{port}/");
    for address in asked.as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(address.starts_with(&home) || address.starts_with("blob:"), "{what} asks {address}");
    }
}

#[test]
fn every_page_is_good_to_every_eye() {
    let axe = axe();
    let rig = Rig::new().node("phase_ms=5").node("phase_ms=19").up("armed");
    rig.roll("looks_01");
    rig.recorded(1, 40);
    rig.ask("mark", "a rather long note that has to find its place in a narrow column, too");
    let idle = rig.cut();
    (1..=2).for_each(|i| drop(rig.finished(i, &idle)));
    rig.download("looks_01");
    rig.export("looks_01", &[]);
    let node = format!("/nodes/{}", rig.ips()[0]);
    let pages = [
        "/",
        "/takes",
        "/takes/looks_01",
        "/takes/looks_01/sync",
        "/takes/looks_01/play",
        node.as_str(),
        "/cameras",
        "/events",
        "/about",
        "/slate",
        "/nowhere",
    ];
    for browser in [Browser::desktop(), Browser::phone()] {
        for scheme in ["light", "dark"] {
            browser.system(scheme);
            for path in pages {
                browser.open(rig.http, path);
                expect_good(&browser, &axe, rig.http, &format!("{path}, {scheme}"));
            }
        }
    }
    // While it rolls the page is another one.
    rig.roll("looks_02");
    let browser = Browser::phone();
    for scheme in ["light", "dark"] {
        browser.system(scheme);
        browser.open(rig.http, "/");
        browser.see(".word", "ROLLING");
        expect_good(&browser, &axe, rig.http, &format!("/ while it rolls, {scheme}"));
    }
    rig.cut();
}

#[test]
fn logging_in_and_looking_on_are_good_to_every_eye() {
    let axe = axe();
    let otto = hash(b"otto's").unwrap();
    let settings = format!("[accounts.otto]\nrole = 'viewer'\nhash = '{otto}'\n");
    let clients = ["-u", "otto", "-P", "otto's"].map(str::to_owned).to_vec();
    let rig = Rig::set_up(Setup { settings, clients, ..Setup::default() });
    let browser = Browser::phone();
    for scheme in ["light", "dark"] {
        browser.system(scheme);
        browser.open(rig.http, "/login");
        expect_good(&browser, &axe, rig.http, &format!("/login, {scheme}"));
    }
    browser.fill("#name", "otto");
    browser.fill("#password", "otto's");
    browser.press(".login button");
    browser.see(".word", "STANDBY");
    expect_good(&browser, &axe, rig.http, "/ of one who looks on");
}

#[test]
fn the_first_look_is_light() {
    let rig = Rig::new().node("phase_ms=5").up("armed");
    let browser = Browser::phone();
    browser.open(rig.http, "/");
    browser.see(".word", "ARMED");
    let bytes = browser.run(
        "return ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
            .filter((entry) => !entry.name.includes('preview'))
            .reduce((sum, entry) => sum + entry.transferSize, 0)",
    );
    let bytes = bytes.as_u64().unwrap();
    assert!((1_000..150_000).contains(&bytes), "{bytes} bytes until the page is there");
}
