//! The one table of topics: who says what to whom, how it is retained, with which guarantee. Pure.
//! The users' topic reference is made from [`TABLE`].

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::take::TakeName;

/// How surely a message arrives, as MQTT counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// At most once: what is lost is soon out of date anyway.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
}

/// One row of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The topic, with `<ip>` or `<take>` where it varies.
    pub pattern: &'static str,
    /// Who publishes it, who listens.
    pub route: &'static str,
    /// Whether the broker keeps the last message for those who come later.
    pub retained: bool,
    /// What Syncslate itself publishes it with.
    pub qos: Qos,
    /// What it carries, in words.
    pub payload: &'static str,
}

const fn row(pattern: &'static str, route: &'static str, retained: bool, qos: Qos, payload: &'static str) -> Row {
    Row { pattern, route, retained, qos, payload }
}

use Qos::{AtLeastOnce, AtMostOnce};

/// Every topic there is.
pub const TABLE: [Row; 19] = [
    row(
        "cmd/start",
        "anyone → controller",
        false,
        AtLeastOnce,
        "a take name as plain text, or `{\"take\":…,\"at\":…,\"id\":…}`; empty = the next free `take_NNN`",
    ),
    row("cmd/stop", "anyone → controller", false, AtLeastOnce, "empty, or `{\"at\":…,\"id\":…}`"),
    row(
        "cmd/mark",
        "anyone → controller",
        false,
        AtLeastOnce,
        "empty, a note as plain text, or `{\"note\":…,\"at\":…,\"id\":…}`; `{\"n\":3,\"note\":…}` changes the note of a mark, `{\"n\":3,\"delete\":true}` deletes it",
    ),
    row(
        "cmd/download",
        "anyone → controller",
        false,
        AtLeastOnce,
        "empty = everything not yet here, a take name, or `{\"take\":…,\"nodes\":[…],\"delete_after_verify\":false,\"id\":…}`",
    ),
    row(
        "cmd/shutdown",
        "anyone → controller",
        false,
        AtLeastOnce,
        "empty = all nodes, or `{\"nodes\":[…],\"force\":false,\"id\":…}`: turns them off",
    ),
    row("cmd/reboot", "anyone → controller", false, AtLeastOnce, "the same; they come back by themselves"),
    row("cmd/identify", "anyone → controller", false, AtLeastOnce, "the same; they blink their LED for 10 s"),
    row(
        "cmd/camera",
        "anyone → controller",
        false,
        AtLeastOnce,
        "`{\"nodes\":[…] or null,\"settings\":{…},\"segment_s\":…,\"id\":…}` sets cameras, `{\"match\":\"<ip>\"}` sets all like one",
    ),
    row(
        "cmd/preview",
        "controller → nodes",
        false,
        AtMostOnce,
        "`{\"nodes\":[…] or null,\"fps\":2,\"for_s\":10,\"width\":480}`: a lease, renewed while somebody looks",
    ),
    row("cmd/result", "controller → anyone", false, AtLeastOnce, "the answer to every command"),
    row("take/current", "controller → all", true, AtLeastOnce, "the take: the one truth that nodes act on"),
    row("take/marks", "controller → all", true, AtLeastOnce, "the take's marks, the whole list each time"),
    row("status/<ip>", "node → all", true, AtLeastOnce, "the node; its last will says `offline`"),
    row("download/<take>", "controller → all", true, AtLeastOnce, "a download's progress"),
    row("order/<ip>", "controller → node", false, AtLeastOnce, "to turn itself off, or off and on again, or to blink"),
    row("camera/<ip>", "controller → node", true, AtLeastOnce, "all that is wished of its camera"),
    row("answer/<ip>", "node → controller", false, AtLeastOnce, "whether it does what it was ordered"),
    row("preview/<ip>", "node → all", false, AtMostOnce, "one JPEG picture"),
    row("controller", "controller → all", true, AtLeastOnce, "the controller; its last will says `offline`"),
];

/// A topic of [`TABLE`], without the prefix that the settings may put before all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `cmd/start`
    Start,
    /// `cmd/stop`
    Stop,
    /// `cmd/mark`
    Mark,
    /// `cmd/download`
    Download,
    /// `cmd/shutdown`
    Shutdown,
    /// `cmd/reboot`
    Reboot,
    /// `cmd/identify`
    Identify,
    /// `cmd/camera`
    SetCamera,
    /// `cmd/preview`
    PreviewLease,
    /// `cmd/result`
    Result,
    /// Another word after `cmd/`: nobody obeys it, but it is answered.
    UnknownCommand(String),
    /// `take/current`
    Take,
    /// `take/marks`
    Marks,
    /// `status/<ip>`
    Status(Ipv4Addr),
    /// `download/<take>`
    Progress(TakeName),
    /// `order/<ip>`
    Order(Ipv4Addr),
    /// `camera/<ip>`
    Camera(Ipv4Addr),
    /// `answer/<ip>`
    Answer(Ipv4Addr),
    /// `preview/<ip>`
    Preview(Ipv4Addr),
    /// `controller`
    Controller,
}

impl Topic {
    /// Reads a topic; `None` for what is not of the contract.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once('/') {
            None if text == "controller" => Self::Controller,
            None => return None,
            Some(("cmd", word)) => match word {
                "start" => Self::Start,
                "stop" => Self::Stop,
                "mark" => Self::Mark,
                "download" => Self::Download,
                "shutdown" => Self::Shutdown,
                "reboot" => Self::Reboot,
                "identify" => Self::Identify,
                "camera" => Self::SetCamera,
                "preview" => Self::PreviewLease,
                "result" => Self::Result,
                other => Self::UnknownCommand(other.to_owned()),
            },
            Some(("take", "current")) => Self::Take,
            Some(("take", "marks")) => Self::Marks,
            Some(("status", ip)) => Self::Status(ip.parse().ok()?),
            Some(("order", ip)) => Self::Order(ip.parse().ok()?),
            Some(("camera", ip)) => Self::Camera(ip.parse().ok()?),
            Some(("answer", ip)) => Self::Answer(ip.parse().ok()?),
            Some(("preview", ip)) => Self::Preview(ip.parse().ok()?),
            Some(("download", take)) => Self::Progress(take.parse().ok()?),
            Some(_) => return None,
        })
    }

    /// This topic's row; an unknown command has none.
    pub fn row(&self) -> Option<&'static Row> {
        let pattern = match self {
            Self::Start => "cmd/start",
            Self::Stop => "cmd/stop",
            Self::Mark => "cmd/mark",
            Self::Download => "cmd/download",
            Self::Shutdown => "cmd/shutdown",
            Self::Reboot => "cmd/reboot",
            Self::Identify => "cmd/identify",
            Self::SetCamera => "cmd/camera",
            Self::PreviewLease => "cmd/preview",
            Self::Result => "cmd/result",
            Self::UnknownCommand(_) => return None,
            Self::Take => "take/current",
            Self::Marks => "take/marks",
            Self::Status(_) => "status/<ip>",
            Self::Progress(_) => "download/<take>",
            Self::Order(_) => "order/<ip>",
            Self::Camera(_) => "camera/<ip>",
            Self::Answer(_) => "answer/<ip>",
            Self::Preview(_) => "preview/<ip>",
            Self::Controller => "controller",
        };
        TABLE.iter().find(|row| row.pattern == pattern)
    }

    /// Whether the broker keeps the last message.
    pub fn retained(&self) -> bool {
        self.row().is_some_and(|row| row.retained)
    }

    /// What Syncslate publishes it with.
    pub fn qos(&self) -> Qos {
        self.row().map_or(AtMostOnce, |row| row.qos)
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownCommand(word) => write!(f, "cmd/{word}"),
            Self::Status(ip) => write!(f, "status/{ip}"),
            Self::Order(ip) => write!(f, "order/{ip}"),
            Self::Camera(ip) => write!(f, "camera/{ip}"),
            Self::Answer(ip) => write!(f, "answer/{ip}"),
            Self::Preview(ip) => write!(f, "preview/{ip}"),
            Self::Progress(take) => write!(f, "download/{take}"),
            fixed => f.write_str(fixed.row().map_or("", |row| row.pattern)),
        }
    }
}

/// The topic reference of the users' guide, as a Markdown table.
pub fn reference() -> String {
    let mut out = String::from("| topic | from → to | retained | QoS | payload |\n|---|---|---|---|---|\n");
    for row in &TABLE {
        let retained = if row.retained { "yes" } else { "no" };
        let qos = match row.qos {
            AtMostOnce => 0,
            AtLeastOnce => 1,
        };
        let _ = writeln!(out, "| `{}` | {} | {retained} | {qos} | {} |", row.pattern, row.route, row.payload);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every() -> Vec<Topic> {
        let ip = Ipv4Addr::new(192, 168, 1, 101);
        TABLE
            .iter()
            .map(|row| row.pattern.replace("<ip>", &ip.to_string()).replace("<take>", "test_001"))
            .map(|text| Topic::parse(&text).unwrap_or_else(|| panic!("{text}")))
            .collect()
    }

    #[test]
    fn every_row_has_a_topic_that_survives_its_text() {
        for (topic, row) in every().iter().zip(&TABLE) {
            assert_eq!(Topic::parse(&topic.to_string()).as_ref(), Some(topic));
            assert_eq!(topic.row().unwrap().pattern, row.pattern);
        }
    }

    #[test]
    fn the_users_reference_is_made_from_this_table() {
        let guide = include_str!("../../guide/automate.md");
        assert!(guide.contains(&reference()), "guide/automate.md lacks this table:\n{}", reference());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(cmd|take|status|preview|download|x)?/?\\PC{0,30}") {
            if let Some(topic) = Topic::parse(&text) {
                prop_assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
            }
        }
    }
}
