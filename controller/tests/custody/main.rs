//! Downloads over a real sshd on the loopback, with real rsync and the real controller: each fault ends with all files
//! here, proven, and none lost.
//!
//! They need `sshd`, `ssh-keygen` and `rsync`; the ssh login is the user who runs them, with a key made for the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod faults;
mod node;
mod refusals;
mod rig;
