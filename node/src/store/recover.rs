//! Takes that a crash, a power cut or a missed STOP left behind: repaired to the last whole picture, cut at T1,
//! finished. Footage is set aside at worst, never deleted, but for what was recorded after T1.

use std::fs::OpenOptions;
use std::path::Path;

use syncslate_shared::files::{Base, FRAMES_HEADER, FrameRow, Kind, digest_line, parse_digests};
use syncslate_shared::manifest::{Gap, Manifest, SegmentEntry};
use syncslate_shared::protocol::Take;
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;

use super::papers::{blank, read_manifest, replace, write_manifest, write_markers};
use super::{Identity, place, segment::digest_file};

/// Makes footage, frame table, digests and manifest of a take agree. `None` when nothing of it is there. A manifest that
/// a power cut left empty or did not leave at all is made anew from `blank`, where that is known.
pub(super) fn repair(videos: &Path, base: &Base, blank: Option<Manifest>) -> Result<Option<Manifest>, String> {
    let found = match (read_manifest(videos, base), blank) {
        (Ok(None), blank) => blank.filter(|_| videos.join(base.file(Kind::Frames)).exists()),
        (Err(e), Some(blank)) => {
            tracing::error!("{e}: it is made anew from the frame table");
            set_aside(&videos.join(base.file(Kind::Manifest)), "json.damaged");
            Some(blank)
        }
        (found, _) => found?,
    };
    let Some(mut manifest) = found else { return Ok(None) };
    let rows = read_rows(videos, base);
    let digests_path = videos.join(base.file(Kind::Digests));
    let digests = parse_digests(&std::fs::read_to_string(digests_path).unwrap_or_default());
    let mut whole: Vec<FrameRow> = Vec::with_capacity(rows.len());
    manifest.segments.clear();
    for rows in rows.chunk_by(|a, b| a.segment == b.segment) {
        let Some(first) = rows.first() else { continue };
        let file = base.file(Kind::Segment(first.segment));
        let path = videos.join(&file);
        let length = path.metadata().map_or(0, |m| m.len());
        let kept = &rows[..rows.partition_point(|row| row.offset + row.bytes <= length)];
        let bytes = kept.last().map_or(0, |row| row.offset + row.bytes);
        if kept.is_empty() {
            if length > 0 {
                set_aside(&path, "h264.torn");
            }
            continue;
        }
        let known = digests.iter().find(|(name, _)| *name == file).filter(|_| bytes == length);
        if bytes < length {
            truncate(&path, bytes)?;
        }
        let sha256 = match known {
            Some((_, sha256)) => sha256.clone(),
            None => digest_file(&path)?,
        };
        let entry = SegmentEntry {
            index: first.segment,
            file,
            first_frame: first.frame,
            frames: kept.len() as u64,
            bytes,
            start: first.time,
            sha256,
        };
        manifest.segments.push(entry);
        whole.extend_from_slice(kept);
    }
    set_aside_unknown(videos, base, &manifest);
    manifest.frames = whole.len() as u64;
    write_rows(videos, base, &whole)?;
    write_digests(videos, base, &manifest)?;
    write_manifest(videos, base, &manifest)?;
    Ok(Some(manifest))
}

/// Finishes every take in the folder that is not finished, but for the one that is rolling.
///
/// # Errors
/// What could not be written. A take whose files cannot be understood is told and passed over: trying again would not help.
pub(super) fn finish_others(
    videos: &Path,
    rolling: Option<&TakeId>,
    ended: &[Take],
    identity: &Identity,
) -> Result<(), String> {
    let shown = videos.display();
    let entries = std::fs::read_dir(videos).map_err(|e| format!("cannot read the videos folder {shown}: {e}"))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(Base::parse));
    let open = names.filter(|(base, kind)| matches!(kind, Kind::Manifest | Kind::Frames) && rolling != Some(&base.id));
    let mut bases: Vec<Base> = open.map(|(base, _)| base).collect();
    bases.sort();
    bases.dedup();
    let mut outcome = Ok(());
    for base in bases {
        let take = ended.iter().find(|take| take.id == base.id);
        let blank = take.map(|take| blank(take, identity));
        match read_manifest(videos, &base) {
            Ok(Some(manifest)) if manifest.finished => {}
            Err(e) if take.is_none() => tracing::error!("the take {} could not be finished: {e}", base.id),
            _ => {
                if let Err(e) = finish_one(videos, &base, take.and_then(|take| take.t1), blank) {
                    outcome = Err(format!("the take {} could not be finished: {e}", base.id));
                }
            }
        }
    }
    outcome
}

fn finish_one(videos: &Path, base: &Base, t1: Option<Wall>, blank: Option<Manifest>) -> Result<(), String> {
    let Some(mut manifest) = repair(videos, base, blank)? else { return Ok(()) };
    if let Some(t1) = t1 {
        cut_back(videos, base, &mut manifest, t1)?;
        let last = read_rows(videos, base).last().map(|row| row.time);
        manifest.gaps.extend(gap_at_end(&manifest, last, t1));
    }
    manifest.t1 = t1;
    manifest.paused = None;
    manifest.finished = true;
    let marks = manifest.marks.iter().map(|placed| placed.mark.clone()).collect();
    manifest.marks = place::all(videos, base, marks)?;
    write_markers(videos, base, &manifest)?;
    write_manifest(videos, base, &manifest)?;
    tracing::info!("the take {} was left open and is finished now: {} frames", base.id, manifest.frames);
    Ok(())
}

/// What is missing between the last picture and T1, when the node was not there or not able to record it.
fn gap_at_end(manifest: &Manifest, last: Option<Wall>, t1: Wall) -> Option<Gap> {
    let from = last.unwrap_or(manifest.t0);
    let fps = manifest.camera.as_ref().map_or(30.0, |camera| camera.fps.max(1.0));
    let told = manifest.gaps.iter().any(|gap| gap.to >= t1);
    let missing = t1.since_us(from) > (2e6 / fps) as i64;
    let (cause, detail) = match &manifest.paused {
        Some(pause) => (pause.cause.clone(), pause.detail.clone()),
        None => ("node_restarted".into(), "the node's program was not running when the take ended".into()),
    };
    (missing && !told).then_some(Gap { from, to: t1, cause, detail })
}

/// Takes away what was kept at or after `t1`; gives the new length of the frame table in bytes.
pub(super) fn cut_back(videos: &Path, base: &Base, manifest: &mut Manifest, t1: Wall) -> Result<u64, String> {
    let mut rows = read_rows(videos, base);
    // From the end: a clock that was set back leaves early pictures with late stamps, and those are not after T1.
    let keep = rows.iter().rposition(|row| row.time < t1).map_or(0, |last| last + 1);
    let first_out = rows.get(keep).copied();
    rows.truncate(keep);
    if let Some(out) = first_out {
        let (kept, cut): (Vec<_>, Vec<_>) = manifest
            .segments
            .drain(..)
            .partition(|s| s.index < out.segment || (s.index == out.segment && out.offset > 0));
        manifest.segments = kept;
        for entry in cut {
            let path = videos.join(&entry.file);
            std::fs::remove_file(&path).map_err(|e| format!("cannot remove {}: {e}", path.display()))?;
        }
        if let Some(entry) = manifest.segments.last_mut().filter(|s| s.index == out.segment) {
            let path = videos.join(&entry.file);
            truncate(&path, out.offset)?;
            entry.bytes = out.offset;
            entry.frames = out.frame - entry.first_frame;
            entry.sha256 = digest_file(&path)?;
        }
        manifest.frames = rows.len() as u64;
        manifest.gaps.retain(|gap| gap.from < t1);
        manifest.drops.retain(|drop| drop.from < t1);
        write_digests(videos, base, manifest)?;
    }
    write_rows(videos, base, &rows)
}

/// The first index from `next` on whose file is not there.
pub(super) fn free_index(videos: &Path, base: &Base, next: u32) -> u32 {
    (next..u32::MAX).find(|index| !videos.join(base.file(Kind::Segment(*index))).exists()).unwrap_or(u32::MAX)
}

/// The lines of the table up to the first one that cannot be read.
fn read_rows(videos: &Path, base: &Base) -> Vec<FrameRow> {
    let bytes = std::fs::read(videos.join(base.file(Kind::Frames))).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.split('\n').skip(1).map_while(|line| FrameRow::parse(line).ok()).collect()
}

fn write_rows(videos: &Path, base: &Base, rows: &[FrameRow]) -> Result<u64, String> {
    let mut text = format!("{FRAMES_HEADER}\n");
    for row in rows {
        text.push_str(&row.to_string());
        text.push('\n');
    }
    let path = videos.join(base.file(Kind::Frames));
    if std::fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(text.len() as u64);
    }
    // In place and not by a new file: who has the table open goes on with it. It only ever gets shorter.
    let run = || {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        std::os::unix::fs::FileExt::write_all_at(&file, text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)?;
        file.sync_all()
    };
    run().map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(text.len() as u64)
}

pub(super) fn write_digests(videos: &Path, base: &Base, manifest: &Manifest) -> Result<(), String> {
    let text: String = manifest.segments.iter().map(|s| digest_line(&s.sha256, &s.file)).collect();
    replace(videos, &base.file(Kind::Digests), text.as_bytes())
}

fn truncate(path: &Path, length: u64) -> Result<(), String> {
    let run = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.sync_all()
    };
    run().map_err(|e| format!("cannot cut {} to {length} bytes: {e}", path.display()))
}

/// Footage that no table speaks of is not played, but not deleted either.
fn set_aside_unknown(videos: &Path, base: &Base, manifest: &Manifest) {
    let Ok(entries) = std::fs::read_dir(videos) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().and_then(Base::parse);
        if let Some((found, Kind::Segment(index))) = ours
            && found == *base
            && !manifest.segments.iter().any(|s| s.index == index)
        {
            set_aside(&entry.path(), "h264.torn");
        }
    }
}

fn set_aside(path: &Path, as_what: &str) {
    let aside = path.with_extension(as_what);
    match std::fs::rename(path, &aside) {
        Ok(()) => tracing::warn!("{} cannot be understood and is set aside as {}", path.display(), aside.display()),
        Err(e) => tracing::warn!("{} cannot be set aside: {e}", path.display()),
    }
}
