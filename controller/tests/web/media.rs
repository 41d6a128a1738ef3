//! Footage by range, and nothing else by any trick.

use std::path::Path;

use syncslate_shared::files::{Base, Kind};

use crate::client::Site;
use crate::stage::{T0, empty, id, ip};

const BODY: &str = "hello world";

fn base() -> Base {
    Base { id: id("A01", T0), ip: ip(1) }
}

/// A downloads folder with one file of each kind, and a secret beside it.
fn folder(root: &Path) -> std::path::PathBuf {
    let downloads = root.join("video_downloads");
    let node = downloads.join("A01/192.168.1.101");
    std::fs::create_dir_all(&node).unwrap();
    for kind in [Kind::Segment(0), Kind::Frames, Kind::Markers, Kind::Manifest, Kind::Digests] {
        std::fs::write(node.join(base().file(kind)), BODY).unwrap();
    }
    std::fs::write(node.join("other.txt"), "not ours").unwrap();
    std::fs::write(root.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(root.join("secret"), node.join(base().file(Kind::Segment(7)))).unwrap();
    std::os::unix::fs::symlink(root, downloads.join("A02")).unwrap();
    downloads
}

fn address(kind: Kind) -> String {
    format!("/media/A01/192.168.1.101/{}", base().file(kind))
}

#[tokio::test]
async fn ranges_are_served() {
    let root = tempfile::tempdir().unwrap();
    let site = Site::with_downloads(empty(), &folder(root.path())).await;
    let footage = address(Kind::Segment(0));
    let table = [
        ("", 200, BODY, None),
        ("Range: bytes=0-4", 206, "hello", Some("bytes 0-4/11")),
        ("Range: bytes=6-", 206, "world", Some("bytes 6-10/11")),
        ("Range: bytes=-5", 206, "world", Some("bytes 6-10/11")),
        ("Range: bytes=6-999", 206, "world", Some("bytes 6-10/11")),
        ("Range: bytes=0-1,3-4", 200, BODY, None),
        ("Range: nonsense", 200, BODY, None),
    ];
    for (header, status, body, range) in table {
        let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
        let answer = site.ask("GET", &footage, headers, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{header}");
        assert_eq!(answer.header("content-range"), range, "{header}");
        assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()), "{header}");
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    }
    let beyond = site.ask("GET", &footage, &["Range: bytes=11-"], "").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */11")));
    assert_eq!(beyond.code(), "malformed");
}

#[tokio::test]
async fn a_file_that_changed_is_sent_whole_and_head_sends_no_body() {
    let root = tempfile::tempdir().unwrap();
    let site = Site::with_downloads(empty(), &folder(root.path())).await;
    let footage = address(Kind::Segment(0));
    let head = site.ask("HEAD", &footage, &[], "").await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", Some("11")));
    assert_eq!(head.header("content-type"), Some("video/h264"));

    let tag = format!("If-Range: {}", head.header("etag").unwrap());
    assert_eq!(site.ask("GET", &footage, &["Range: bytes=0-4", &tag], "").await.status, 206);
    assert_eq!(site.ask("GET", &footage, &["Range: bytes=0-4", "If-Range: \"old\""], "").await.status, 200);
    assert!(site.get(&address(Kind::Frames)).await.header("content-type").unwrap().starts_with("text/csv"));
}

#[tokio::test]
async fn no_trick_leads_out_of_the_folder() {
    let root = tempfile::tempdir().unwrap();
    let site = Site::with_downloads(empty(), &folder(root.path())).await;
    let name = base().file(Kind::Segment(0));
    let table = [
        "/media/A01/192.168.1.101/other.txt".to_owned(),
        "/media/A01/192.168.1.101/../../../secret".to_owned(),
        "/media/A01/192.168.1.101/..%2f..%2f..%2fsecret".to_owned(),
        format!("/media/../video_downloads/A01/192.168.1.101/{name}"),
        format!("/media/%2e%2e/192.168.1.101/{name}"),
        format!("/media/A01/192.168.1.102/{name}"),
        format!("/media/A01/192.168.001.101/{name}"),
        format!("/media/A03/192.168.1.101/{name}"),
        format!("/media/A01//192.168.1.101/{name}"),
        // Links that lead out: a file, and a folder.
        address(Kind::Segment(7)),
        format!("/media/A02/192.168.1.101/{}", name.replace("A01", "A02")),
    ];
    for path in table {
        let answer = site.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
}
