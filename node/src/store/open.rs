//! A take's files while it is being recorded: segments, frame table, digests, marks, manifest.
//!
//! Order of writing: a picture's bytes first, then its line in the table. So after a crash the table never speaks of
//! bytes that are not there, unless the disk itself lost them; [`super::recover`] makes both agree.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use syncslate_shared::files::{Base, FRAMES_HEADER, FrameRow, Kind, digest_line};
use syncslate_shared::manifest::{Manifest, PlacedMark};
use syncslate_shared::protocol::{ClockReading, Take};
use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use super::papers::{add_drop, blank, note_clock, write_manifest, write_markers};
use super::place::Index;
use super::segment::Segment;
use super::sync::Syncer;
use super::{Identity, Kept, describe, recover};
use crate::camera::AccessUnit;
use crate::event::StoreCommand;
use crate::h264;

/// A take that is being recorded.
#[derive(Debug)]
pub(super) struct OpenTake {
    videos: std::path::PathBuf,
    base: Base,
    manifest: Manifest,
    table: Arc<File>,
    table_end: u64,
    index: Index,
    segment: Option<Segment>,
    /// A segment begins with the next picture.
    begin: bool,
    last: Option<Wall>,
    /// From here on pictures belong to the take.
    from: Wall,
    bytes: u64,
    /// The camera's SPS and PPS, for segments whose first picture comes without.
    parameter_sets: Vec<u8>,
    /// Marks that wait for a picture exposed after them.
    unplaced: bool,
    /// Missing frames were noted that the manifest on the disk does not tell yet.
    unsaved: bool,
    /// The list of digests could not be written to its end.
    digests_torn: bool,
    syncer: Syncer,
}

impl OpenTake {
    /// Begins the files of a take, or goes on with those that are there.
    pub(super) fn open(videos: &Path, take: Take, identity: &Identity, syncer: Syncer) -> Result<Self, String> {
        let base = Base { id: take.id.clone(), ip: identity.ip };
        let mut manifest = match recover::repair(videos, &base, Some(blank(&take, identity)))? {
            Some(manifest) => manifest,
            None => blank(&take, identity),
        };
        manifest.finished = false;
        manifest.t1 = None;
        describe(&mut manifest, identity);
        let path = videos.join(base.file(Kind::Frames));
        let (table, rows) = open_table(&path)?;
        let mut index = Index::default();
        let mut table_end = FRAMES_HEADER.len() as u64 + 1;
        for row in &rows {
            if row.key {
                index.note(row.time, table_end);
            }
            table_end += row.to_string().len() as u64 + 1;
        }
        let mut open = Self {
            videos: videos.to_owned(),
            base,
            table,
            table_end,
            index,
            segment: None,
            begin: false,
            last: rows.last().map(|row| row.time),
            from: manifest.t0,
            bytes: rows.iter().map(|row| row.bytes).sum(),
            parameter_sets: Vec::new(),
            unplaced: false,
            unsaved: false,
            digests_torn: false,
            syncer,
            manifest,
        };
        open.manifest.frames = rows.len() as u64;
        open.save()?;
        write_markers(&open.videos, &open.base, &open.manifest)?;
        Ok(open)
    }

    pub(super) fn id(&self) -> &TakeId {
        &self.base.id
    }

    /// Whether pictures are being written, and not passed over.
    pub(super) fn writing(&self) -> bool {
        self.segment.is_some()
    }

    pub(super) fn last(&self) -> Option<Wall> {
        self.last
    }

    pub(super) fn kept(&self) -> Kept {
        Kept {
            frames: self.manifest.frames,
            bytes: self.bytes,
            segment: self.segment.as_ref().map(|s| s.entry.index),
            skew_us: self.manifest.skew_us,
        }
    }

    pub(super) fn execute(&mut self, command: StoreCommand) -> Result<(), String> {
        match command {
            StoreCommand::Segment => {
                self.close_segment()?;
                self.begin = true;
                if self.manifest.paused.take().is_some() { self.save() } else { Ok(()) }
            }
            StoreCommand::Keep(unit) => self.keep(&unit),
            StoreCommand::From(from) => {
                self.from = from;
                Ok(())
            }
            StoreCommand::LeadIn(frames) => {
                self.manifest.lead_in_frames = frames;
                self.save()
            }
            StoreCommand::Gap(gap) => {
                self.manifest.gaps.push(gap);
                self.save()
            }
            StoreCommand::Dropped(drop) => {
                add_drop(&mut self.manifest.drops, drop);
                self.unsaved = true;
                Ok(())
            }
            StoreCommand::Pause(pause) => {
                let closed = self.close_segment();
                self.manifest.paused = Some(pause);
                self.save().and(closed)
            }
            StoreCommand::CutBack(t1) => self.cut_back(t1),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, unit: &AccessUnit) -> Result<(), String> {
        if std::mem::take(&mut self.begin) {
            let next = self.manifest.segments.last().map_or(0, |s| s.index + 1);
            let index = recover::free_index(&self.videos, &self.base, next);
            self.segment = Some(Segment::create(&self.videos, &self.base, index, self.manifest.frames, unit.time)?);
            self.watch();
        }
        // None is open when an earlier picture could not be written: this one waits for the next segment.
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let offset = segment.entry.bytes;
        let mut joined = Vec::new();
        let mut data: &[u8] = &unit.data;
        if unit.key {
            match h264::parameter_sets(data) {
                Some(sets) if sets != self.parameter_sets => self.parameter_sets = sets,
                Some(_) => {}
                None if offset == 0 => {
                    joined.extend_from_slice(&self.parameter_sets);
                    joined.extend_from_slice(data);
                    data = &joined;
                }
                None => {}
            }
        }
        let so_far = segment.so_far();
        segment.append(data)?;
        let (index, bytes) = (segment.entry.index, data.len() as u64);
        let (frame, time) = (self.manifest.frames, unit.time);
        let row = FrameRow { frame, segment: index, offset, bytes, key: unit.key, time };
        let line = format!("{row}\n");
        if let Err(e) = self.table.write_all_at(line.as_bytes(), self.table_end) {
            segment.undo(so_far);
            return Err(format!("cannot write to the frame table of {}: {e}", self.base));
        }
        if unit.key {
            self.index.note(unit.time, self.table_end);
        }
        self.table_end += line.len() as u64;
        self.manifest.frames += 1;
        self.bytes += row.bytes;
        self.last = Some(unit.time);
        if self.manifest.skew_us.is_none() && unit.time >= self.from {
            self.manifest.skew_us = Some(unit.time.since_us(self.manifest.t0));
        }
        if self.unplaced {
            self.place_marks(false)?;
        }
        // With an IDR, so twice a second at most.
        if unit.key && std::mem::take(&mut self.unsaved) {
            self.save()?;
        }
        Ok(())
    }

    /// Notes how the node's clock is at a kept picture, about once a minute.
    pub(super) fn clock(&mut self, at: Wall, clock: Option<&ClockReading>) {
        if self.segment.is_some() && note_clock(&mut self.manifest, at, clock) {
            self.unsaved = true;
        }
    }

    /// After a failed write: the segment ends with the last whole picture; what comes is passed over until the next one begins.
    pub(super) fn fail(&mut self) -> Option<Wall> {
        self.begin = false;
        // What was noted of pictures that are not there after all is noted again with the next ones.
        let after = |to: Wall| self.last.is_none_or(|last| to > last);
        self.manifest.gaps.retain(|gap| !after(gap.to));
        self.manifest.drops.retain(|drop| !after(drop.to));
        // Half a line may stand there.
        let _ = self.table.set_len(self.table_end);
        if let Err(e) = self.close_segment() {
            tracing::warn!("{e}");
        }
        self.last
    }

    fn close_segment(&mut self) -> Result<(), String> {
        let Some(segment) = self.segment.take() else { return Ok(()) };
        self.watch();
        let (entry, synced) = segment.close();
        self.manifest.segments.push(entry);
        self.add_digest()?;
        self.save()?;
        synced
    }

    /// Adds the last segment's digest to the list; one that is torn is written anew.
    fn add_digest(&mut self) -> Result<(), String> {
        let Some(entry) = self.manifest.segments.last() else { return Ok(()) };
        if std::mem::replace(&mut self.digests_torn, true) {
            recover::write_digests(&self.videos, &self.base, &self.manifest)?;
        } else {
            let path = self.videos.join(self.base.file(Kind::Digests));
            let add = || {
                let mut list = OpenOptions::new().append(true).create(true).open(&path)?;
                list.write_all(digest_line(&entry.sha256, &entry.file).as_bytes())?;
                list.sync_data()
            };
            add().map_err(|e: std::io::Error| format!("cannot write to {}: {e}", path.display()))?;
        }
        self.digests_torn = false;
        Ok(())
    }

    fn watch(&self) {
        let files = self.segment.iter().map(|s| Arc::clone(&s.file)).chain([Arc::clone(&self.table)]);
        self.syncer.watch(files.collect());
    }

    /// Takes all marks as they are now.
    pub(super) fn marks(&mut self, marks: Vec<Mark>) -> Result<(), String> {
        if self.manifest.marks.iter().map(|placed| &placed.mark).eq(&marks) {
            return Ok(());
        }
        self.manifest.marks = marks.into_iter().map(|mark| PlacedMark { mark, frame: None, segment: None }).collect();
        self.place_marks(true)
    }

    fn place_marks(&mut self, changed: bool) -> Result<(), String> {
        let last = self.last;
        let mut placed_one = false;
        self.unplaced = false;
        for placed in &mut self.manifest.marks {
            if placed.frame.is_some() {
                continue;
            }
            if last.is_some_and(|last| last > placed.mark.at) {
                *placed = self.index.place(&self.table, self.table_end, placed.mark.clone())?;
                placed_one = true;
            } else {
                self.unplaced = true;
            }
        }
        if changed || placed_one {
            write_markers(&self.videos, &self.base, &self.manifest)?;
            self.save()?;
        }
        Ok(())
    }

    fn cut_back(&mut self, t1: Wall) -> Result<(), String> {
        self.close_segment()?;
        self.table_end = recover::cut_back(&self.videos, &self.base, &mut self.manifest, t1)?;
        self.index.cut(self.table_end);
        self.last = self.last.map(|last| last.min(t1.offset_us(-1)));
        self.bytes = self.manifest.segments.iter().map(|s| s.bytes).sum();
        for placed in &mut self.manifest.marks {
            placed.frame = None;
        }
        Ok(())
    }

    /// Closes everything: no more pictures come.
    pub(super) fn finish(&mut self, t1: Wall, clock: Option<ClockReading>, identity: &Identity) -> Result<(), String> {
        let closed = self.close_segment();
        self.syncer.watch(Vec::new());
        describe(&mut self.manifest, identity);
        self.manifest.t1 = Some(t1);
        self.manifest.paused = None;
        self.manifest.clock_at_cut = clock;
        let table = self.table.set_len(self.table_end).and_then(|()| self.table.sync_data());
        let table = table.map_err(|e| format!("cannot sync the frame table of {}: {e}", self.base));
        if self.digests_torn {
            recover::write_digests(&self.videos, &self.base, &self.manifest)?;
        }
        // Else it is finished by a repair, later.
        self.manifest.finished = closed.is_ok() && table.is_ok();
        for placed in &mut self.manifest.marks {
            if placed.frame.is_none() {
                *placed = self.index.place(&self.table, self.table_end, placed.mark.clone())?;
            }
        }
        write_markers(&self.videos, &self.base, &self.manifest)?;
        self.save()?;
        closed.and(table)
    }

    /// Closes the segment; the take goes on when the program is back.
    pub(super) fn park(&mut self) -> Result<(), String> {
        let closed = self.close_segment();
        self.syncer.watch(Vec::new());
        self.save()?;
        closed
    }

    fn save(&self) -> Result<(), String> {
        write_manifest(&self.videos, &self.base, &self.manifest)
    }
}

fn open_table(path: &Path) -> Result<(Arc<File>, Vec<FrameRow>), String> {
    let run = || {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.len() == 0 {
            file.write_all_at(format!("{FRAMES_HEADER}\n").as_bytes(), 0)?;
        }
        Ok((Arc::new(file), std::fs::read_to_string(path)?))
    };
    let (file, text) = run().map_err(|e: std::io::Error| format!("cannot open {}: {e}", path.display()))?;
    let rows = FrameRow::parse_table(&text).map_err(|e| format!("{} is damaged: {e}", path.display()))?;
    Ok((file, rows))
}
