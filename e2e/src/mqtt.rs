//! The Mosquitto clients, as anyone would use them.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::process::{PATIENCE, Process, command};

/// A message that was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its topic.
    pub topic: String,
    /// Its payload as JSON; null when it is none.
    pub json: Value,
}

/// `mosquitto_sub` on everything.
#[derive(Debug)]
pub struct Ear(Process);

/// A client's way to the broker.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// What the clients are started by: `nsenter …` on another computer, nothing on this one.
    pub by: Vec<OsString>,
    /// The broker's address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Arguments of every client: an account.
    pub account: Vec<String>,
}

impl Door {
    /// The broker of this machine at `port`.
    pub fn here(port: u16) -> Self {
        Self { host: "127.0.0.1".into(), port, ..Self::default() }
    }

    /// One of the clients.
    fn client(&self, program: &str) -> Command {
        let words: Vec<OsString> = self.by.iter().cloned().chain([program.into()]).collect();
        let mut client = command(&words[0]);
        client.args(&words[1..]).args(["-h", &self.host, "-p", &self.port.to_string(), "-q", "1"]).args(&self.account);
        client
    }

    /// Hears everything; what is retained comes first.
    pub fn hear(&self) -> Ear {
        let mut sub = self.client("mosquitto_sub");
        sub.args(["-F", "%t\t%p", "-t", "#"]);
        Ear(Process::start(sub))
    }

    /// `mosquitto_pub` with QoS 1; ends when the broker has taken the message.
    ///
    /// # Panics
    /// When it fails.
    pub fn publish(&self, topic: &str, payload: &[u8], extra: &[&str]) {
        let mut publisher = self.client("mosquitto_pub");
        publisher.args(["-t", topic]).args(extra);
        // It refuses an empty message from its standard input.
        publisher.arg(if payload.is_empty() { "-n" } else { "-s" });
        let mut child = publisher.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(payload).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "mosquitto_pub {topic}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

impl Ear {
    /// The first message on `topic` (also one that came before) that `find` makes something of.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait<T>(&self, what: &str, topic: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.wait_for(PATIENCE, what, topic, find)
    }

    /// The same with another patience.
    ///
    /// # Panics
    /// When none comes within it.
    pub fn wait_for<T>(&self, patience: Duration, what: &str, topic: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let find = |line: &str| parse(line).filter(|heard| heard.topic == topic).and_then(|heard| find(&heard.json));
        self.0.out.wait_for(patience, what, find)
    }

    /// Everything that was heard.
    pub fn all(&self) -> Vec<Heard> {
        self.0.out.all().iter().filter_map(|line| parse(line)).collect()
    }

    /// Forgets what was heard.
    pub fn clear(&self) {
        self.0.out.clear();
    }
}

fn parse(line: &str) -> Option<Heard> {
    let (topic, payload) = line.split_once('\t')?;
    Some(Heard { topic: topic.into(), json: serde_json::from_str(payload).unwrap_or(Value::Null) })
}

/// [`Door::publish`] on this machine.
///
/// # Panics
/// When it fails.
pub fn publish(port: u16, topic: &str, payload: &[u8], extra: &[&str]) {
    Door::here(port).publish(topic, payload, extra);
}
