//! The web door over real HTTP, on fabricated snapshots.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "tests")]

mod archives;
mod cameras;
mod client;
mod commands;
mod custody;
mod events;
mod export;
mod login;
mod marks;
mod media;
mod pages;
mod previews;
mod programs;
mod slate;
mod stage;
