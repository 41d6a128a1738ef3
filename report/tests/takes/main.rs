//! Takes of simulated cameras: the report names what they are, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with a panic that says why")]

mod figures;
mod hostile;
mod kit;
mod pages;
