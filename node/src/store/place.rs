//! Which frame was on camera at a mark: a sparse index by IDR pictures, and the frame table on disk for the rest.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use syncslate_shared::files::{Base, FrameRow, Kind};
use syncslate_shared::manifest::PlacedMark;
use syncslate_shared::take::Mark;
use syncslate_shared::time::Wall;

/// Where in the frame table each IDR picture's line begins: two entries a second, whatever the take's length.
#[derive(Debug, Default)]
pub(super) struct Index(Vec<(Wall, u64)>);

impl Index {
    /// Notes that the line of the IDR picture exposed at `time` begins at byte `at`.
    pub(super) fn note(&mut self, time: Wall, at: u64) {
        self.0.push((time, at));
    }

    /// Forgets lines from byte `at` on.
    pub(super) fn cut(&mut self, at: u64) {
        self.0.retain(|(_, begin)| *begin < at);
    }

    /// The last frame exposed at or before `at`, else the first one; `None` without frames.
    fn find(&self, table: &File, end: u64, at: Wall) -> Result<Option<FrameRow>, String> {
        let next = self.0.partition_point(|(time, _)| *time <= at);
        let Some((_, from)) = self.0.get(next.saturating_sub(1)) else { return Ok(None) };
        let to = self.0.get(next.max(1)).map_or(end, |(_, begin)| *begin);
        let mut lines = vec![0; usize::try_from(to.saturating_sub(*from)).unwrap_or(0)];
        table.read_exact_at(&mut lines, *from).map_err(|e| format!("cannot read the frame table: {e}"))?;
        let rows = std::str::from_utf8(&lines).unwrap_or_default().lines().map(FrameRow::parse);
        let rows: Vec<_> = rows.collect::<Result<_, _>>().map_err(|e| format!("the frame table is damaged: {e}"))?;
        Ok(rows.iter().rev().find(|row| row.time <= at).or(rows.first()).copied())
    }

    /// Places a mark.
    pub(super) fn place(&self, table: &File, end: u64, mark: Mark) -> Result<PlacedMark, String> {
        let row = self.find(table, end, mark.at)?;
        Ok(PlacedMark { mark, frame: row.map(|r| r.frame), segment: row.map(|r| r.segment) })
    }
}

/// Places marks by the frame table of a take that is closed.
pub(super) fn all(videos: &Path, base: &Base, marks: Vec<Mark>) -> Result<Vec<PlacedMark>, String> {
    let path = videos.join(base.file(Kind::Frames));
    let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let rows = FrameRow::parse_table(&text).map_err(|e| format!("{} is damaged: {e}", path.display()))?;
    let place = |mark: Mark| {
        let row = rows.iter().rev().find(|row| row.time <= mark.at).or(rows.first());
        PlacedMark { frame: row.map(|r| r.frame), segment: row.map(|r| r.segment), mark }
    };
    Ok(marks.into_iter().map(place).collect())
}
