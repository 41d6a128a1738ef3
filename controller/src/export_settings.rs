//! `[export]`: how takes are made for editors.

use serde::Deserialize;
use syncslate_export::rate::Zone;

/// The section; what is left out has its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSection {
    /// Whose time of day timecodes are: `utc`, which is also the default, or `local`.
    pub timecode: Zone,
}
