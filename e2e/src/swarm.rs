//! Many nodes that behave as nodes do, but for a camera: they hear the take, roll and cut with it, and say their status at
//! the rates of real ones. For what a controller and its broker bear.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncslate_shared::link::{Link, LinkEvent, LinkSettings};
use syncslate_shared::protocol::{self, CurrentTake, Departed, Marks, TakeState};
use syncslate_shared::time::{Clocks as _, SystemClocks};
use syncslate_shared::topic::Topic;
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::crowd::{plain, status};
use crate::process::now;

/// As real nodes talk.
const SAY_ROLLING: Duration = Duration::from_secs(1);
const SAY_ELSE: Duration = Duration::from_secs(5);
const FPS: u64 = 30;
/// A link hears its own last will's topic, and so its own words, for 15 s after it has connected. Sets stand for longer
/// than that before their first take.
const SETTLED: Duration = Duration::from_secs(16);

/// No operator is faster from one order to the next.
const BREATH: Duration = Duration::from_millis(200);

/// What a node of the swarm tells whoever measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is connected, and everything it says was said again.
    Up,
    /// It heard that the take rolls (true) or has ended.
    Rolls(bool),
}

/// A word, whose, and when.
#[derive(Clone, Debug)]
pub struct Told {
    /// The number of the node, from 0.
    pub node: u16,
    /// What it tells.
    pub word: Word,
    /// When it came to pass.
    pub at: Instant,
}

/// What another client heard: when, on which topic, what.
pub type Heard = Arc<Mutex<Receiver<(Instant, String, Value)>>>;

/// Who gives the swarm orders by MQTT and hears what each node says of itself.
#[derive(Debug)]
pub struct Console {
    link: Link,
    heard: Heard,
    nodes: usize,
}

impl Console {
    /// Gives an order and waits until every node has said that it is in `state`: when it was given, and how many
    /// milliseconds later the last one had answered.
    ///
    /// # Panics
    /// When no node says anything for half a minute before that.
    pub fn press(&self, order: &Topic, payload: &str, state: &str) -> (Instant, f64) {
        std::thread::sleep(BREATH);
        let at = now();
        self.link.say(order, payload.as_bytes().to_vec());
        (at, (self.answers(state, at) - at).as_secs_f64() * 1000.0)
    }

    /// When the last node has said that it is in `state`, not before `since`.
    fn answers(&self, state: &str, since: Instant) -> Instant {
        let heard = self.heard.lock().unwrap();
        let (mut said, mut last) = (BTreeSet::new(), since);
        while said.len() < self.nodes {
            let (at, topic, status) = heard.recv_timeout(Duration::from_secs(30)).unwrap();
            if status["state"] == state {
                said.insert(topic);
                last = last.max(at);
            }
        }
        last
    }
}

/// The nodes.
#[derive(Debug)]
pub struct Swarm {
    runtime: Runtime,
    ears: Mutex<Receiver<Told>>,
    links: Vec<Link>,
}

/// The address of a node of the swarm.
pub fn address(node: u16) -> Ipv4Addr {
    let [high, low] = (node + 1).to_be_bytes();
    Ipv4Addr::new(10, 77, high, low)
}

impl Swarm {
    /// `n` nodes at the broker on this port.
    ///
    /// # Panics
    /// When there is no runtime.
    pub fn join(mqtt: u16, n: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (tell, ears) = channel();
        let links = (0..n)
            .map(|node| {
                let _guard = runtime.enter();
                let ip = address(node);
                let (link, events) = Link::open(LinkSettings {
                    subscriptions: subscriptions(ip),
                    will: Some((Topic::Status(ip), protocol::write(&Departed::of(ip)))),
                    ..plain(mqtt, format!("syncslate-node-{ip}"))
                });
                // Real nodes were not started in the same instant either.
                let begin = now() + SAY_ELSE * u32::from(node) / u32::from(n);
                runtime.spawn(live(node, link.clone(), events, begin, tell.clone()));
                link
            })
            .collect();
        Self { runtime, ears: Mutex::new(ears), links }
    }

    /// Waits until each node has said a word that `wanted` takes; gives when each did.
    ///
    /// # Panics
    /// When not all have within a minute.
    pub fn all(&self, wanted: &Word) -> Vec<Instant> {
        let ears = self.ears.lock().unwrap();
        let mut found = vec![None; self.links.len()];
        let limit = now() + Duration::from_secs(60);
        while found.iter().any(Option::is_none) {
            let told = ears.recv_timeout(limit.saturating_duration_since(now()));
            let missing = found.iter().filter(|at: &&Option<Instant>| at.is_none()).count();
            let told = told.unwrap_or_else(|_| panic!("{missing} nodes of the swarm did not say {wanted:?}"));
            if told.word == *wanted {
                found[usize::from(told.node)] = Some(told.at);
            }
        }
        found.into_iter().flatten().collect()
    }

    /// Waits until all are connected and have stood for a while.
    ///
    /// # Panics
    /// When not all are within a minute.
    pub fn settle(&self) {
        self.all(&Word::Up);
        std::thread::sleep(SETTLED);
    }

    /// A console that has heard every node say that it is armed.
    ///
    /// # Panics
    /// When they do not.
    pub fn console(&self, mqtt: u16) -> Console {
        let (link, heard) = self.listener(mqtt, &["status/+"]);
        let console = Console { link, heard, nodes: self.links.len() };
        console.answers("armed", now());
        console
    }

    /// Forgets what was told so far.
    pub fn forget(&self) {
        while self.ears.lock().unwrap().try_recv().is_ok() {}
    }

    /// Has a node say at once that it has so many frames.
    pub fn say(&self, node: u16, change: &Value) {
        let mut said = status(address(node), node);
        merge(&mut said, change);
        let _guard = self.runtime.enter();
        self.links[usize::from(node)].say(&Topic::Status(address(node)), said.to_string().into_bytes());
    }

    /// Another client, on a runtime of the swarm's: it hears these filters.
    pub fn listener(&self, mqtt: u16, filters: &[&str]) -> (Link, Heard) {
        let _guard = self.runtime.enter();
        let (link, mut events) = Link::open(LinkSettings {
            subscriptions: filters.iter().map(|filter| (*filter).to_owned()).collect(),
            ..plain(mqtt, "bench".into())
        });
        let (tell, heard) = channel();
        self.runtime.spawn(async move {
            while let Some(event) = events.recv().await {
                if let LinkEvent::Message { topic, payload, .. } = event {
                    let at = now();
                    let _ = tell.send((at, topic, serde_json::from_slice(&payload).unwrap_or(Value::Null)));
                }
            }
        });
        (link, Arc::new(Mutex::new(heard)))
    }
}

/// What a real node hears.
fn subscriptions(ip: Ipv4Addr) -> Vec<String> {
    let own = ["camera", "order"].map(|topic| format!("{topic}/{ip}"));
    own.into_iter().chain(["take/+", "cmd/preview"].map(str::to_owned)).collect()
}

fn merge(status: &mut Value, change: &Value) {
    for (key, value) in change.as_object().into_iter().flatten() {
        status[key] = value.clone();
    }
    status["at"] = json!(SystemClocks.wall());
}

/// A node's life.
async fn live(
    node: u16,
    link: Link,
    mut events: tokio::sync::mpsc::Receiver<LinkEvent>,
    begin: Instant,
    tell: Sender<Told>,
) {
    let (ip, mut now_rolling) = (address(node), None::<(Value, Instant)>);
    let mut said = status(ip, node);
    let mut beat = interval_at(begin.into(), SAY_ROLLING);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut beats, calm) = (0u64, SAY_ELSE.as_secs() / SAY_ROLLING.as_secs());
    let say = |said: &mut Value, change: Value| {
        merge(said, &change);
        link.say(&Topic::Status(ip), said.to_string().into_bytes());
    };
    say(&mut said, json!({}));
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return };
                let at = now();
                match event {
                    LinkEvent::Up => {
                        let _ = tell.send(Told { node, word: Word::Up, at });
                    }
                    LinkEvent::Message { topic, payload, .. } if topic == "take/current" => {
                        let Ok(current) = protocol::read::<CurrentTake>(&payload) else { continue };
                        let rolls = current.state == TakeState::Rolling;
                        if rolls == now_rolling.is_some() {
                            continue;
                        }
                        now_rolling = rolls.then(|| (json!(current.id), at));
                        let take = now_rolling.as_ref().map_or(Value::Null, |(id, _)| id.clone());
                        let segment = if rolls { json!(0) } else { Value::Null };
                        let state = if rolls { "rolling" } else { "armed" };
                        say(&mut said, json!({"state": state, "take": take, "frames": 0, "segment": segment}));
                        let _ = tell.send(Told { node, word: Word::Rolls(rolls), at });
                    }
                    LinkEvent::Message { topic, payload, .. } if topic == "take/marks" => {
                        let _ = protocol::read::<Marks>(&payload);
                    }
                    _ => {}
                }
            }
            _ = beat.tick() => {
                beats += 1;
                match &now_rolling {
                    Some((_, since)) => {
                        let frames = since.elapsed().as_secs() * FPS;
                        say(&mut said, json!({"frames": frames, "bytes": frames * 33_000}));
                    }
                    None if beats.is_multiple_of(calm) => say(&mut said, json!({})),
                    None => {}
                }
            }
        }
    }
}
