//! The controller: the take, the fleet, the downloads, the page.
//!
//! Modules in reading order. [`event`] lists what can happen and what can be done about it. [`desk`] decides, made of
//! the pure state machines [`takes`] (with [`roll`], which chooses T0, and [`journal`]), [`fleet`] (with [`preflight`]) and [`downloads`]
//! (with [`wanted`]). [`run`] is the one loop that does what the desk decides, with [`store`], [`shelf`] (and
//! [`library`]), [`rsync`] and [`fetch`] (with [`ledger`], [`room`] and [`cleanup`]) [`check`] and [`console`] are the other
//! things that the program can be asked for. [`embedded`] is the broker, with its [`accounts`] and [`secret`]s. The web comes in by [`door`], past the [`lock`], and sees a [`snapshot`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod accounts;
pub mod check;
pub mod cleanup;
pub mod console;
pub mod desk;
pub mod digest;
pub mod door;
pub mod downloads;
pub mod echo;
pub mod embedded;
pub mod event;
pub mod fetch;
pub mod fleet;
pub mod journal;
pub mod ledger;
pub mod library;
pub mod lock;
pub mod power;
pub mod preflight;
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
pub mod wanted;
pub mod web;

pub use syncslate_shared::size;

#[cfg(test)]
mod kit;
