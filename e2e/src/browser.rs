//! A browser without a screen: Chromium, driven as WebDriver says, by a keyboard, a mouse or a finger.

use std::path::Path;
use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::Url;

use crate::process::{PATIENCE, Process, command, now};

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    runtime: Runtime,
    client: Option<Client>,
    _driver: Process,
}

impl Browser {
    /// On a desk: 1280 by 800 pixels, a keyboard and a mouse.
    pub fn desktop() -> Self {
        Self::with(&json!({"args": ["--window-size=1280,800"]}))
    }

    /// In a hand: 360 by 740 pixels and a finger.
    pub fn phone() -> Self {
        Self::with(&json!({"mobileEmulation": {
            "deviceMetrics": {"width": 360, "height": 740, "pixelRatio": 2.0, "touch": true, "mobile": true},
        }}))
    }

    /// A window of so many pixels, each of them one of the page's.
    pub fn sized([width, height]: [usize; 2]) -> Self {
        Self::with(&json!({"mobileEmulation": {
            "deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0, "touch": true, "mobile": true},
        }}))
    }

    /// From now on the system is one that its owner made `dark` or `light`.
    pub fn system(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.tell("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Tells the browser something that WebDriver has no word for, by Chromium's own protocol.
    fn tell(&self, command: &'static str, params: Value) -> Value {
        self.runtime.block_on(self.client().issue_cmd(Tell { command, params })).unwrap()
    }

    fn with(options: &Value) -> Self {
        let mut program = command("chromedriver");
        program.arg("--port=0");
        let driver = Process::start(program);
        let port: u16 = driver.out.wait("chromedriver", |line| {
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        let mut options = options.clone();
        let mut args = options["args"].as_array().cloned().unwrap_or_default();
        // A test machine runs as root and has little shared memory.
        args.extend(["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"].map(Value::from));
        options["args"] = Value::from(args);
        let wanted =
            json!({"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let Value::Object(wanted) = wanted else { unreachable!("it is one") };
        let at = format!("http://127.0.0.1:{port}");
        let client = runtime
            .block_on(async { ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&at).await });
        Self { runtime, client: Some(client.unwrap()), _driver: driver }
    }

    fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    /// Goes to `path` of the page at this port.
    pub fn open(&self, port: u16, path: &str) {
        self.runtime.block_on(self.client().goto(&format!("http://127.0.0.1:{port}{path}"))).unwrap();
    }

    /// Runs a script; its `return` is given.
    pub fn run(&self, script: &str) -> Value {
        self.runtime.block_on(self.client().execute(script, Vec::new())).unwrap()
    }

    /// The text that is seen of an element; empty when there is none.
    pub fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(css));
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the text of an element holds `words`; the page's style decides about capitals.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn see(&self, css: &str, words: &str) {
        let until = now() + PATIENCE;
        let mut seen = self.text(css);
        while !seen.to_lowercase().contains(&words.to_lowercase()) {
            assert!(now() < until, "waited in vain for `{words}` in {css}; there is `{seen}`");
            std::thread::sleep(Duration::from_millis(20));
            seen = self.text(css);
        }
    }

    /// Presses an element: with a finger on a phone. Scrolls to it before, as its user would.
    pub fn press(&self, css: &str) {
        self.runtime.block_on(async {
            let element = self.client().wait().for_element(Locator::Css(css)).await.unwrap();
            // The driver's own scrolling leaves what lies in view but below the fixed buttons.
            let scroll = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
            self.client().execute(scroll, vec![json!(element)]).await.unwrap();
            element.click().await.unwrap();
        });
    }

    /// Types into a field, in the place of what stands there.
    pub fn fill(&self, css: &str, text: &str) {
        self.runtime.block_on(async {
            let element = self.client().wait().for_element(Locator::Css(css)).await.unwrap();
            element.clear().await.unwrap();
            element.send_keys(text).await.unwrap();
        });
    }

    /// Presses a key, wherever the focus is.
    pub fn key(&self, key: char) {
        let keys =
            KeyActions::new("keys".into()).then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        self.runtime.block_on(self.client().perform_actions(keys)).unwrap();
    }

    /// The key that leaves a field.
    pub fn escape(&self) {
        self.key(char::from(Key::Escape));
    }

    /// The key that presses what has the focus.
    pub fn enter(&self) {
        self.key(char::from(Key::Enter));
    }

    /// Waits, because the page itself counts the time between two presses.
    pub fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Keeps a picture of the window.
    pub fn picture(&self, file: &Path) {
        std::fs::write(file, self.shot()).unwrap();
    }

    /// A picture of the window, PNG.
    pub fn shot(&self) -> Vec<u8> {
        self.runtime.block_on(self.client().screenshot()).unwrap()
    }

    /// Keeps a picture of the whole page, also of what one would have to scroll to.
    pub fn long_picture(&self, file: &Path) {
        // Without a scroll bar, which would take its width from the picture and not from the page.
        self.tell("Emulation.setScrollbarsHidden", json!({"hidden": true}));
        let size = self
            .run("const {scrollWidth, scrollHeight} = document.documentElement; return [scrollWidth, scrollHeight]");
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let settings = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let told = self.tell("Page.captureScreenshot", settings);
        std::fs::write(file, from_base64(told["data"].as_str().unwrap())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without a goodbye the browser would live on without its driver.
        if let Some(client) = self.client.take() {
            let _ = self.runtime.block_on(client.close());
        }
    }
}

#[derive(Debug)]
struct Tell {
    command: &'static str,
    params: Value,
}

impl WebDriverCompatibleCommand for Tell {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"cmd": self.command, "params": self.params}).to_string()))
    }
}

/// What a text in Base64 (RFC 4648, section 4) stands for.
fn from_base64(text: &str) -> Vec<u8> {
    let six = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for value in text.bytes().map_while(six) {
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

#[test]
fn base64_as_the_rfc_has_it() {
    for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
        assert_eq!(from_base64(text), bytes.as_bytes());
    }
}
