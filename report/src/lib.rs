//! The sync report of a take: how well its cameras were in step, measured by the stamps of every frame.
//!
//! Modules in reading order: [`table`] reads frame tables, [`nominal`] knows what a frame rate asks for, [`count`] finds
//! what is missing, [`fit`] a camera's true period, [`node`] one camera's figures, [`pair`] those of two, [`fleet`] all of
//! them and the [`verdict`] by the [`limits`]. [`model`] is the report as JSON, [`page`] as HTML. All of these are pure.
//! [`folder`] alone touches the disk: it reads a take's files and writes the report beside them.
//!
//! Every figure is defined in `design/report.md`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod count;
pub mod fit;
pub mod fleet;
pub mod folder;
pub mod limits;
pub mod model;
pub mod names;
pub mod node;
pub mod nominal;
pub mod page;
pub mod pair;
pub mod table;
pub mod verdict;
mod words;

pub use fleet::{NodeInput, report};
pub use limits::Limits;
pub use model::{Report, Verdict};
