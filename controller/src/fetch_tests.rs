//! Parts fetched by the real rsync from a local folder, and what is proven of them.

use std::sync::Mutex;

use syncslate_shared::files::digest_line;

use super::*;

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

    async fn fetch(&self) -> (Fetched, Progress) {
        let part = Part {
            source: format!("{}/nodes/{{ip}}/", self.folder.path().display()).parse().unwrap(),
            downloads: self.folder.path().join("downloads"),
            take: TakeName::new("A").unwrap(),
            ip: IP,
            without: None,
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
    let error = rig.fetch().await.0.unwrap_err();
    assert!(error.contains("_000001.h264 is not what the node wrote"), "{error}");
}

#[tokio::test]
async fn footage_that_rotted_here_is_found() {
    let rig = Rig::new().await;
    rig.fetch().await.0.unwrap();
    fs::write(rig.here("_000000.h264"), vec![0; 70_001]).unwrap();
    assert!(rig.fetch().await.0.unwrap_err().contains("_000000.h264 is not what the node wrote"));
}

#[tokio::test]
async fn proven_footage_is_never_overwritten() {
    let rig = Rig::new().await;
    rig.fetch().await.0.unwrap();
    fs::write(rig.node("_000000.h264"), "short").unwrap();
    let error = rig.fetch().await.0.unwrap_err();
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
