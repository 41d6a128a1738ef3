//! The slate: a code that a display shows and cameras film, and what it says of their stamps. Pure: no file, no
//! socket, no clock, no child.
//!
//! Modules in reading order. [`layout`] is the one table that the page `/slate` draws by and the decoder reads by.
//! [`image`], [`blobs`], [`quad`] and [`plane`] find a bright card in a picture, [`card`] its corner marks and modules,
//! [`finder`] follows it from picture to picture. [`compare`] puts what was read beside the frames' stamps, by
//! [`overlap`]; [`model`] is the outcome as JSON, [`verdict`] in words.
//!
//! The reasons are in `design/slate.md`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod blobs;
pub mod card;
pub mod compare;
pub mod finder;
pub mod image;
pub mod layout;
pub mod model;
pub mod overlap;
pub mod plane;
pub mod quad;
pub mod timeline;
pub mod verdict;

#[cfg(test)]
mod film;
