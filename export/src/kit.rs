//! What this crate's tests share.

use serde_json::json;
use syncslate_shared::manifest::Manifest;

/// The manifest of a camera of `fps` frames a second that knows nothing of its frames.
pub(crate) fn manifest(fps: f64) -> Manifest {
    serde_json::from_value(json!({
        "v": 1, "take": "A", "id": "A_20251023_140210", "stamp": "20251023_140210", "ip": "10.0.0.1", "name": "left",
        "t0": "2025-10-23T12:02:10.500000Z", "t1": null, "segment_s": 60,
        "camera": {"kind": "test", "model": null, "width": 640, "height": 360, "fps": fps, "start_ms": 1, "ring_s": 4.0},
        "encoder": null, "stamps": null, "clock_at_roll": null, "clock_at_cut": null, "skew_us": null,
        "lead_in_frames": 0, "frames": 0, "segments": [], "gaps": [], "marks": [], "finished": true, "version": "0",
    }))
    .unwrap()
}
