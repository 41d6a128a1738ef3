//! `[report]`: when takes get their sync reports, and from when on a verdict is amber or red.

use serde::Deserialize;
use syncslate_report::Limits;
use syncslate_shared::report::Failure;

/// The section; what is left out has its default. The thresholds are those of [`Limits`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSection {
    /// Whether takes get their reports by themselves.
    pub automatic: bool,
    /// In frame periods, 0 to 10.
    pub amber_misaligned_frames: f64,
    /// In frame periods, 0 to 10.
    pub red_misaligned_frames: f64,
    /// In milliseconds, 0 to 1000.
    pub amber_uncertainty_ms: f64,
    /// In milliseconds, 0 to 1000.
    pub red_uncertainty_ms: f64,
    /// In ppm, 0 to 10000.
    pub amber_drift_ppm: f64,
    /// In frame periods, 0 to 10.
    pub amber_jitter_frames: f64,
    /// In percent, 0 to 100.
    pub red_missing_percent: f64,
}

impl Default for ReportSection {
    fn default() -> Self {
        let Limits {
            amber_misaligned_frames,
            red_misaligned_frames,
            amber_uncertainty_ms,
            red_uncertainty_ms,
            amber_drift_ppm,
            amber_jitter_frames,
            red_missing_percent,
        } = Limits::default();
        Self {
            automatic: true,
            amber_misaligned_frames,
            red_misaligned_frames,
            amber_uncertainty_ms,
            red_uncertainty_ms,
            amber_drift_ppm,
            amber_jitter_frames,
            red_missing_percent,
        }
    }
}

/// How sync reports are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportSettings {
    /// Whether by themselves.
    pub automatic: bool,
    /// The verdict's thresholds.
    pub limits: Limits,
}

impl ReportSection {
    /// Checks it.
    ///
    /// # Errors
    /// A threshold lies outside its range.
    pub fn read(self) -> Result<ReportSettings, Failure> {
        let limit = |name: &str, set: f64, most: f64| {
            let refused = || Failure::usage(format!("`report.{name}` is {set}: it is 0 to {most}"));
            (0.0..=most).contains(&set).then_some(set).ok_or_else(refused)
        };
        let limits = Limits {
            amber_misaligned_frames: limit("amber_misaligned_frames", self.amber_misaligned_frames, 10.0)?,
            red_misaligned_frames: limit("red_misaligned_frames", self.red_misaligned_frames, 10.0)?,
            amber_uncertainty_ms: limit("amber_uncertainty_ms", self.amber_uncertainty_ms, 1000.0)?,
            red_uncertainty_ms: limit("red_uncertainty_ms", self.red_uncertainty_ms, 1000.0)?,
            amber_drift_ppm: limit("amber_drift_ppm", self.amber_drift_ppm, 10_000.0)?,
            amber_jitter_frames: limit("amber_jitter_frames", self.amber_jitter_frames, 10.0)?,
            red_missing_percent: limit("red_missing_percent", self.red_missing_percent, 100.0)?,
        };
        Ok(ReportSettings { automatic: self.automatic, limits })
    }
}
