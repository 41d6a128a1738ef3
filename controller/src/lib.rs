//! The controller: the take, the fleet, the downloads, the page.

pub mod door;
pub mod snapshot;
pub mod web;
