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
