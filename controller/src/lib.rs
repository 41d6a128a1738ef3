//! The controller: the take, the fleet, the downloads, the page.
//!
//! Modules in reading order. [`event`] lists what can happen and what can be done about it. [`desk`] decides, made of
//! the pure state machines [`takes`] (with [`roll`], which chooses T0, and [`journal`]), [`fleet`] (with [`preflight`] and
//! [`orders`]), [`naming`], [`marks`], [`once`] and [`downloads`] (with [`wanted`], [`which`], `job`, `meter` and `follow`). [`run`] is the one loop that does
//! what the desk decides, with [`store`], [`shelf`] (and [`library`]), [`rsync`] and [`fetch`] (with `piece`, `proof`,
//! [`homes`], [`ledger`], [`room`], [`freeable`] and [`cleanup`]). [`reports`] makes the sync reports of takes, [`verify`] (with
//! [`pictures`]) puts light beside their stamps. [`check`]
//! and [`console`] are the other things that the program can be asked for. [`embedded`] is the broker, with its
//! [`accounts`] and [`secret`]s. The web comes in by [`door`], past the [`lock`], and sees a [`snapshot`], and by the
//! [`viewfinder`] the nodes' pictures ([`previews`]).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod about;
pub mod accounts;
pub mod cameras;
pub mod check;
pub mod chronicle;
pub mod cleanup;
pub mod console;
pub mod desk;
pub mod digest;
pub mod door;
pub mod downloads;
pub mod echo;
pub mod embedded;
pub mod errand;
pub mod event;
pub mod export_settings;
pub mod exports;
pub mod fetch;
pub mod fleet;
pub(crate) mod follow;
pub mod freeable;
pub(crate) mod hands;
pub mod homeassistant;
pub mod homes;
pub(crate) mod inbox;
pub(crate) mod job;
pub mod journal;
pub mod ledger;
pub(crate) mod leftovers;
pub mod library;
pub mod lock;
pub mod logbook;
pub mod marks;
pub(crate) mod meter;
pub mod naming;
pub mod once;
pub mod orders;
pub mod part;
pub mod pictures;
pub(crate) mod piece;
pub mod preflight;
pub mod previews;
pub(crate) mod proof;
pub mod report_settings;
pub mod reports;
pub mod roll;
pub mod room;
pub mod rsync;
pub mod run;
pub mod secret;
pub mod settings;
pub mod shelf;
pub mod snapshot;
pub mod store;
pub mod takes;
pub mod trash;
pub mod verify;
pub mod viewfinder;
pub mod wanted;
pub mod web;
pub mod which;
pub mod wishes;

pub use syncslate_shared::size;

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod kit;
