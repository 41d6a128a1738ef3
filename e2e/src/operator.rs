//! An operator of a set: hears everything, gives commands, waits for what the set says of itself.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::mqtt::{Door, Ear};
use crate::process::wait_for;

/// The operator.
#[derive(Debug)]
pub struct Operator {
    /// The way to the broker.
    pub door: Door,
    /// Hears everything.
    pub ear: Ear,
    /// The nodes' addresses; the first one is node 1.
    pub ips: Vec<Ipv4Addr>,
}

impl Operator {
    /// One who has heard the controller's first words.
    pub fn new(door: Door) -> Self {
        let ear = door.hear();
        ear.wait("the controller's first words", "take/current", |_| Some(()));
        Self { door, ear, ips: Vec::new() }
    }

    /// The address of node `i`, from 1.
    pub fn ip(&self, i: usize) -> Ipv4Addr {
        self.ips[i - 1]
    }

    /// Waits until node `i` says that it is in `state` (and, armed, that its ring reaches back).
    pub fn expect_state(&self, i: usize, state: &str) -> Value {
        self.status(i, &format!("to be {state}"), |status| {
            let there = status["state"] == state;
            let ready = state != "armed" || status["camera"]["ring_s"].as_f64() >= Some(2.0);
            (there && ready).then(|| status.clone())
        })
    }

    /// Waits for a status of node `i` (also one that came before) that `find` makes something of.
    pub fn status<T>(&self, i: usize, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.ear.wait(&format!("cam{i} {what}"), &format!("status/{}", self.ip(i)), find)
    }

    /// Waits until the take that rolls has `frames` frames or more on node `i`.
    pub fn recorded(&self, i: usize, frames: u64) {
        self.status(i, &format!("to record {frames} frames"), |status| {
            (status["state"] == "rolling" && status["frames"].as_u64() >= Some(frames)).then_some(())
        });
    }

    /// Publishes a command and gives its answer.
    pub fn ask(&self, word: &str, payload: impl AsRef<[u8]>) -> Value {
        self.ask_with(word, payload, &[])
    }

    /// The same with further arguments for `mosquitto_pub`.
    pub fn ask_with(&self, word: &str, payload: impl AsRef<[u8]>, extra: &[&str]) -> Value {
        let answers = || self.ear.all().into_iter().filter(|h| h.topic == "cmd/result" && h.json["cmd"] == word);
        let before = answers().count();
        self.publish(&format!("cmd/{word}"), payload.as_ref(), extra);
        wait_for(&format!("the answer to {word}"), || answers().count() > before);
        answers().nth(before).unwrap().json
    }

    /// Publishes with QoS 1.
    pub fn publish(&self, topic: &str, payload: &[u8], extra: &[&str]) {
        self.door.publish(topic, payload, extra);
    }

    /// Rolls a take; gives `take/current`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn roll(&self, name: &str) -> Value {
        let answer = self.ask("start", name);
        assert_eq!(answer["ok"], json!(true), "{answer}");
        self.current("rolling", &answer["take"])
    }

    /// Cuts the take; gives `take/current`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn cut(&self) -> Value {
        let answer = self.ask("stop", "");
        assert_eq!(answer["ok"], json!(true), "{answer}");
        self.current("idle", &answer["take"])
    }

    /// Waits for `take/current` to say this.
    pub fn current(&self, state: &str, id: &Value) -> Value {
        self.ear.wait(&format!("the take to be {state}"), "take/current", |take| {
            (take["state"] == state && take["id"] == *id).then(|| take.clone())
        })
    }

    /// Downloads a take and waits until all of it is here; gives `download/<take>`.
    ///
    /// # Panics
    /// When it is refused or fails.
    pub fn download(&self, take: &str) -> Value {
        let answer = self.ask("download", take);
        assert_eq!(answer["ok"], json!(true), "{answer}");
        let ended = |download: &Value| ["done", "failed"].iter().any(|end| download["state"] == *end);
        let download = self.ear.wait(&format!("the download of {take}"), &format!("download/{take}"), |download| {
            ended(download).then(|| download.clone())
        });
        assert_eq!(download["state"], "done", "{download}");
        download
    }
}
