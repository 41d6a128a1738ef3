//! What is made for editors, read back by the tools that others use: ffprobe and ffmpeg.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with a panic that says why")]

mod film;
mod kit;
mod whole;
