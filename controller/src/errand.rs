//! What is to be done at a node, and what comes back: files, parts of downloads, how far they are, why they fail. Plain data.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use syncslate_shared::take::{TakeId, TakeName};

use crate::which::Which;

/// A file that a node has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteFile {
    /// Its name, one of ours.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What each node that was asked has, or why it could not be asked.
pub type Listings = BTreeMap<Ipv4Addr, Result<Vec<RemoteFile>, String>>;

/// What is to be fetched from a node, and what becomes of it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// The take's name.
    pub take: TakeName,
    /// From where.
    pub ip: Ipv4Addr,
    /// Only these takes of the name.
    pub which: Which,
    /// Of these the node's copies are deleted, once they are proven equal.
    pub delete: Which,
    /// A take of the name that is rolling, and what is done about it.
    pub growing: Option<Growing>,
    /// Whether the node's processor has instructions for AES.
    pub aes: bool,
}

/// A take whose files grow still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Growing {
    /// None of its files is fetched.
    LeftOut(TakeId),
    /// Footage files that the node has closed are fetched, at low priority; the rest comes after STOP.
    ClosedOnly(TakeId),
}

/// How far one node's part of a download is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many files it has.
    pub files: u64,
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes that will be here.
    pub total_bytes: u64,
    /// Files whose SHA-256 was found equal here.
    pub verified: u64,
}

/// The end of one node's part of a download: `Ok` with what the operator should know, or why it failed.
pub type Fetched = Result<Option<String>, Broken>;

/// Why something did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The evidence, and what to do.
    pub why: String,
    /// Whether it may go better the next time without anybody's doing: the network, a full disk.
    pub again: bool,
}

impl Broken {
    /// It is worth another try.
    pub fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: true }
    }

    /// Somebody has to do something first.
    pub fn for_good(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: false }
    }
}

impl From<String> for Broken {
    fn from(why: String) -> Self {
        Self::for_good(why)
    }
}

/// A part that has not come to its end: what a restart goes on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The take.
    pub take: TakeName,
    /// The node.
    pub ip: Ipv4Addr,
    /// Only these takes of the name.
    #[serde(default = "all")]
    pub which: Which,
    /// Of these the node's copies are deleted at the end.
    pub delete: Which,
}

fn all() -> Which {
    Which::ALL
}
