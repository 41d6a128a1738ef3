//! The Mosquitto clients, as anyone would use them.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Process, command};

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

impl Ear {
    /// Listens at `port`; what is retained comes first.
    pub fn open(port: u16, args: &[String]) -> Self {
        let mut sub = command("mosquitto_sub");
        sub.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-F", "%t\t%p", "-t", "#"]).args(args);
        Self(Process::start(sub))
    }

    /// The first message on `topic` (also one that came before) that `find` makes something of.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait<T>(&self, what: &str, topic: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.0
            .out
            .wait(what, |line| parse(line).filter(|heard| heard.topic == topic).and_then(|heard| find(&heard.json)))
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

/// `mosquitto_pub` with QoS 1; ends when the broker has taken the message.
///
/// # Panics
/// When it fails.
pub fn publish(port: u16, topic: &str, payload: &[u8], extra: &[&str]) {
    let mut publisher = command("mosquitto_pub");
    publisher.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", topic]).args(extra);
    // It refuses an empty message from its standard input.
    publisher.arg(if payload.is_empty() { "-n" } else { "-s" });
    let mut child = publisher.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(payload).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "mosquitto_pub {topic}: {}", String::from_utf8_lossy(&ended.stderr));
}
