//! Parts fetched by the real rsync from a local folder, and what is proven of them.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Mutex;

use syncslate_shared::files::digest_line;
use syncslate_shared::take::TakeId;

use super::*;
use crate::digest::sha256_of;
use crate::ledger;
use crate::leftovers::{hold, salvage};
use crate::room::Room;
use crate::rsync::PARTIAL;
use crate::rsync::Rsync;
use crate::which::Which;

const IP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 101);
const BASE: &str = "A_192_168_1_101_20251023_140210";

/// A node's folder and a downloads folder.
struct Rig {
    folder: tempfile::TempDir,
}

impl Rig {
    /// With a take of two segments.
    async fn new() -> Self {
        let rig = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(rig.node("")).unwrap();
        for (n, byte) in [(0, 17u8), (1, 23)] {
            fs::write(rig.node(&format!("_00000{n}.h264")), vec![byte; 70_001]).unwrap();
        }
        fs::write(rig.node("_markers.txt"), "# none\n").unwrap();
        rig.digests(&["_000000.h264", "_000001.h264"]).await;
        rig
    }

    async fn digests(&self, ends: &[&str]) {
        let mut text = String::new();
        for end in ends {
            text += &digest_line(&sha256_of(self.node(end)).await.unwrap(), &format!("{BASE}{end}"));
        }
        fs::write(self.node(".sha256"), text).unwrap();
    }

    fn node(&self, end: &str) -> PathBuf {
        let folder = self.folder.path().join("nodes").join(IP.to_string());
        if end.is_empty() { folder } else { folder.join(format!("{BASE}{end}")) }
    }

    fn here(&self, end: &str) -> PathBuf {
        self.folder.path().join("downloads/A").join(IP.to_string()).join(format!("{BASE}{end}"))
    }

    fn take(&self) -> PathBuf {
        self.folder.path().join("downloads/A")
    }

    fn names_here(&self) -> Vec<String> {
        let entries = fs::read_dir(self.take().join(IP.to_string())).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn names_there(&self) -> usize {
        fs::read_dir(self.node("")).unwrap().count()
    }

    fn states(&self) -> Vec<Custody> {
        Ledger::read(&self.take()).unwrap().records().map(|record| record.state).collect()
    }

    /// The node's manifest.
    fn manifest(&self, finished: bool) {
        let text = serde_json::json!({"v":1,"take":"A","id":"A_20251023_140210","stamp":"20251023_140210","ip":IP,
            "name":"left","t0":"2025-10-23T12:02:10Z","t1":null,"segment_s":60,"camera":null,"encoder":null,
            "stamps":null,"clock_at_roll":null,"clock_at_cut":null,"skew_us":null,"lead_in_frames":0,"frames":0,
            "segments":[],"gaps":[],"marks":[],"finished":finished,"version":"0.1.0"});
        fs::write(self.node("_take.json"), text.to_string()).unwrap();
    }

    async fn fetch(&self) -> (Fetched, Progress) {
        self.run(false).await
    }

    /// Fetches, then deletes; gives what is told, whether it went well or not.
    async fn delete(&self) -> Result<String, String> {
        self.run(true).await.0.map(Option::unwrap_or_default).map_err(|broken| broken.why)
    }

    async fn run(&self, delete: bool) -> (Fetched, Progress) {
        let take = TakeName::new("A").unwrap();
        let delete = Which::Every(delete);
        self.errand(Errand { take, ip: IP, which: Which::ALL, delete, growing: None, aes: false }).await
    }

    async fn errand(&self, errand: Errand) -> (Fetched, Progress) {
        let part = Part {
            rsync: Rsync::new(format!("{}/nodes/{{ip}}/", self.folder.path().display()).parse().unwrap()),
            room: Room::default(),
            downloads: self.folder.path().join("downloads"),
            errand,
        };
        let last = Mutex::new(Progress::default());
        let outcome = part.run(|progress| *last.lock().unwrap() = progress).await;
        (outcome, last.into_inner().unwrap())
    }
}

#[tokio::test]
async fn a_part_comes_whole_and_is_proven() {
    let rig = Rig::new().await;
    let (outcome, last) = rig.fetch().await;
    assert_eq!(outcome, Ok(None));
    assert_eq!((last.files, last.verified, last.bytes), (4, 2, last.total_bytes));
    assert_eq!(fs::read(rig.here("_000001.h264")).unwrap(), vec![23; 70_001]);
    let modified = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(modified(rig.here("_markers.txt")), modified(rig.node("_markers.txt")));
    assert_eq!(rig.fetch().await.0, Ok(None), "and again");
}

#[tokio::test]
async fn footage_that_is_not_what_was_written_is_named() {
    let rig = Rig::new().await;
    fs::write(rig.node("_000001.h264"), vec![24; 70_001]).unwrap();
    let error = rig.fetch().await.0.unwrap_err().why;
    assert!(error.contains("_000001.h264 is not what the node wrote"), "{error}");
}

#[tokio::test]
async fn footage_that_rotted_here_is_found_and_fetched_once_more() {
    let rig = Rig::new().await;
    rig.fetch().await.0.unwrap();
    fs::write(rig.here("_000000.h264"), vec![0; 70_001]).unwrap();
    let remark = rig.fetch().await.0.unwrap().unwrap();
    assert!(remark.contains("fetched once more, now proven") && remark.contains("_000000.h264"), "{remark}");
    assert_eq!(fs::read(rig.here("_000000.h264")).unwrap(), vec![17; 70_001]);
    assert_eq!(rig.fetch().await.0, Ok(None));
    assert_eq!(rig.names_here().len(), 4, "nothing is left over: {:?}", rig.names_here());
}

#[tokio::test]
async fn proven_footage_is_never_overwritten() {
    let rig = Rig::new().await;
    rig.fetch().await.0.unwrap();
    fs::write(rig.node("_000000.h264"), "short").unwrap();
    let error = rig.fetch().await.0.unwrap_err().why;
    assert!(error.contains("nothing was overwritten") && error.contains("hint: "), "{error}");
    assert_eq!(fs::read(rig.here("_000000.h264")).unwrap(), vec![17; 70_001]);
}

#[tokio::test]
async fn an_open_file_comes_unproven_and_is_fetched_on_when_it_is_closed() {
    let rig = Rig::new().await;
    rig.digests(&["_000000.h264"]).await;
    let (outcome, last) = rig.fetch().await;
    assert!(outcome.unwrap().unwrap().contains("_000001.h264"), "a remark");
    assert_eq!(last.verified, 1);
    fs::write(rig.node("_000001.h264"), vec![23; 90_000]).unwrap();
    rig.digests(&["_000000.h264", "_000001.h264"]).await;
    assert_eq!(rig.fetch().await.0, Ok(None));
    assert_eq!(fs::metadata(rig.here("_000001.h264")).unwrap().len(), 90_000);
}

#[tokio::test]
async fn each_file_stands_in_the_ledger() {
    let rig = Rig::new().await;
    rig.digests(&["_000000.h264"]).await;
    rig.fetch().await.0.unwrap();
    // By name: the digests, the two segments, the markers.
    assert_eq!(rig.states(), [Custody::Arrived, Custody::Verified, Custody::Arrived, Custody::Arrived]);
    rig.digests(&["_000000.h264", "_000001.h264"]).await;
    rig.fetch().await.0.unwrap();
    assert_eq!(rig.states(), [Custody::Arrived, Custody::Verified, Custody::Verified, Custody::Arrived]);
    let lines = || fs::read_to_string(rig.take().join(ledger::FILE)).unwrap().lines().count();
    let before = lines();
    rig.fetch().await.0.unwrap();
    assert_eq!(lines(), before, "nothing new, no line");
    fs::remove_file(rig.node(".sha256")).unwrap();
    assert_eq!(rig.fetch().await.0, Ok(None), "what was proven stays so when the node's list is gone");
}

#[tokio::test]
async fn what_is_proven_may_be_deleted_on_the_node() {
    let rig = Rig::new().await;
    rig.manifest(true);
    let told = rig.delete().await.unwrap();
    assert!(told.contains("5 files deleted on 192.168.1.101"), "{told}");
    assert_eq!((rig.names_there(), rig.names_here().len()), (0, 5));
    assert_eq!(rig.states(), [Custody::DeletedOnNode; 5]);
    let told = rig.delete().await.unwrap();
    assert!(told.contains("all of it is here"), "{told}");
    assert_eq!(fs::read(rig.here("_000001.h264")).unwrap(), vec![23; 70_001]);
}

#[tokio::test]
async fn nothing_is_deleted_that_is_not_proven() {
    let rig = Rig::new().await;
    rig.digests(&["_000000.h264"]).await;
    let refused = async |reason: &str| {
        let before = rig.names_there();
        let why = rig.delete().await.unwrap_err();
        assert!(why.contains("nothing was deleted") && why.contains(reason), "{why}");
        assert_eq!(rig.names_there(), before, "{reason}");
    };
    refused("does not say that the take is finished").await;
    rig.manifest(false);
    refused("is not finished").await;
    rig.manifest(true);
    refused("_000001.h264 is not verified").await;
    rig.digests(&["_000000.h264", "_000001.h264"]).await;
    rig.fetch().await.0.unwrap();
    // One bit, same length, same time: only reading it finds it.
    let path = rig.node("_000000.h264");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[50_000] ^= 4;
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    refused("its copy of A_192_168_1_101_20251023_140210_000000.h264 is not the proven one").await;
    assert_eq!(fs::read(rig.here("_000000.h264")).unwrap(), vec![17; 70_001], "the proven one is untouched");
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_deleted_is_kept_in_both_forms() {
    let rig = Rig::new().await;
    rig.fetch().await.0.unwrap();
    let (name, aside) = (format!("{BASE}_000000.h264"), rig.take().join("aside"));
    fs::write(rig.node("_000000.h264"), vec![99; 70_001]).unwrap();
    let rsync = Rsync::new(format!("{}/nodes/{{ip}}/", rig.folder.path().display()).parse().unwrap());
    let file = RemoteFile { name: name.clone(), bytes: 70_001 };
    rsync.delete(IP, &[file], &rig.take().join(IP.to_string()), &aside).await.unwrap();
    assert_eq!(fs::read(aside.join(name)).unwrap(), vec![17; 70_001]);
    assert_eq!(fs::read(rig.here("_000000.h264")).unwrap(), vec![99; 70_001]);
}

#[tokio::test]
async fn what_a_killed_transfer_left_is_gone_on_with() {
    let rig = Rig::new().await;
    let folder = rig.take().join(IP.to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!(".{BASE}_000000.h264.AbCdEf")), vec![17; 40_000]).unwrap();
    fs::write(folder.join(format!(".{BASE}_000000.h264.GhIjKl")), vec![17; 300]).unwrap();
    fs::write(folder.join(".somebody.else.AbCdEf"), "foreign").unwrap();
    salvage(&folder);
    let partial = folder.join(PARTIAL).join(format!("{BASE}_000000.h264"));
    assert_eq!(fs::metadata(&partial).unwrap().len(), 40_000);
    assert_eq!(rig.fetch().await.0, Ok(None));
    assert_eq!(rig.names_here().iter().filter(|name| name.starts_with('.')).count(), 1, "{:?}", rig.names_here());
    assert!(
        !partial.exists()
            && folder.join(".somebody.else.AbCdEf").exists()
            && folder.join(format!("{BASE}.sha256")).exists()
    );
}

#[tokio::test]
async fn two_downloads_of_one_part_do_not_write_at_once() {
    let rig = Rig::new().await;
    let folder = rig.take().join(IP.to_string());
    fs::create_dir_all(&folder).unwrap();
    let held = hold(&folder).unwrap();
    let broken = rig.fetch().await.0.unwrap_err();
    assert!(broken.again && broken.why.contains("another download writes into"), "{}", broken.why);
    drop(held);
    assert_eq!(rig.fetch().await.0, Ok(None));
}

#[tokio::test]
async fn of_a_take_that_rolls_only_closed_footage_comes() {
    let rig = Rig::new().await;
    rig.manifest(false);
    rig.digests(&["_000000.h264"]).await;
    let id = TakeId::try_from("A_20251023_140210".to_owned()).unwrap();
    let errand = |growing| Errand {
        take: id.name.clone(),
        ip: IP,
        which: Which::ALL,
        delete: Which::NONE,
        growing: Some(growing),
        aes: true,
    };
    let (outcome, last) = rig.errand(errand(Growing::ClosedOnly(id.clone()))).await;
    assert_eq!((outcome, last.verified), (Ok(None), 1));
    assert_eq!(rig.names_here(), [format!("{BASE}.sha256"), format!("{BASE}_000000.h264")]);
    assert!(rig.errand(errand(Growing::LeftOut(id.clone()))).await.0.is_err(), "there is no other take of the name");
    fs::remove_file(rig.node(".sha256")).unwrap();
    assert_eq!(rig.errand(errand(Growing::ClosedOnly(id.clone()))).await.0, Ok(None), "nothing is closed");
    rig.digests(&["_000000.h264", "_000001.h264"]).await;
    assert_eq!(rig.fetch().await.0, Ok(None), "the rest");
    assert_eq!(rig.names_here().len(), 5);
}

#[tokio::test]
async fn a_take_that_was_renamed_is_gone_on_with_where_it_lies() {
    let rig = Rig::new().await;
    rig.manifest(true);
    rig.digests(&["_000000.h264"]).await;
    rig.fetch().await.0.unwrap();
    let name = |text| TakeName::new(text).unwrap();
    homes::rename(&rig.folder.path().join("downloads"), &name("A"), &name("wide")).unwrap();
    rig.digests(&["_000000.h264", "_000001.h264"]).await;
    assert_eq!(rig.fetch().await.0, Ok(None));
    assert!(!rig.take().exists(), "nothing comes under the old name");
    let here = rig.folder.path().join("downloads/wide");
    let states = |of: Custody| Ledger::read(&here).unwrap().records().filter(|r| r.state == of).count();
    assert_eq!(states(Custody::Verified), 2);
    assert!(rig.delete().await.unwrap().contains("5 files deleted"));
    assert_eq!((rig.names_there(), states(Custody::DeletedOnNode)), (0, 5));
    assert!(rig.fetch().await.0.unwrap().unwrap().contains("all of it is here"));
    fs::remove_file(here.join(IP.to_string()).join(format!("{BASE}_000000.h264"))).unwrap();
    assert!(rig.fetch().await.0.unwrap_err().why.contains("not all of it is here"));
}

#[tokio::test]
async fn one_of_two_takes_of_a_name_is_deleted_alone() {
    let rig = Rig::new().await;
    rig.manifest(true);
    let other = rig.node("").join(BASE.replace("140210", "150210") + "_000000.h264");
    fs::write(&other, "another take").unwrap();
    let stamp = syncslate_shared::take::Stamp::try_from("20251023_140210".to_owned()).unwrap();
    let take = TakeName::new("A").unwrap();
    let errand =
        Errand { take, ip: IP, which: Which::ALL, delete: Which::named(Some(stamp)), growing: None, aes: false };
    let told = rig.errand(errand).await.0.unwrap().unwrap();
    assert!(told.contains("5 files deleted"), "{told}");
    assert_eq!((rig.names_there(), rig.names_here().len(), other.exists()), (1, 6, true));
}

#[tokio::test]
async fn a_clean_up_that_was_killed_is_written_down_later() {
    let rig = Rig::new().await;
    rig.manifest(true);
    rig.fetch().await.0.unwrap();
    fs::remove_file(rig.node("_000000.h264")).unwrap();
    assert!(rig.delete().await.unwrap().contains("5 files deleted"));
    assert_eq!(rig.states(), [Custody::DeletedOnNode; 5]);
    let rig = Rig::new().await;
    rig.manifest(true);
    rig.fetch().await.0.unwrap();
    fs::remove_dir_all(rig.node("")).unwrap();
    fs::create_dir(rig.node("")).unwrap();
    assert!(rig.fetch().await.0.unwrap().unwrap().contains("all of it is here"));
    assert_eq!(rig.states(), [Custody::DeletedOnNode; 5]);
}
