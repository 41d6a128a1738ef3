//! The ledger over crashes: cut at every byte, read, and written on.

use super::*;

fn record(n: u8, state: Custody) -> Record {
    let file = format!("A_192_168_1_10{n}_20251023_140210_00000{n}.h264");
    Record { ip: Ipv4Addr::new(192, 168, 1, 100 + n), file, bytes: 70_001, sha256: "0a".repeat(32), state }
}

fn states(ledger: &Ledger) -> Vec<Custody> {
    ledger.records().map(|record| record.state).collect()
}

#[test]
fn the_newest_line_of_a_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Ledger::read(folder.path()), Ok(Ledger::default()));
    add(folder.path(), &[record(1, Custody::Arrived), record(2, Custody::Verified)]).unwrap();
    add(folder.path(), &[record(1, Custody::Verified)]).unwrap();
    add(folder.path(), &[record(2, Custody::DeletedOnNode)]).unwrap();
    let ledger = Ledger::read(folder.path()).unwrap();
    assert_eq!(states(&ledger), [Custody::Verified, Custody::DeletedOnNode]);
    let found = ledger.get(Ipv4Addr::new(192, 168, 1, 102), &record(2, Custody::Arrived).file).unwrap();
    assert!(found.is_proven());
    assert_eq!(ledger.get(Ipv4Addr::new(192, 168, 1, 101), &found.file), None);
}

#[test]
fn cut_at_any_byte_it_holds_what_was_whole_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let all = [record(1, Custody::Arrived), record(2, Custody::Verified), record(3, Custody::Verified)];
    for one in &all {
        add(folder.path(), std::slice::from_ref(one)).unwrap();
    }
    let path = folder.path().join(FILE);
    let bytes = fs::read(&path).unwrap();
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
        let ledger = Ledger::read(folder.path()).unwrap();
        assert_eq!(ledger.records().cloned().collect::<Vec<_>>(), all[..whole], "cut at {cut}");
        add(folder.path(), &[record(4, Custody::Verified)]).unwrap();
        let ledger = Ledger::read(folder.path()).unwrap();
        assert_eq!((ledger.records().count(), ledger.damaged.len()), (whole + 1, 0), "cut at {cut}");
    }
}

#[test]
fn a_damaged_line_is_told_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for n in 1..=3 {
        add(folder.path(), &[record(n, Custody::Verified)]).unwrap();
    }
    let path = folder.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"ip\":\"192.168.1.102\"", "\0\0\0\0", 1)).unwrap();
    let ledger = Ledger::read(folder.path()).unwrap();
    assert_eq!((ledger.records().count(), ledger.damaged), (2, vec![2]));
}

#[test]
fn writers_at_the_same_time_lose_no_line() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 1..=8 {
            let folder = folder.path();
            scope.spawn(move || {
                for state in [Custody::Arrived, Custody::Verified, Custody::DeletedOnNode] {
                    add(folder, &[record(n, state)]).unwrap();
                }
            });
        }
    });
    let ledger = Ledger::read(folder.path()).unwrap();
    assert_eq!((states(&ledger), ledger.damaged), (vec![Custody::DeletedOnNode; 8], vec![]));
    assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap().lines().count(), 24);
}
