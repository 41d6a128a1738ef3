//! The formats that a timeline is written in. All pure: from a [`crate::timeline::Timeline`] to text.

pub mod fcpxml;
pub mod markers;
pub mod otio;
pub mod xmeml;
mod xml;

pub(crate) use xml::escaped;

#[cfg(test)]
pub(crate) mod kit;
