//! What the controller and the nodes share: the public contract in code.
//!
//! Modules in reading order: names and takes first, then the topics and payloads that carry them, the files
//! they end up in, and time. Those are pure: no file, no socket, no clock. [`access`], [`link`], [`child`], [`report`]
//! and [`systemd`] touch the world.

pub mod access;
pub mod camera;
pub mod child;
pub mod command;
pub mod files;
pub mod grid;
pub mod link;
pub mod manifest;
pub mod markers;
pub mod order;
pub mod preview;
pub mod processor;
pub mod protocol;
pub mod refusal;
pub mod report;
pub mod settings;
pub mod size;
pub mod sps;
pub mod systemd;
pub mod take;
pub mod time;
pub mod topic;
mod tunnel;
