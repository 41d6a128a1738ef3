//! The page `/about`: what this installation is and how it does. Pure.

use serde::Serialize;
use syncslate_shared::protocol::{NodeState, NodeStatus};
use syncslate_shared::time::Wall;
use syncslate_shared::topic::{Qos, TABLE};

use super::{node_name, words};
use crate::about::About;
use crate::embedded::Figures;
use crate::snapshot::Snapshot;

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct AboutPage<'a> {
    groups: Vec<Group>,
    prefix: &'a str,
    topics: Vec<TopicLine>,
}

/// Facts of one kind.
#[derive(Clone, Debug, Serialize)]
struct Group {
    title: &'static str,
    lines: Vec<Fact>,
    hint: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct Fact {
    label: String,
    value: String,
}

#[derive(Clone, Debug, Serialize)]
struct TopicLine {
    pattern: &'static str,
    route: &'static str,
    retained: bool,
    qos: u8,
    payload: String,
}

/// How the program and its machine do at this moment.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Health {
    /// Of the embedded broker, where there is one.
    pub(in crate::web) broker: Option<Figures>,
    /// Bytes of memory; `None` where the system does not tell.
    pub(in crate::web) memory: Option<u64>,
    /// Bytes that are free for downloads; `None` where the folder cannot be asked.
    pub(in crate::web) free: Option<u64>,
}

impl<'a> AboutPage<'a> {
    pub(in crate::web) fn of(about: &'a About, health: Health, snapshot: &Snapshot, now: Wall) -> Self {
        Self {
            groups: vec![
                versions(about, snapshot, now),
                this_machine(about, health, snapshot, now),
                doors(about),
                accounts(about),
                places(about),
            ],
            prefix: &about.prefix,
            topics: TABLE.iter().map(topic).collect(),
        }
    }
}

fn fact(label: impl Into<String>, value: impl Into<String>) -> Fact {
    Fact { label: label.into(), value: value.into() }
}

fn versions(about: &About, snapshot: &Snapshot, now: Wall) -> Group {
    let running = |since: Wall| words::length(u64::try_from(now.since_us(since) / 1_000_000).unwrap_or(0));
    let mut lines = vec![fact("Controller", format!("{}, running for {}", snapshot.version, running(about.started)))];
    for node in &snapshot.nodes {
        let said = |status: &NodeStatus| match node.state {
            NodeState::Offline => format!("{}, offline", status.version),
            _ => format!("{}, running for {}", status.version, running(status.booted)),
        };
        let value = node.status.as_deref().map_or_else(|| "not heard yet".into(), said);
        lines.push(fact(node_name(snapshot, node.ip), value));
    }
    Group { title: "Versions", lines, hint: None }
}

fn this_machine(about: &About, health: Health, snapshot: &Snapshot, now: Wall) -> Group {
    let mut lines = Vec::new();
    lines.push(fact("Clock, which all cameras follow", words::instant(now)));
    if let Some(memory) = health.memory {
        lines.push(fact("Memory of the controller", words::bytes(memory)));
    }
    let folder = about.downloads.display();
    let free = health.free.map_or_else(|| "unknown".into(), |free| format!("{} free", words::bytes(free)));
    lines.push(fact(format!("Disk of {folder}"), free));
    lines.push(fact("Footage there", words::bytes(snapshot.takes.iter().map(|take| take.bytes).sum())));
    if let Some(Figures { stats, denied, refused, slow }) = health.broker {
        if let Some(stats) = stats {
            lines.push(fact("Broker: clients connected", stats.connections.to_string()));
            lines.push(fact("Broker: retained messages", stats.retained.to_string()));
            lines.push(fact("Broker: parts that were replaced", stats.restarts.to_string()));
        }
        lines.push(fact("Broker: clients that were not let in", refused.to_string()));
        lines.push(fact("Broker: messages that an account may not send or hear", denied.to_string()));
        lines.push(fact("Broker: times that a client did not keep up", slow.to_string()));
    }
    Group { title: "Health", lines, hint: Some("Programs find the same at /metrics.") }
}

fn doors(about: &About) -> Group {
    let mut lines = vec![fact("The page", format!("http://{}", about.http))];
    lines.extend(about.mqtt.iter().map(|(way, address)| fact(*way, address)));
    Group { title: "Where it listens", lines, hint: None }
}

fn accounts(about: &About) -> Group {
    let lines = about.accounts.iter().map(|(name, role)| fact(name, *role)).collect::<Vec<_>>();
    let hint = lines.is_empty().then_some("There are no accounts: whoever reaches the page may do everything.");
    Group { title: "Accounts", lines, hint }
}

fn places(about: &About) -> Group {
    let file =
        about.file.as_ref().map_or_else(|| "none; flags and defaults".to_owned(), |file| file.display().to_string());
    let lines = vec![
        fact("Settings file", file),
        fact("Footage", about.downloads.display().to_string()),
        fact("Take and events", about.state.display().to_string()),
    ];
    Group {
        title: "Where things are",
        lines,
        hint: Some("Flags win over the settings file. A change counts from the next start."),
    }
}

fn topic(row: &syncslate_shared::topic::Row) -> TopicLine {
    let qos = match row.qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
    };
    // The table is Markdown; here its marks of code would only be seen as such.
    TopicLine {
        pattern: row.pattern,
        route: row.route,
        retained: row.retained,
        qos,
        payload: row.payload.replace('`', ""),
    }
}
