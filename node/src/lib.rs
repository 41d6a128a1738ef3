//! The node: a camera computer that records what the take says.
//!
//! Pictures flow one way: camera → encoder → ring → session → store. The session alone decides what is kept.

pub mod backlog;
pub mod camera;
pub mod decode;
pub mod encoder;
pub mod event;
pub mod fifo;
pub mod findings;
pub mod framecrc;
pub mod h264;
pub mod ivf;
pub mod led;
pub mod orders;
pub mod phase;
pub mod picture;
pub mod power;
pub mod preview;
pub mod probe;
pub mod readback;
pub mod ring;
pub mod run;
pub mod session;
pub mod settings;
pub mod space;
pub mod steps;
pub mod store;
pub mod supervisor;
pub mod wishes;
