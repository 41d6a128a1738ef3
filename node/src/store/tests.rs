//! The disk on a real folder: what is kept is what is read back, also after a crash, a torn write and a missed STOP.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use syncslate_shared::files::FrameRow;
use syncslate_shared::manifest::{Gap, Pause};
use syncslate_shared::markers;
use syncslate_shared::protocol::Take;
use syncslate_shared::take::{Mark, Stamp, TakeName};
use syncslate_shared::time::Wall;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::camera::AccessUnit;
use syncslate_shared::files::Kind;

const T0: i64 = 1_761_220_930_500_000;

struct Disk {
    folder: tempfile::TempDir,
    store: Option<Store>,
    events: UnboundedReceiver<StoreEvent>,
}

fn take() -> Take {
    let t0 = Wall::from_micros(T0);
    let id = TakeId { name: TakeName::new("A01").unwrap(), stamp: Stamp::local(t0) };
    Take { id, t0, t1: None, segment_s: 1, nodes: Vec::new() }
}

fn base() -> Base {
    Base { id: take().id, ip: [192, 168, 1, 101].into() }
}

fn at(frame: u64) -> Wall {
    Wall::from_micros(T0 + 11_000 + frame as i64 * 40_000)
}

/// SPS, PPS and an IDR slice, or a plain slice, with the frame's number in it.
fn unit(frame: u64) -> AccessUnit {
    let key = frame.is_multiple_of(25);
    let mut data = Vec::new();
    if key {
        data.extend([0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]);
    }
    data.extend([0, 0, 0, 1, if key { 0x65 } else { 0x41 }, 0x9a]);
    data.extend(std::iter::repeat_n(1 + (frame % 200) as u8, 100 + frame as usize % 7));
    AccessUnit { time: at(frame), key, data: Bytes::from(data) }
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, events) = open(folder.path());
        Self { folder, store: Some(store), events }
    }

    /// As if the program had been killed and started again: what was queued is written, nothing is closed in order.
    fn again(self) -> Self {
        let folder = self.folder;
        self.store.unwrap().close();
        let (store, events) = open(folder.path());
        Self { folder, store: Some(store), events }
    }

    fn submit(&mut self, command: StoreCommand) -> &mut Self {
        self.store.as_mut().unwrap().submit(command);
        self
    }

    fn keep(&mut self, frames: std::ops::Range<u64>) -> &mut Self {
        for frame in frames {
            if frame.is_multiple_of(25) {
                self.submit(StoreCommand::Segment);
            }
            self.submit(StoreCommand::Keep(unit(frame)));
        }
        self
    }

    fn opened(&mut self) -> Option<Wall> {
        self.submit(StoreCommand::Open(take()));
        match self.events.blocking_recv() {
            Some(StoreEvent::Opened { last, .. }) => last,
            other => panic!("{other:?}"),
        }
    }

    /// Everything is written when this returns.
    fn closed(mut self) -> Self {
        self.store.take().unwrap().close();
        self
    }

    fn path(&self, kind: Kind) -> std::path::PathBuf {
        self.folder.path().join(base().file(kind))
    }

    fn manifest(&self) -> Manifest {
        papers::read_manifest(self.folder.path(), &base()).unwrap().unwrap()
    }

    fn rows(&self) -> Vec<FrameRow> {
        FrameRow::parse_table(&std::fs::read_to_string(self.path(Kind::Frames)).unwrap()).unwrap()
    }

    /// Stream, table, digests and manifest tell the same; gives the frames' times.
    fn expect_sound(&self) -> Vec<Wall> {
        let manifest = self.manifest();
        let rows = self.rows();
        assert_eq!(manifest.frames, rows.len() as u64);
        let mut streams = BTreeMap::new();
        for entry in &manifest.segments {
            let bytes = std::fs::read(self.folder.path().join(&entry.file)).unwrap();
            assert_eq!(entry.bytes, bytes.len() as u64, "{}", entry.file);
            assert_eq!(entry.sha256, segment::digest_file(&self.folder.path().join(&entry.file)).unwrap());
            streams.insert(entry.index, bytes);
        }
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(row.frame, i as u64);
            let bytes = &streams[&row.segment][row.offset as usize..][..row.bytes as usize];
            let whole = rows.iter().filter(|r| r.segment == row.segment).map(|r| r.bytes).sum::<u64>();
            assert_eq!(whole, streams[&row.segment].len() as u64);
            assert!(bytes.starts_with(&[0, 0, 0, 1]));
        }
        let digests = std::fs::read_to_string(self.path(Kind::Digests)).unwrap();
        let pairs: Vec<_> = manifest.segments.iter().map(|s| (s.file.clone(), s.sha256.clone())).collect();
        assert_eq!(syncslate_shared::files::parse_digests(&digests), pairs);
        rows.iter().map(|row| row.time).collect()
    }
}

fn open(folder: &Path) -> (Store, UnboundedReceiver<StoreEvent>) {
    let (tell, events) = tokio::sync::mpsc::unbounded_channel();
    let ip = [192, 168, 1, 101].into();
    let identity = Identity { ip, name: "left".into(), camera: None, facts: None, clock: None };
    (Store::start(folder.to_owned(), identity, tell).unwrap(), events)
}

fn finish(t1: Wall) -> StoreCommand {
    StoreCommand::Finish { t1, clock: None }
}

fn marks(times: &[Wall]) -> StoreCommand {
    let mark = |(i, at): (usize, &Wall)| Mark { n: i as u32 + 1, at: *at, note: format!("note {i}") };
    StoreCommand::Marks { id: take().id, marks: times.iter().enumerate().map(mark).collect() }
}

#[test]
fn a_take_is_on_disk_as_it_was_kept() {
    let mut disk = Disk::new();
    assert_eq!(disk.opened(), None);
    disk.keep(0..60).submit(finish(at(60)));
    let disk = disk.closed();
    assert_eq!(disk.expect_sound(), (0..60).map(at).collect::<Vec<_>>());
    let manifest = disk.manifest();
    assert_eq!(manifest.segments.iter().map(|s| s.frames).collect::<Vec<_>>(), [25, 25, 10]);
    assert_eq!((manifest.finished, manifest.skew_us, manifest.t1), (true, Some(11_000), Some(at(60))));
}

#[test]
fn marks_find_their_frames_whenever_they_come() {
    let mut disk = Disk::new();
    disk.opened();
    disk.submit(marks(&[at(0).offset_us(-5), at(7), at(7).offset_us(-1)]));
    disk.keep(0..40).submit(marks(&[at(0).offset_us(-5), at(7), at(7).offset_us(-1), at(30).offset_us(39_999)]));
    disk.keep(40..60).submit(finish(at(60)));
    let all = [at(0).offset_us(-5), at(7), at(7).offset_us(-1), at(30).offset_us(39_999), at(61)];
    disk.submit(marks(&all));
    let disk = disk.closed();
    let text = std::fs::read_to_string(disk.path(Kind::Markers)).unwrap();
    let placed = markers::parse(&text).unwrap();
    assert_eq!(placed.iter().map(|p| p.frame).collect::<Vec<_>>(), [Some(0), Some(7), Some(6), Some(30), Some(59)]);
    assert_eq!(placed[3].segment, Some(1));
    assert_eq!(placed, disk.manifest().marks);
    assert!(text.starts_with("# take: A01_"));
}

#[test]
fn a_crash_costs_only_what_was_torn() {
    for torn in [0, 1, 50, 5000] {
        let mut disk = Disk::new();
        disk.opened();
        disk.keep(0..60);
        let disk = disk.closed();
        // The last segment's file and the table's last line as a power cut may leave them.
        let path = disk.path(Kind::Segment(2));
        let length = path.metadata().unwrap().len();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length.saturating_sub(torn)).unwrap();
        let table = std::fs::read_to_string(disk.path(Kind::Frames)).unwrap();
        std::fs::write(disk.path(Kind::Frames), &table[..table.len() - 3]).unwrap();
        let (store, events) = open(disk.folder.path());
        let mut disk = Disk { store: Some(store), events, ..disk };
        let whole = if torn == 5000 {
            50
        } else if torn == 50 || torn <= 1 {
            59
        } else {
            58
        };
        assert_eq!(disk.opened(), Some(at(whole - 1)), "torn by {torn}");
        let gap = Gap { from: at(whole - 1), to: at(75), cause: "node_restarted".into(), detail: String::new() };
        disk.submit(StoreCommand::Gap(gap)).keep(75..90).submit(finish(at(90)));
        let disk = disk.closed();
        let expected: Vec<_> = (0..whole).chain(75..90).map(at).collect();
        assert_eq!(disk.expect_sound(), expected);
        assert_eq!(disk.manifest().gaps.len(), 1);
    }
}

#[test]
fn a_take_that_ended_meanwhile_is_finished_at_the_next_start() {
    let mut disk = Disk::new();
    disk.opened();
    disk.keep(0..60);
    let mut disk = disk.again();
    let ended = Take { t1: Some(at(40)), ..take() };
    disk.submit(StoreCommand::Recover { rolling: None, ended: vec![ended] });
    let disk = disk.closed();
    assert_eq!(disk.expect_sound(), (0..40).map(at).collect::<Vec<_>>());
    assert!(disk.manifest().finished);
}

#[test]
fn what_was_kept_after_t1_is_cut_back() {
    for end in [60, 51, 50, 49, 25, 1] {
        let mut disk = Disk::new();
        disk.opened();
        disk.submit(marks(&[at(0), at(24), at(59)]));
        disk.keep(0..60).submit(StoreCommand::CutBack(at(end))).submit(finish(at(end)));
        let disk = disk.closed();
        assert_eq!(disk.expect_sound(), (0..end).map(at).collect::<Vec<_>>());
        let last = disk.manifest().marks[2].frame;
        assert_eq!(last, Some(end.min(60) - 1));
        let files = std::fs::read_dir(disk.folder.path()).unwrap().count();
        assert_eq!(files, 4 + disk.manifest().segments.len());
    }
}

#[test]
fn no_file_is_ever_overwritten() {
    let mut disk = Disk::new();
    let stranger = disk.path(Kind::Segment(1));
    std::fs::write(&stranger, b"precious").unwrap();
    disk.opened();
    disk.keep(0..60).submit(finish(at(60)));
    let disk = disk.closed();
    assert_eq!(std::fs::read(&stranger).unwrap(), b"precious");
    assert_eq!(disk.manifest().segments.iter().map(|s| s.index).collect::<Vec<_>>(), [0, 2, 3]);
    disk.expect_sound();
}

#[test]
fn a_segment_whose_first_picture_lacks_its_parameter_sets_gets_them() {
    let mut disk = Disk::new();
    disk.opened();
    disk.keep(0..25).submit(StoreCommand::Segment);
    let bare = AccessUnit { data: unit(25).data.slice(16..), ..unit(25) };
    disk.submit(StoreCommand::Keep(bare)).submit(finish(at(26)));
    let disk = disk.closed();
    disk.expect_sound();
    assert_eq!(std::fs::read(disk.path(Kind::Segment(1))).unwrap(), unit(25).data);
}

#[test]
fn a_pause_closes_the_segment_and_says_why_until_the_next_one() {
    let mut disk = Disk::new();
    disk.opened();
    let pause = Pause { from: Some(at(39)), cause: "disk_full".into(), detail: "the disk is full".into() };
    disk.keep(0..40).submit(StoreCommand::Pause(pause.clone()));
    let disk = disk.closed();
    assert_eq!(disk.manifest().paused, Some(pause));
    assert_eq!(disk.expect_sound().len(), 40);
    let (store, events) = open(disk.folder.path());
    let mut disk = Disk { store: Some(store), events, ..disk };
    // The take ended while the program was not running: the pause becomes its last gap.
    disk.submit(StoreCommand::Recover { rolling: None, ended: vec![Take { t1: Some(at(75)), ..take() }] });
    let disk = disk.closed();
    let manifest = disk.manifest();
    assert_eq!((manifest.paused, manifest.finished), (None, true));
    assert_eq!(manifest.gaps.iter().map(|g| (g.from, g.to)).collect::<Vec<_>>(), [(at(39), at(75))]);
    assert_eq!(manifest.gaps[0].cause, "disk_full");
    disk.expect_sound();
}

#[test]
fn a_node_that_was_off_when_the_take_ended_says_so() {
    let mut disk = Disk::new();
    disk.opened();
    disk.keep(0..60);
    let mut disk = disk.again();
    disk.submit(StoreCommand::Recover { rolling: None, ended: vec![Take { t1: Some(at(90)), ..take() }] });
    let disk = disk.closed();
    let [gap] = &disk.manifest().gaps[..] else { panic!("{:?}", disk.manifest().gaps) };
    assert_eq!((gap.from, gap.to, gap.cause.as_str()), (at(59), at(90), "node_restarted"));
}

#[test]
fn a_manifest_that_a_power_cut_left_empty_or_not_at_all_is_made_anew() {
    for left in [Some(""), None] {
        for ended in [false, true] {
            let mut disk = Disk::new();
            disk.opened();
            disk.keep(0..60);
            let disk = disk.closed();
            match left {
                Some(text) => std::fs::write(disk.path(Kind::Manifest), text).unwrap(),
                None => std::fs::remove_file(disk.path(Kind::Manifest)).unwrap(),
            }
            let (store, events) = open(disk.folder.path());
            let mut disk = Disk { store: Some(store), events, ..disk };
            if ended {
                let take = Take { t1: Some(at(60)), ..take() };
                disk.submit(StoreCommand::Recover { rolling: None, ended: vec![take] });
            } else {
                assert_eq!(disk.opened(), Some(at(59)));
                disk.keep(75..90).submit(finish(at(90)));
            }
            let disk = disk.closed();
            assert_eq!(disk.expect_sound().len(), if ended { 60 } else { 75 }, "{left:?}");
            assert!(disk.manifest().finished);
            let aside = disk.path(Kind::Manifest).with_extension("json.damaged").exists();
            assert_eq!(aside, left.is_some());
        }
    }
}
