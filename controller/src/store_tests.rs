//! The journal over crashes.

use std::fs;

use syncslate_shared::protocol::Take;
use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use super::*;
use crate::kit::{NOON, ip};

fn journal() -> Journal {
    let mut journal = Journal {
        take: Some(Take {
            id: TakeId::try_from("take_007_20251023_140210".to_owned()).unwrap(),
            t0: Wall::from_micros(NOON),
            t1: None,
            segment_s: 60,
            nodes: vec![ip(1)],
        }),
        marks: vec![Mark { n: 1, at: Wall::from_micros(NOON + 9), note: "a \"note\"\n".into() }],
        ..Journal::default()
    };
    journal.note_past();
    journal
}

#[test]
fn what_was_kept_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/state");
    let (store, empty, notice) = Store::open(&path).unwrap();
    assert_eq!((empty, notice), (Journal::default(), None));
    store.keep(2, &journal()).unwrap();
    store.keep(1, &Journal::default()).unwrap();
    let (_, found, notice) = Store::open(&path).unwrap();
    assert_eq!((found, notice), (journal(), None), "and a late older one is left out");
}

#[test]
fn a_crash_while_writing_leaves_the_old_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ..) = Store::open(folder.path()).unwrap();
    store.keep(1, &journal()).unwrap();
    fs::write(folder.path().join("take.json.new"), "{\"v\":1,").unwrap();
    let (store, found, notice) = Store::open(folder.path()).unwrap();
    assert_eq!((found, notice), (journal(), None));
    store.keep(1, &Journal::default()).unwrap();
}

#[test]
fn a_damaged_journal_is_set_aside_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let whole = journal().to_json();
    let other = String::from_utf8(whole.clone()).unwrap().replacen("take_007", "take_008", 1).into_bytes();
    let damaged = [b"".to_vec(), vec![0; 4096], whole[..whole.len() / 2].to_vec(), b"[]".to_vec(), other];
    for (n, json) in (1..).zip(damaged) {
        fs::write(folder.path().join("take.json"), &json).unwrap();
        let (store, found, notice) = Store::open(folder.path()).unwrap();
        assert_eq!(found, Journal::default());
        assert!(notice.unwrap().contains("was damaged"));
        assert_eq!(fs::read(folder.path().join(format!("take.json.damaged-{n}"))).unwrap(), json, "kept for a look");
        store.keep(1, &journal()).unwrap();
        assert_eq!(Store::open(folder.path()).unwrap().1, journal());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let failure = Store::open(&file.join("state")).unwrap_err().to_string();
    assert!(failure.contains("cannot make the state folder") && failure.contains("--state"), "{failure}");
}

#[test]
fn the_cameras_settings_are_found_again_and_damaged_ones_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ..) = Store::open(folder.path()).unwrap();
    assert_eq!(store.cameras(), (Wishes::default(), None));
    let json = br#"{"wishes":{"10.0.0.7":{"v":1,"ip":"10.0.0.7","settings":{"width":640,"gain":1.5},"at":"2025-10-23T12:02:10.000000Z"}},"segment_s":30}"#;
    let kept: Wishes = protocol::read(json).unwrap();
    store.keep_cameras(2, &kept).unwrap();
    store.keep_cameras(1, &Wishes::default()).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().0.cameras(), (kept, None), "and a late older one is left out");
    fs::write(folder.path().join("cameras.json"), "{\"wishes\":").unwrap();
    let (none, notice) = store.cameras();
    assert_eq!(none, Wishes::default());
    assert!(notice.unwrap().contains("is set aside as"));
    assert!(folder.path().join("cameras.json.damaged-1").exists());
}
