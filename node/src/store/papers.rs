//! The small files of a take: its manifest and its marks, each written whole.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::{Drop, Manifest, TimedReading};
use syncslate_shared::markers;
use syncslate_shared::protocol::{ClockReading, Take};
use syncslate_shared::time::Wall;

use super::Identity;

/// The manifest of a take of which nothing is kept yet.
pub(super) fn blank(take: &Take, identity: &Identity) -> Manifest {
    Manifest {
        v: 1,
        take: take.id.name.clone(),
        id: take.id.clone(),
        stamp: take.id.stamp.clone(),
        ip: identity.ip,
        name: identity.name.clone(),
        t0: take.t0,
        t1: None,
        segment_s: take.segment_s,
        camera: None,
        encoder: None,
        stamps: None,
        clock_at_roll: identity.clock.clone(),
        clock_at_cut: None,
        clock_readings: Vec::new(),
        skew_us: None,
        lead_in_frames: 0,
        frames: 0,
        segments: Vec::new(),
        gaps: Vec::new(),
        drops: Vec::new(),
        paused: None,
        marks: Vec::new(),
        finished: false,
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// Adds frames that are missing; those that follow within a second of others of the same side are told with them, so
/// that a camera that drops for hours does not fill the manifest.
pub(super) fn add_drop(drops: &mut Vec<Drop>, drop: Drop) {
    match drops.iter_mut().rev().find(|last| last.by == drop.by) {
        Some(last) if drop.from.since_us(last.to) < 1_000_000 => {
            last.to = drop.to;
            last.frames += drop.frames;
        }
        _ => drops.push(drop),
    }
}

/// A reading a minute, of longer takes every second, fourth, … minute: so many at most.
const READINGS: i64 = 720;
const MINUTE_US: i64 = 60_000_000;

/// Notes how the clock is when a frame was exposed `at`, if that was not noted in this minute.
pub(super) fn note_clock(manifest: &mut Manifest, at: Wall, clock: Option<&ClockReading>) -> bool {
    let Some(clock) = clock else { return false };
    let t0 = manifest.t0;
    let minute = |at: Wall| at.since_us(t0).div_euclid(MINUTE_US);
    let mut step = 1;
    while minute(at) / step >= READINGS {
        step *= 2;
    }
    let readings = &mut manifest.clock_readings;
    let last = readings.last().map_or(0, |reading| minute(reading.at));
    if minute(at) / step <= last / step {
        return false;
    }
    if readings.len() as i64 >= READINGS {
        readings.retain(|reading| minute(reading.at) % step == 0);
    }
    readings.push(TimedReading { at, clock: clock.clone() });
    true
}

/// Reads a take's manifest; `None` when there is none.
pub(super) fn read_manifest(videos: &Path, base: &Base) -> Result<Option<Manifest>, String> {
    let path = videos.join(base.file(Kind::Manifest));
    match std::fs::read(&path) {
        Ok(bytes) => syncslate_shared::protocol::read(&bytes)
            .map(Some)
            .map_err(|e| format!("the manifest {} is damaged: {e}", path.display())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("cannot read {}: {e}", path.display())),
    }
}

pub(super) fn write_manifest(videos: &Path, base: &Base, manifest: &Manifest) -> Result<(), String> {
    let mut json = serde_json::to_vec_pretty(manifest).map_err(|e| format!("cannot write the manifest: {e}"))?;
    json.push(b'\n');
    replace(videos, &base.file(Kind::Manifest), &json)
}

pub(super) fn write_markers(videos: &Path, base: &Base, manifest: &Manifest) -> Result<(), String> {
    replace(videos, &base.file(Kind::Markers), markers::write(manifest).as_bytes())
}

/// Writes a small file whole: a crash leaves the old one or the new one.
pub(super) fn replace(videos: &Path, name: &str, bytes: &[u8]) -> Result<(), String> {
    let run = || {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(videos)?;
        file.write_all(bytes)?;
        file.as_file().sync_data()?;
        // tempfile makes files that only their owner reads; the Control Pi may come as another user.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
        file.persist(videos.join(name)).map_err(|e| e.error)?;
        // Else a power cut could still take the new name back.
        File::open(videos)?.sync_all()
    };
    run().map_err(|e: std::io::Error| format!("cannot write {}: {e}", videos.join(name).display()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn rolling() -> Manifest {
        let t0 = Wall::from_micros(1_761_220_930_500_000);
        let id = syncslate_shared::take::TakeId::try_from("A01_20251023_140210".to_owned()).unwrap();
        let take = Take { id, t0, t1: None, segment_s: 60, nodes: Vec::new() };
        let ip = Ipv4Addr::new(192, 168, 1, 101);
        blank(&take, &Identity { ip, name: "left".into(), camera: None, facts: None, clock: None })
    }

    #[test]
    fn the_clock_is_noted_once_a_minute_and_never_without_end() {
        let reading =
            ClockReading { source: Some("chrony".into()), synced: true, offset_us: Some(7), error_us: Some(83) };
        let mut manifest = rolling();
        let t0 = manifest.t0;
        note_clock(&mut manifest, t0.offset_us(59_900_000), Some(&reading));
        assert!(manifest.clock_readings.is_empty(), "the first minute has the reading at the roll");
        let mut most = 0;
        // Four days, looked at twice a second.
        for k in 0..4 * 86_400 * 2 {
            note_clock(&mut manifest, t0.offset_us(k * 500_000), Some(&reading));
            most = most.max(manifest.clock_readings.len());
        }
        let minutes = manifest.clock_readings.iter().map(|reading| reading.at.since_us(t0) / MINUTE_US);
        assert!(minutes.eq((1..720).map(|k| k * 8)) && most <= 720, "{most}");
        assert!(!note_clock(&mut manifest, t0.offset_us(i64::MAX), None), "what is not known is not noted");
        let json = serde_json::to_string(&manifest.clock_readings[0]).unwrap();
        assert!(json.contains(r#""source":"chrony""#) && json.contains(r#""error_us":83"#), "{json}");
    }
}
