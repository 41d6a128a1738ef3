//! Marks that are read survive the file that is written of them.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use syncslate_shared::manifest::{Manifest, PlacedMark};
use syncslate_shared::markers::{parse, write};
use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

fuzz_target!(|data: (&str, u32, i64, Option<u32>, &str)| {
    let (text, n, us, frame, note) = data;
    if let Ok(marks) = parse(text) {
        survive(marks);
    }
    let mark = Mark { n, at: Wall::from_micros(us), note: note.to_owned() };
    survive(vec![PlacedMark { mark, frame: frame.map(u64::from), segment: frame }]);
});

fn survive(marks: Vec<PlacedMark>) {
    let manifest = Manifest { marks, ..blank() };
    assert_eq!(parse(&write(&manifest)).as_ref(), Ok(&manifest.marks));
}

fn blank() -> Manifest {
    let id = TakeId::try_from("A01_20251023_140210".to_owned()).expect("an id");
    Manifest {
        v: 1,
        take: id.name.clone(),
        stamp: id.stamp.clone(),
        id,
        ip: Ipv4Addr::LOCALHOST,
        name: "left\ntab\there".into(),
        t0: Wall::from_micros(1_761_220_930_500_000),
        t1: None,
        segment_s: 60,
        camera: None,
        encoder: None,
        stamps: None,
        clock_at_roll: None,
        clock_at_cut: None,
        clock_readings: Vec::new(),
        skew_us: None,
        lead_in_frames: 0,
        frames: 0,
        segments: Vec::new(),
        gaps: Vec::new(),
        marks: Vec::new(),
        finished: false,
        version: String::new(),
    }
}
