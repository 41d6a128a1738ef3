//! The test camera's picture: [`code`] is the part that programs read, [`draw`] the part that people read. Pure.

pub mod code;
pub mod draw;
mod text;
