//! A take as one archive, read by the programs that people have.

use std::path::Path;
use std::time::Duration;

use syncslate_controller::snapshot::{FileEntry, TakeSummary};
use syncslate_shared::child::Program;

use crate::client::Site;
use crate::stage::{T0, empty, on_disk};

/// Long enough for gigabytes on a slow machine.
const LIMIT: Duration = Duration::from_secs(240);

/// Puts the files of a take on the disk, each with its own text.
fn take(root: &Path, name: &str) -> TakeSummary {
    let take = on_disk(name, T0, 1);
    for file in &take.nodes[0].files {
        let path = place(root, &take, file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, file.name.repeat(9)).unwrap();
    }
    std::fs::write(root.join(name).join("custody.jsonl"), "{}\n").unwrap();
    take
}

fn place(root: &Path, take: &TakeSummary, file: &FileEntry) -> std::path::PathBuf {
    root.join(take.take.as_str()).join("192.168.1.101").join(&file.name)
}

async fn run(program: Program) -> String {
    String::from_utf8(program.output(LIMIT).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_take_comes_as_one_archive_that_others_read() {
    let root = tempfile::tempdir().unwrap();
    let mut snapshot = empty();
    snapshot.takes = ["A01", &"x".repeat(64)].iter().map(|name| take(root.path(), name)).collect();
    let site = Site::with_downloads(snapshot.clone(), root.path()).await;
    for take in snapshot.takes.iter() {
        for kind in ["tar", "zip"] {
            let file = root.path().join("archive");
            let head = site.save(&format!("/media/{}.{kind}", take.take), &file).await;
            let length = std::fs::metadata(&file).unwrap().len();
            assert!(head.contains(&format!("\r\ncontent-length: {length}\r\n")), "{head}");
            assert!(head.contains(&format!("filename=\"{}.{kind}\"", take.take)), "{head}");
            let to = root.path().join(format!("out-{kind}-{}", take.take));
            std::fs::create_dir_all(&to).unwrap();
            run(match kind {
                "tar" => Program::new("tar").arg("-xf").arg(&file).arg("-C").arg(&to),
                _ => Program::new("unzip").arg("-q").arg(&file).arg("-d").arg(&to),
            })
            .await;
            for file in &take.nodes[0].files {
                assert_eq!(std::fs::read_to_string(place(&to, take, file)).unwrap(), file.name.repeat(9));
                let modified = |root: &Path| std::fs::metadata(place(root, take, file)).unwrap().modified().unwrap();
                let apart = modified(root.path()).duration_since(modified(&to)).unwrap_or_default();
                assert!(apart <= Duration::from_secs(2), "ZIP knows two seconds: {apart:?}");
            }
            assert!(to.join(take.take.as_str()).join("custody.jsonl").exists());
        }
    }
    for (path, status) in [
        ("/media/nope.tar", 404),
        ("/media/nope.zip", 404),
        ("/media/A01.7z", 404),
        ("/media/..zip", 404),
        ("/media/A01", 404),
    ] {
        assert_eq!(site.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_zip_of_more_than_four_gigabytes_is_read_by_others() {
    let root = tempfile::tempdir().unwrap();
    let mut snapshot = empty();
    let take = take(root.path(), "A01");
    // By name the second of seven: it is larger than 32 bits can say, and so is the place of all after it.
    let footage = std::fs::File::create(place(root.path(), &take, &take.nodes[0].files[1])).unwrap();
    footage.set_len(4_300_000_000).unwrap();
    snapshot.takes = [&*snapshot.takes, &[take]].concat().into();
    let site = Site::with_downloads(snapshot, root.path()).await;
    let file = root.path().join("archive.zip");
    site.save("/media/A01.zip", &file).await;
    let told = run(Program::new("unzip").arg("-t").arg(&file)).await;
    assert!(told.contains("No errors detected"), "{told}");
    let script = "import sys, zipfile\nfor i in zipfile.ZipFile(sys.argv[1]).infolist(): print(i.file_size, i.header_offset > 2**32)";
    let told = run(Program::new("python3").args(["-c", script]).arg(&file)).await;
    let lines: Vec<_> = told.lines().collect();
    assert_eq!((lines.len(), lines[1], lines[6]), (7, "4300000000 False", "3 True"), "{told}");
}
