//! Takes for editors: films, timelines and markers made of a take's files, in a folder beside them.
//!
//! Modules in reading order: [`rate`] knows frame rates and timecodes, [`footage`] reads a camera's files, [`plan`] says
//! where its frames lie between T0 and T1, [`nal`] and [`boxes`] are MP4, [`film`] writes one camera's. [`timeline`] is the
//! whole take, [`formats`] write it down, [`names`] says what the files are called. [`conform`] chooses frames for a
//! constant rate, [`encode`] has ffmpeg make them, [`heavy`] says when light ones are needed, [`sheet`] is the contact
//! sheet, [`record`] what was made of what, and [`job`] does it all. Of these only `footage`, `film`, `encode` and `job`
//! touch the disk, and the private `parts`.
//!
//! What each file holds and why stands in `design/export.md`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod boxes;
pub mod conform;
pub mod encode;
pub mod film;
pub mod footage;
pub mod formats;
pub mod heavy;
pub mod job;
#[cfg(test)]
mod kit;
pub mod nal;
pub mod names;
mod parts;
pub mod plan;
pub mod rate;
pub mod record;
pub mod sheet;
pub mod timeline;

/// Why something was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Whoever asked for it wants it no more.
    Asked,
    /// It failed: what, where, evidence.
    Failed(String),
}

impl From<String> for Stopped {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}
