//! What can happen to the controller, and what it can do about it: the two closed lists between the pure
//! [`crate::desk::Desk`] and the loop that does its bidding. Pure.

use std::net::Ipv4Addr;

use bytes::Bytes;
use syncslate_shared::command::{Command, CommandResult, MarkChange, Refusal};
use syncslate_shared::link::LinkEvent;
use syncslate_shared::protocol::Marks;
use syncslate_shared::take::{TakeId, TakeName};
use syncslate_shared::time::{Mono, Wall};
use syncslate_shared::topic::Topic;

use crate::errand::{Errand, Fetched, Listings, Pending, Progress};
use crate::journal::Journal;
use crate::snapshot::TakeSummary;
use crate::wishes::Wishes;

/// When something happened, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What cameras and messages agree on; it can step.
    pub wall: Wall,
    /// What deadlines are measured with.
    pub mono: Mono,
}

/// Who waits for an answer besides those who listen on `cmd/result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody: the command came by MQTT.
    Mqtt,
    /// The request with this number at the web's door.
    Door(u64),
}

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// From the broker.
    Link(LinkEvent),
    /// The embedded broker turned a retained command away.
    RetainRefused {
        /// Its topic without the prefix.
        topic: String,
        /// What it carried.
        payload: Bytes,
    },
    /// The embedded broker had something to say that the operator should see.
    Broker {
        /// In words.
        notice: String,
    },
    /// A command from the page.
    Asked {
        /// The command.
        command: Command,
        /// Whom to answer.
        asker: Asker,
    },
    /// The downloads folder holds something else than before.
    Library(Vec<TakeSummary>),
    /// The nodes were asked what they have.
    Listed(Listings),
    /// A part of a download went on.
    Progress {
        /// The take.
        take: TakeName,
        /// The node.
        ip: Ipv4Addr,
        /// How far it is.
        progress: Progress,
    },
    /// A part of a download ended.
    Fetched {
        /// The take.
        take: TakeName,
        /// The node.
        ip: Ipv4Addr,
        /// How.
        outcome: Fetched,
    },
    /// The marks of an older take were changed, or could not be.
    Remarked {
        /// Who waits.
        asker: Asker,
        /// The command.
        command: Command,
        /// The take.
        id: TakeId,
        /// The mark's number.
        n: u32,
        /// What came of it.
        outcome: Result<(), Refusal>,
    },
    /// The journal was written, or could not be.
    Kept(Result<(), String>),
    /// Something else could not be written: why, and what that means.
    NotKept(String),
    /// A moment passed.
    Tick,
}

/// Something to be done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write the journal before anything after this is done.
    Keep(Box<Journal>),
    /// Write down what is wished of the cameras, before anything after this is done.
    KeepCameras(Box<Wishes>),
    /// Write down what is still to be fetched, for a restart.
    KeepQueue(Vec<Pending>),
    /// Change a mark of an older take whose footage is here.
    Remark(Box<Remark>),
    /// Keep the marks of the last take beside its footage.
    KeepMarks {
        /// The folder of the take.
        folder: TakeName,
        /// All of them.
        marks: Marks,
    },
    /// Say it to everybody.
    Say {
        /// Where.
        topic: Topic,
        /// What.
        payload: Vec<u8>,
    },
    /// Say of a node that left no last will that it is gone.
    Depart {
        /// The node.
        ip: Ipv4Addr,
    },
    /// Take a retained message off the broker.
    Clear {
        /// Where.
        topic: String,
    },
    /// Answer a command, on `cmd/result` and to whom waits for it.
    Answer {
        /// Who waits.
        asker: Asker,
        /// The answer.
        result: Box<CommandResult>,
    },
    /// Tell the pages.
    News {
        /// The event's name.
        topic: String,
        /// Its JSON.
        json: String,
    },
    /// Ask these nodes what they have, all at once.
    List {
        /// Whom.
        nodes: Vec<Ipv4Addr>,
    },
    /// Fetch a take from a node.
    Fetch(Errand),
    /// Break a part of a download off; what has arrived stays.
    Abort {
        /// The take.
        take: TakeName,
        /// The node.
        ip: Ipv4Addr,
    },
    /// A line for the log.
    Note(String),
    /// A line for the log that somebody should read.
    Warn(String),
}

/// A change of a mark of an older take.
#[derive(Clone, Debug, PartialEq)]
pub struct Remark {
    /// Who waits.
    pub asker: Asker,
    /// The command.
    pub command: Command,
    /// The folder that the take lies in.
    pub folder: TakeName,
    /// The take.
    pub id: TakeId,
    /// The mark's number.
    pub n: u32,
    /// What becomes of it.
    pub change: MarkChange,
}

impl Effect {
    /// To say `value` as JSON.
    pub fn say<T: serde::Serialize>(topic: Topic, value: &T) -> Self {
        Self::Say { topic, payload: syncslate_shared::protocol::write(value) }
    }
}
