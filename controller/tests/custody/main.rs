//! Downloads over a real sshd on the loopback, with real rsync and the real controller: each fault ends with all files
//! here, proven, and none lost.
//!
//! They need `sshd`, `ssh-keygen`, `rsync` and `rrsync`; the login on the nodes is an unprivileged user, with a key made
//! for the test: see `login` in `node.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod faults;
mod node;
mod refusals;
mod restricted;
mod rig;
