//! Every way in which a file can differ, each named with what was expected and what was found.

use super::*;
use crate::ledger::{Custody, Record, add};

const IP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 101);
const BASE: &str = "A_192_168_1_101_20251023_140210";

struct Shelf(tempfile::TempDir);

impl Shelf {
    /// A take of three segments and a digest list, all in the ledger.
    fn new() -> Self {
        let shelf = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(shelf.path("")).unwrap();
        let mut list = String::new();
        for n in 0..3u8 {
            let end = format!("_00000{n}.h264");
            fs::write(shelf.path(&end), vec![n; 1000]).unwrap();
            let sha256 = digest::hash(&shelf.path(&end)).unwrap();
            list += &syncslate_shared::files::digest_line(&sha256, &format!("{BASE}{end}"));
            shelf.record(&end, Custody::Verified);
        }
        fs::write(shelf.path(".sha256"), list).unwrap();
        shelf.record(".sha256", Custody::Arrived);
        shelf
    }

    fn path(&self, end: &str) -> PathBuf {
        let folder = self.0.path().join("A").join(IP.to_string());
        if end.is_empty() { folder } else { folder.join(format!("{BASE}{end}")) }
    }

    fn record(&self, end: &str, state: Custody) {
        let path = self.path(end);
        let (bytes, sha256) = (fs::metadata(&path).unwrap().len(), digest::hash(&path).unwrap());
        let file = format!("{BASE}{end}");
        add(&self.0.path().join("A"), &[Record { ip: IP, file, bytes, sha256, state }]).unwrap();
    }

    fn check(&self) -> (Report, String) {
        let mut out = Vec::new();
        let report = check(self.0.path(), None, &mut out).unwrap();
        (report, String::from_utf8(out).unwrap())
    }
}

#[test]
fn what_is_as_it_was_is_sound() {
    let (report, out) = Shelf::new().check();
    assert_eq!((report.sound, report.different.len(), report.unproven.len()), (4, 0, 0), "{out}");
}

#[test]
fn one_bit_a_lost_end_and_a_lost_file_are_named() {
    let shelf = Shelf::new();
    let mut bytes = vec![0; 1000];
    bytes[777] = 1;
    fs::write(shelf.path("_000000.h264"), bytes).unwrap();
    fs::write(shelf.path("_000001.h264"), vec![1; 999]).unwrap();
    fs::remove_file(shelf.path("_000002.h264")).unwrap();
    let (report, out) = shelf.check();
    assert_eq!((report.sound, report.different.len()), (1, 3), "{out}");
    let found = digest::hash(&shelf.path("_000000.h264")).unwrap();
    assert!(
        out.contains(&format!("DIFFERS   A/192.168.1.101/{BASE}_000000.h264: expected 1000 bytes with the SHA-256 "))
    );
    assert!(out.contains(&format!("(the ledger), found the SHA-256 {found}")), "{out}");
    assert!(out.contains("found 999 bytes") && out.contains("found no file"), "{out}");
}

#[test]
fn without_a_ledger_the_nodes_list_is_asked_and_foreign_files_are_left_alone() {
    let shelf = Shelf::new();
    fs::remove_file(shelf.0.path().join("A").join(ledger::FILE)).unwrap();
    fs::write(shelf.path("_000003.h264"), "nobody knows").unwrap();
    fs::write(shelf.0.path().join("A/edit.txt"), "foreign").unwrap();
    fs::write(shelf.path("_000001.h264"), vec![9; 1000]).unwrap();
    let (report, out) = shelf.check();
    assert_eq!((report.sound, report.different.len(), report.foreign.len()), (2, 1, 1), "{out}");
    assert!(out.contains("(the node's list), found the SHA-256"), "{out}");
    assert_eq!(report.unproven.len(), 2, "the segment, and the list itself: {out}");
    let missing = TakeName::new("B").unwrap();
    let failure = check(shelf.0.path(), Some(&missing), &mut Vec::new()).unwrap_err();
    assert!(failure.to_string().contains("there is no take B"));
}
