//! Who is there: presence from the nodes' status messages, by their last wills and by a time limit of its own,
//! as a broker that dies or a cable that is cut leaves no will. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use syncslate_shared::protocol::{NodeState, NodeStatus, StatusMessage};
use syncslate_shared::take::{TakeId, TakeName};
use syncslate_shared::time::{Mono, micros};

use crate::VERSION;
use crate::event::{Effect, Now};
use crate::preflight::{self, Seen};
use crate::roll::{Candidate, Readiness, step_of};
use crate::snapshot::NodeView;

/// A rolling node speaks every second: two words lost and some delay.
const SILENT_ROLLING: Duration = Duration::from_secs(3);
/// Other nodes speak every 5 s.
const SILENT: Duration = Duration::from_secs(12);
/// More than any set has; what is beyond is somebody's mistake and must not fill the memory.
const MAX_NODES: usize = 1000;
/// A ring longer than this is a mistake.
const LONGEST_RING_S: f64 = 3600.0;

/// All nodes that were ever heard of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    nodes: BTreeMap<Ipv4Addr, Node>,
    /// Nodes that the settings name.
    expected: BTreeSet<Ipv4Addr>,
    /// Per topic, the last complaint about what stood on it: said once, not every second.
    complaints: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    status: Option<Arc<NodeStatus>>,
    /// When it last spoke; `None` while it is offline.
    heard: Option<Mono>,
    /// How far its clock lay from ours when it last spoke, in microseconds; `None` when it has only been read.
    apart_us: Option<i64>,
}

impl Node {
    fn state(&self) -> NodeState {
        match (&self.status, self.heard) {
            (Some(status), Some(_)) => status.state,
            _ => NodeState::Offline,
        }
    }

    fn limit(&self) -> Duration {
        if self.state() == NodeState::Rolling { SILENT_ROLLING } else { SILENT }
    }
}

impl Fleet {
    /// Starts with these nodes offline: those of the last take's roster, and those that the settings expect.
    pub fn new(ips: impl IntoIterator<Item = Ipv4Addr>, expected: Vec<Ipv4Addr>) -> Self {
        let expected: BTreeSet<_> = expected.into_iter().collect();
        let nodes = ips.into_iter().chain(expected.iter().copied()).map(|ip| (ip, Node::default())).collect();
        Self { nodes, expected, ..Self::default() }
    }

    /// Hears what stands on `status/<name>`.
    pub fn heard(&mut self, now: Now, name: &str, payload: &[u8], retain: bool) -> Vec<Effect> {
        let topic = format!("status/{name}");
        let message = match read(name, payload) {
            Ok(message) => message,
            Err(why) => return self.complain(topic, why),
        };
        self.complaints.remove(&topic);
        let ip = message.ip();
        if !self.nodes.contains_key(&ip) && self.nodes.len() >= MAX_NODES {
            return self.complain(topic, format!("more than {MAX_NODES} nodes: this one is left out"));
        }
        let node = self.nodes.entry(ip).or_default();
        let before = node.state();
        let mut departed = None;
        match message {
            StatusMessage::Departed(_) => node.heard = None,
            StatusMessage::Node(status) => {
                node.heard = Some(now.mono);
                node.apart_us = (!retain).then(|| status.at.since_us(now.wall));
                node.status = Some(Arc::from(status));
                // What the broker had kept may be the word of a node that died without a will long ago.
                let old = node.status.as_ref().map_or(0, |status| now.wall.since_us(status.at));
                if retain && old > micros(node.limit()) {
                    node.heard = None;
                    departed = Some(Effect::Depart { ip });
                }
            }
        }
        let after = node.state();
        let mut effects = vec![Effect::News { topic, json: String::from_utf8_lossy(payload).into_owned() }];
        effects.extend(change(ip, before, after, node.status.as_deref()));
        effects.extend(departed);
        effects
    }

    /// Finds who fell silent.
    pub fn tick(&mut self, now: Mono) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (ip, node) in &mut self.nodes {
            if node.heard.is_some_and(|heard| now.since(heard) > node.limit()) {
                effects.push(Effect::Warn(format!(
                    "{ip} fell silent for {} s: it is taken for offline",
                    node.limit().as_secs()
                )));
                node.heard = None;
                effects.push(Effect::Depart { ip: *ip });
            }
        }
        effects
    }

    /// Whether a node is there.
    pub fn is_online(&self, ip: Ipv4Addr) -> bool {
        self.nodes.get(&ip).is_some_and(|node| node.state() != NodeState::Offline)
    }

    /// Whether a node says that its processor has instructions for AES.
    pub fn has_aes(&self, ip: Ipv4Addr) -> bool {
        self.nodes.get(&ip).and_then(|node| node.status.as_ref()).is_some_and(|status| status.aes)
    }

    /// All that were ever heard of.
    pub fn known(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.nodes.keys().copied()
    }

    /// Whether a node says that it is still writing a take of this name.
    pub fn writes(&self, ip: Ipv4Addr, name: &TakeName) -> bool {
        self.nodes.get(&ip).is_some_and(|node| {
            node.state() == NodeState::Rolling
                && node.status.as_ref().and_then(|s| s.take.as_ref()).is_some_and(|id| id.name == *name)
        })
    }

    /// The index of the footage file that a node writes of this take; `None` when it writes none.
    pub fn segment(&self, ip: Ipv4Addr, take: &TakeId) -> Option<u32> {
        self.nodes.get(&ip)?.status.as_ref().filter(|status| status.take.as_ref() == Some(take))?.segment
    }

    /// The takes that nodes speak of.
    pub fn takes(&self) -> impl Iterator<Item = &TakeId> {
        self.nodes.values().filter_map(|node| node.status.as_ref()?.take.as_ref())
    }

    /// The nodes that a take would roll on now.
    pub fn roster(&self) -> Vec<Candidate> {
        let online = self.nodes.iter().filter(|(_, node)| node.state() != NodeState::Offline);
        let candidate = |(ip, node): (&Ipv4Addr, &Node)| {
            let status = node.status.as_ref()?;
            Some(Candidate { ip: *ip, readiness: readiness(status), step: step_of(&status.camera) })
        };
        online.filter_map(candidate).collect()
    }

    /// For the picture of everything.
    pub fn view(&self) -> Vec<NodeView> {
        let seen = self.nodes.iter().map(|(ip, node)| {
            let status = node.status.as_deref().filter(|_| node.state() != NodeState::Offline);
            (*ip, Seen { status, apart_us: node.apart_us, expected: self.expected.contains(ip) })
        });
        let mut findings = preflight::look(&seen.collect(), VERSION);
        let view = |(ip, node): (&Ipv4Addr, &Node)| NodeView {
            ip: *ip,
            state: node.state(),
            status: node.status.clone(),
            findings: findings.remove(ip).unwrap_or_default(),
        };
        self.nodes.iter().map(view).collect()
    }

    fn complain(&mut self, topic: String, why: String) -> Vec<Effect> {
        if self.complaints.get(&topic) == Some(&why) {
            return Vec::new();
        }
        if self.complaints.len() >= MAX_NODES {
            self.complaints.clear();
        }
        let warning = Effect::Warn(format!("{} cannot be read: {why}", topic.escape_debug()));
        self.complaints.insert(topic, why);
        vec![warning]
    }
}

fn read(name: &str, payload: &[u8]) -> Result<StatusMessage, String> {
    let ip: Ipv4Addr = name.parse().map_err(|_| "the topic ends in no IPv4 address".to_owned())?;
    let message = StatusMessage::read(payload)?;
    if message.ip() != ip {
        return Err(format!("field `ip`: {} is not the topic's", message.ip()));
    }
    Ok(message)
}

fn readiness(status: &NodeStatus) -> Readiness {
    match status.state {
        NodeState::Armed | NodeState::Rolling => {
            let ring_s = status.camera.ring_s;
            let ring_s = if ring_s.is_finite() { ring_s.clamp(0.0, LONGEST_RING_S) } else { 0.0 };
            Readiness::Holds(Duration::from_secs_f64(ring_s))
        }
        NodeState::Fault => Readiness::Fault,
        NodeState::Starting | NodeState::Standby | NodeState::Offline => {
            Readiness::Needs(Duration::from_millis(status.camera.start_ms))
        }
    }
}

fn change(ip: Ipv4Addr, before: NodeState, after: NodeState, status: Option<&NodeStatus>) -> Option<Effect> {
    if before == after {
        return None;
    }
    let name = status.map_or("", |status| status.name.as_str());
    let fault = status.and_then(|status| status.fault.as_ref()).map(|f| format!(": {} ({})", f.message, f.code));
    let line = format!("{ip} {name:?} is {}{}", after.as_str(), fault.unwrap_or_default());
    Some(if after == NodeState::Fault { Effect::Warn(line) } else { Effect::Note(line) })
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
