//! The small files of a take: its manifest and its marks, each written whole.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::{Drop, Manifest};
use syncslate_shared::markers;
use syncslate_shared::protocol::Take;

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
