//! Tests over real processes: the controller with its broker, nodes with simulated cameras, ffmpeg, rsync and the
//! Mosquitto clients. This library is the language they are written in: a [`rig::Rig`] is built, driven as an operator
//! would, and judged by the pictures themselves ([`judge`]).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with a panic that says why")]

pub mod browser;
pub mod computer;
pub mod crowd;
pub mod dice;
pub mod disk;
pub mod figures;
pub mod film;
pub mod guide;
pub mod judge;
pub mod lan;
pub mod mqtt;
pub mod operator;
pub mod process;
pub mod proxy;
pub mod rig;
pub mod swarm;
