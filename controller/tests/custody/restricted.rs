//! A key that rrsync restricts to a node's folder, as provisioning lays it: reading alone, or reading and deleting.

use std::fs;

use crate::node::{ip, take, videos};
use crate::rig::{Plan, Rig};

async fn rig(options: &'static str) -> Rig {
    Rig::with(Plan { rrsync: Some(options), ..Plan::default() }).await
}

#[tokio::test]
async fn a_key_that_may_only_read_downloads_and_deletes_nothing() {
    let rig = rig("-ro").await;
    let files = rig.take("A", 2, 300_000);
    rig.expect_download("A").await;
    rig.expect_proven("A", &[(1, files.clone())]).await;
    let (ok, out, error) = rig.run(&["cleanup", "A", "--yes"]).await;
    let said = out + &error;
    assert!(!ok && said.contains("--remove-source-files has been disabled"), "{said}");
    assert_eq!(fs::read_dir(videos(&rig.root, 1)).unwrap().count(), files.len(), "nothing was deleted");
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn a_key_that_may_write_deletes_what_is_proven() {
    let rig = rig("-no-lock").await;
    let files = rig.take("A", 2, 300_000);
    rig.expect_download("A").await;
    let kept = take(&rig.root, "B", 1, 1, 1000);
    let (ok, out, error) = rig.run(&["cleanup", "A", "--yes"]).await;
    assert!(ok && out.contains(&format!("{} files deleted on {}", files.len(), ip(1))), "{out}{error}");
    assert_eq!(fs::read_dir(videos(&rig.root, 1)).unwrap().count(), kept.len());
}

#[tokio::test]
async fn a_source_that_names_the_folder_again_is_said_at_once() {
    let mut rig = rig("-ro").await;
    rig.kill_controller().await;
    let settings = fs::read_to_string(rig.root.join("settings.toml")).unwrap();
    fs::write(rig.root.join("settings.toml"), settings.replace("@{ip}:/", "@{ip}:videos/")).unwrap();
    rig.start().await;
    rig.take("A", 1, 1000);
    let (ok, out, error) = rig.run(&["download", "A"]).await;
    let said = out + &error;
    assert!(!ok && said.contains("names the folder itself: then the source is pi@{ip}:/"), "{said}");
}
