//! From when on a take is amber or red. Pure.

use serde::{Deserialize, Serialize};

/// The thresholds of the verdict; `[report]` in the controller's settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Frames of two cameras that are paired by nearest time lie so many frame periods apart. Half a period is what
    /// cameras that run free come to by nature.
    pub amber_misaligned_frames: f64,
    /// The same for red.
    pub red_misaligned_frames: f64,
    /// The clocks of two nodes may differ by so many milliseconds.
    pub amber_uncertainty_ms: f64,
    /// The same for red: at half a frame period the nearest frame may be the wrong one.
    pub red_uncertainty_ms: f64,
    /// A sensor's clock runs so much faster or slower than the wall clock, in ppm.
    pub amber_drift_ppm: f64,
    /// The 99th percentile of the jitter of intervals, in frame periods.
    pub amber_jitter_frames: f64,
    /// So many of a hundred frames of a camera are missing. Amber needs one.
    pub red_missing_percent: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            amber_misaligned_frames: 0.6,
            red_misaligned_frames: 1.0,
            amber_uncertainty_ms: 4.0,
            red_uncertainty_ms: 16.0,
            amber_drift_ppm: 200.0,
            amber_jitter_frames: 0.25,
            red_missing_percent: 5.0,
        }
    }
}
