//! `<id>_export.json`: what was made, and of what, so that what is finished is not made again. Pure.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use syncslate_report::model::Source;
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;

use crate::rate::{Rate, Zone};

/// The version of this file.
pub const VERSION: u32 = 1;

/// The record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub v: u32,
    /// The take.
    pub id: TakeId,
    /// Where every film begins.
    pub t0: Wall,
    /// Where every film ends.
    pub t1: Wall,
    /// The timeline's rate.
    pub rate: Rate,
    /// The timecode of T0, at the timeline's rate.
    pub timecode: String,
    /// Whose time of day that is.
    pub zone: Zone,
    /// Whether the timelines show the films of a constant rate.
    pub conformed: bool,
    /// Whether the films together are too heavy for a browser that plays all of them.
    pub heavy: bool,
    /// The cameras.
    pub nodes: Vec<Node>,
    /// The films that are finished.
    pub made: Vec<Made>,
}

/// A camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its address.
    pub ip: Ipv4Addr,
    /// The name people gave it.
    pub name: String,
    /// Its reel.
    pub reel: String,
    /// Its film; `None` while there is none.
    pub film: Option<String>,
    /// Its light film; `None` while there is none.
    pub proxy: Option<String>,
    /// What is odd with its footage.
    pub notes: Vec<String>,
    /// Why it has no film.
    pub problem: Option<String>,
}

/// A finished film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// By what: bounds, rate, timecode, reel.
    pub how: String,
    /// Of what.
    pub of: Vec<Source>,
    /// What is odd with it.
    pub notes: Vec<String>,
}

impl Record {
    /// The film of this name, when it was made of these files in this way.
    pub fn made(&self, file: &str, how: &str, of: &[Source]) -> Option<&Made> {
        self.made.iter().find(|made| made.file == file && made.how == how && made.of == of)
    }

    /// Notes a film, in place of one of the same name.
    pub fn add(&mut self, made: Made) {
        self.made.retain(|other| other.file != made.file);
        self.made.push(made);
    }
}
