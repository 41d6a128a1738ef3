//! Footage judged by its own pictures: each one carries the instant it was taken at, so what was kept, lost or doubled,
//! and how true the stamps are, does not have to be believed.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use syncslate_node::decode::{Picture, read_pictures};
use syncslate_shared::files::{Base, FrameRow, Kind};
use syncslate_shared::manifest::{Manifest, PlacedMark};
use syncslate_shared::markers;
use syncslate_shared::protocol::{self, CurrentTake, Take};
use syncslate_shared::time::Wall;

/// The period of the rig's cameras at 30 frames a second, in microseconds.
pub const PERIOD_US: i64 = 33_333;

/// One node's files of a take.
#[derive(Clone, Debug)]
pub struct Footage {
    folder: PathBuf,
    base: Base,
    take: Take,
}

/// A picture with what its file's table says of it.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Its line in the table.
    pub row: FrameRow,
    /// When it was really taken, in nanoseconds since 1970.
    pub truth_ns: u64,
    /// The camera's own count.
    pub counter: u32,
}

/// Pictures that are missing, by the pictures themselves, and what the manifest says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The last picture before, or T0.
    pub from: Wall,
    /// The first picture after, or T1.
    pub to: Wall,
    /// How many are missing.
    pub missing: u64,
    /// The gap's cause, or who dropped them: `camera`, `encoder`.
    pub cause: String,
}

impl Hole {
    /// Whether single frames got lost while all parts ran: the machine was too busy.
    pub fn is_drop(&self) -> bool {
        matches!(self.cause.as_str(), "camera" | "encoder")
    }

    /// Its length in seconds.
    pub fn length_s(&self) -> f64 {
        self.to.since_us(self.from) as f64 / 1e6
    }
}

impl Footage {
    /// The files of the take that `current` (a `take/current`) names, of node `ip`, in `folder`.
    ///
    /// # Panics
    /// When `current` names none.
    pub fn new(folder: &Path, current: &Value, ip: Ipv4Addr) -> Self {
        let current: CurrentTake = protocol::read(current.to_string().as_bytes()).unwrap();
        let take = current.take().unwrap().unwrap();
        Self { folder: folder.to_owned(), base: Base { id: take.id.clone(), ip }, take }
    }

    /// The path of one of its files.
    pub fn path(&self, kind: Kind) -> PathBuf {
        self.folder.join(self.base.file(kind))
    }

    /// T0.
    pub fn t0(&self) -> Wall {
        self.take.t0
    }

    /// Its manifest, if there is one.
    pub fn manifest(&self) -> Option<Manifest> {
        protocol::read(&std::fs::read(self.path(Kind::Manifest)).ok()?).ok()
    }

    /// Its marks.
    pub fn marks(&self) -> Vec<PlacedMark> {
        markers::parse(&std::fs::read_to_string(self.path(Kind::Markers)).unwrap()).unwrap()
    }

    /// Decodes every segment by itself and puts each picture beside its line in the table.
    ///
    /// # Panics
    /// When a segment does not decode alone, a picture's checksum is wrong, or stream and table tell different counts.
    pub fn frames(&self) -> Vec<Frame> {
        let manifest = self.manifest().unwrap();
        let table = std::fs::read_to_string(self.path(Kind::Frames)).unwrap();
        let rows = FrameRow::parse_table(&table).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut frames = Vec::new();
        for segment in &manifest.segments {
            let pictures = runtime.block_on(read_pictures(&self.folder.join(&segment.file))).unwrap();
            let rows: Vec<_> = rows.iter().filter(|row| row.segment == segment.index).collect();
            assert_eq!(pictures.len(), rows.len(), "{}: pictures against lines of the table", segment.file);
            for (Picture { index, code }, row) in pictures.iter().zip(rows) {
                let code = code.unwrap_or_else(|| panic!("{}: picture {index} cannot be read", segment.file));
                assert_eq!(code.ip, self.base.ip);
                frames.push(Frame { row: *row, truth_ns: code.time_ns, counter: code.counter });
            }
        }
        assert_eq!(frames.len(), rows.len());
        frames
    }

    /// Judges a take that must be whole: see the assertions. Gives the first frame's time since T0 in microseconds.
    ///
    /// # Panics
    /// With what is wrong.
    pub fn expect_whole(&self, t1: Wall) -> i64 {
        let manifest = self.manifest().unwrap();
        assert_eq!(manifest.gaps, [], "{}", self.base);
        let frames = self.frames();
        self.expect_stream(&frames);
        let first = self.expect_first(&frames);
        self.expect_last(&frames, t1);
        for (k, segment) in manifest.segments.iter().enumerate() {
            let start = self.t0().offset_us(k as i64 * i64::from(self.take.segment_s) * 1_000_000);
            let late = segment.start.since_us(start);
            assert!((0..=PERIOD_US).contains(&late), "{} begins {late} µs after its boundary", segment.file);
            assert_eq!(segment.index as usize, k);
        }
        first
    }

    /// Judges a take that has holes: between them no picture is missing or doubled and every stamp is true; each hole
    /// in the pictures stands in the manifest, as a gap or as dropped frames, and nothing stands there that is no hole.
    /// Gives the holes.
    ///
    /// # Panics
    /// With what is wrong.
    pub fn expect_told(&self, t1: Wall) -> Vec<Hole> {
        let manifest = self.manifest().unwrap();
        let frames = self.frames();
        let us = |frame: &Frame| frame.truth_ns as i64 / 1000;
        for frame in &frames {
            let off = frame.row.time.micros() * 1000 - frame.truth_ns as i64;
            assert!(off.abs() <= 1_000, "{}: frame {} is stamped {off} ns off", self.base, frame.row.frame);
        }
        let mut holes = Vec::new();
        let mut note = |from: Wall, to: Wall, missing: i64| {
            let gap = manifest.gaps.iter().find(|gap| gap.from == from && gap.to == to).map(|gap| gap.cause.clone());
            let drop = || manifest.drops.iter().find(|drop| drop.from <= from && drop.to >= to);
            let cause = gap.or_else(|| drop().map(|drop| format!("{:?}", drop.by).to_lowercase()));
            let why = || format!("{}: {missing} frames are missing from {from} to {to}: {manifest:?}", self.base);
            holes.push(Hole { from, to, missing: missing as u64, cause: cause.unwrap_or_else(|| panic!("{}", why())) });
        };
        let (first, last) = (frames.first().unwrap(), frames.last().unwrap());
        let before = (us(first) - self.t0().micros()) / PERIOD_US;
        if before > 0 {
            note(self.t0(), first.row.time, before);
        }
        for pair in frames.windows(2) {
            let missing = (us(&pair[1]) - us(&pair[0]) + PERIOD_US / 2) / PERIOD_US - 1;
            assert!(missing >= 0, "{}: frame {} is doubled", self.base, pair[1].row.frame);
            if missing > 0 {
                note(pair[0].row.time, pair[1].row.time, missing);
            }
        }
        let after = (t1.micros() - us(last) - 2) / PERIOD_US;
        if after > 0 {
            note(last.row.time, t1, after);
        }
        for gap in &manifest.gaps {
            let is_hole = holes.iter().any(|hole| hole.from == gap.from && hole.to == gap.to);
            // A child that is started again between two pictures leaves a gap without a missing picture.
            let joins = frames.windows(2).any(|pair| pair[0].row.time == gap.from && pair[1].row.time == gap.to);
            assert!(is_hole || joins, "{}: {gap:?} is no hole of {holes:?}", self.base);
        }
        let dropped: u64 = manifest.drops.iter().map(|drop| drop.frames).sum();
        let single = holes.iter().filter(|hole| hole.is_drop());
        assert_eq!(single.map(|hole| hole.missing).sum::<u64>(), dropped, "{}: {:?}", self.base, manifest.drops);
        holes
    }

    /// No picture missing, none doubled, stamps true to 1 ms (they are to 1 µs), digests right.
    ///
    /// # Panics
    /// With what is wrong.
    pub fn expect_stream(&self, frames: &[Frame]) {
        for pair in frames.windows(2) {
            assert_eq!(pair[1].counter, pair[0].counter + 1, "{}: after frame {}", self.base, pair[0].row.frame);
        }
        for frame in frames {
            let off = frame.row.time.micros() * 1000 - frame.truth_ns as i64;
            assert!(off.abs() <= 1_000, "{}: frame {} is stamped {off} ns off", self.base, frame.row.frame);
        }
        let manifest = self.manifest().unwrap();
        let digests = std::fs::read_to_string(self.path(Kind::Digests)).unwrap();
        assert_eq!(syncslate_shared::files::parse_digests(&digests).len(), manifest.segments.len());
    }

    /// The first kept picture is the first one exposed at or after T0.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_first(&self, frames: &[Frame]) -> i64 {
        let first = frames[0].truth_ns as i64 / 1000 - self.t0().micros();
        assert!((0..=PERIOD_US).contains(&first), "{}: the first picture was taken {first} µs after T0", self.base);
        first
    }

    /// The last kept picture is the last one exposed before T1.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_last(&self, frames: &[Frame], t1: Wall) {
        let last = t1.micros() - frames[frames.len() - 1].truth_ns as i64 / 1000;
        assert!((0..=PERIOD_US + 1).contains(&last), "{}: the last picture was taken {last} µs before T1", self.base);
    }
}
