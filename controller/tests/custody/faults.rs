//! What breaks while footage is under way, and comes right by itself.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use syncslate_shared::child::Program;

use crate::node::{ip, take, videos};
use crate::rig::{Plan, Rig, signal, until};

#[tokio::test]
async fn a_take_comes_from_three_nodes_over_ssh() {
    let rig = Rig::with(Plan { nodes: 3, ..Plan::default() }).await;
    let nodes: Vec<_> = (1..=3).map(|n| (n, take(&rig.root, "A", n, 3, 300_000))).collect();
    rig.expect_download("A").await;
    rig.expect_proven("A", &nodes).await;
}

#[tokio::test]
async fn rsync_killed_at_ten_points() {
    let mut rig = Rig::slow("2M").await;
    let files = rig.take("A", 6, 6_000_000);
    let mut asked = rig.begin("A");
    // Each time it has come further than ever before, and then a while: what is killed earlier waits longer and longer.
    let mut most = 0;
    for (kill, wait_ms) in [170, 610, 90, 430, 290, 730, 50, 370, 530, 230].into_iter().enumerate() {
        let bytes = |d: &serde_json::Value| d["nodes"][ip(1).to_string()]["bytes"].as_u64().unwrap();
        most = bytes(&rig.until_progress("A", |d| d["state"] == "running" && bytes(d) > most + 100_000).await);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        // The controller's, the node's, both: rsync must bear each.
        for (at, pid) in rig.rsyncs().into_iter().enumerate() {
            if kill % 3 == 2 || at % 2 == kill % 2 {
                signal(pid, if kill % 4 == 1 { Signal::TERM } else { Signal::KILL });
            }
        }
    }
    rig.until_state("A", "done").await;
    assert!(asked.wait().await.success());
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn sshd_killed_and_back() {
    let mut rig = Rig::slow("2M").await;
    let files = rig.take("A", 2, 2_000_000);
    let _asked = rig.begin("A");
    rig.until_progress("A", |d| d["nodes"][ip(1).to_string()]["bytes"].as_u64() > Some(500_000)).await;
    rig.sshd.down().await;
    let waits = rig.until_state("A", "queued").await;
    let error = waits["nodes"][ip(1).to_string()]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("tried again in 1 s"), "{error}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.sshd.up().await;
    rig.until_state("A", "done").await;
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn a_cable_that_is_out_for_ten_seconds() {
    let mut rig = Rig::slow("2M").await;
    let files = rig.take("A", 2, 2_000_000);
    let _asked = rig.begin("A");
    rig.until_progress("A", |d| d["nodes"][ip(1).to_string()]["bytes"].as_u64() > Some(500_000)).await;
    rig.sshd.silent_for(Duration::from_secs(10)).await;
    rig.until_state("A", "done").await;
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn the_controller_killed_goes_on_by_itself_after_its_restart() {
    let mut rig = Rig::slow("2M").await;
    let files = rig.take("A", 3, 2_000_000);
    let asked = rig.begin("A");
    rig.until_progress("A", |d| d["nodes"][ip(1).to_string()]["bytes"].as_u64() > Some(2_500_000)).await;
    rig.kill_controller().await;
    drop(asked);
    rig.start().await;
    rig.until_state("A", "done").await;
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn a_download_that_is_cancelled_goes_on_where_it_was() {
    let mut rig = Rig::slow("2M").await;
    let files = rig.take("A", 2, 4_000_000);
    let mut asked = rig.begin("A");
    let part = |d: &serde_json::Value| d["nodes"][ip(1).to_string()].clone();
    let moving =
        rig.until_progress("A", |d| part(d)["bytes"].as_u64() > Some(1_500_000) && !d["left_s"].is_null()).await;
    assert!(part(&moving)["rate_bytes_s"].as_u64() < Some(4_000_000), "{moving}");
    let (ok, out, error) = rig.run(&["download", "A", "--cancel"]).await;
    assert!(ok, "{out}{error}");
    let cancelled = rig.until_state("A", "failed").await;
    assert_eq!((&part(&cancelled)["cancelled"], &cancelled["left_s"]), (&true.into(), &serde_json::Value::Null));
    assert!(!asked.wait().await.success(), "who waits for it is told");
    until("rsync has ended", async || rig.rsyncs().is_empty()).await;
    let folder = rig.downloads.join("A").join(ip(1).to_string());
    let left: u64 = fs::read_dir(&folder).unwrap().flatten().map(|e| e.metadata().unwrap().len()).sum();
    assert!(left >= 1_000_000, "what had arrived stays: {left} bytes");
    let (ok, _, error) = rig.run(&["download", "A", "--cancel"]).await;
    assert!(!ok && error.contains("nothing to cancel"), "{error}");
    let _asked = rig.begin("A");
    rig.until_state("A", "done").await;
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn two_downloads_of_one_take_at_once() {
    let rig = Rig::slow("4M").await;
    let files = rig.take("A", 2, 1_000_000);
    let (one, two) = tokio::join!(rig.run(&["download", "A"]), rig.run(&["download", "A"]));
    assert!(one.0 && two.0, "{one:?} {two:?}");
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn a_file_that_vanishes_is_named_and_the_rest_is_here() {
    let mut rig = Rig::slow("1M").await;
    let mut files = rig.take("A", 3, 1_000_000);
    let asked = rig.begin("A");
    rig.until_progress("A", |d| d["nodes"][ip(1).to_string()]["bytes"].as_u64() > Some(100_000)).await;
    fs::remove_file(videos(&rig.root, 1).join(&files[2])).unwrap();
    let failed = rig.until_state("A", "failed").await;
    let error = failed["nodes"][ip(1).to_string()]["error"].as_str().unwrap().to_owned();
    assert!(error.contains(&files[2]) && error.contains("neither there nor here"), "{error}");
    drop(asked);
    files.remove(2);
    for file in &files {
        assert!(rig.downloads.join("A").join(ip(1).to_string()).join(file).exists(), "{file}");
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_the_download_goes_on_when_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let mount = Mount::tmpfs(place.path(), "6m").await;
    let Some(mount) = mount else { return };
    let mut rig = Rig::with(Plan { downloads: Some(place.path().join("here")), ..Plan::default() }).await;
    let files = rig.take("A", 4, 2_000_000);
    let _asked = rig.begin("A");
    let waits = rig.until_progress("A", |d| d["nodes"][ip(1).to_string()]["error"].is_string()).await;
    let error = waits["nodes"][ip(1).to_string()]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("it does not fit: 8.0 MB are to come"), "{error}");
    mount.resize("40m").await;
    rig.until_state("A", "done").await;
    rig.expect_proven("A", &[(1, files)]).await;
    // Somebody else fills it meanwhile.
    let files = rig.take("B", 4, 2_000_000);
    let rest = place.path().join("somebody.else");
    fs::write(&rest, vec![0; 19_000_000]).unwrap();
    mount.resize("30m").await;
    let _asked = rig.begin("B");
    rig.until_progress("B", |d| d["nodes"][ip(1).to_string()]["error"].is_string()).await;
    fs::remove_file(&rest).unwrap();
    rig.until_state("B", "done").await;
    rig.expect_proven("B", &[(1, files)]).await;
}

/// A small disk; only root can have one.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    async fn tmpfs(at: &'a Path, size: &str) -> Option<Self> {
        let program = Program::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at);
        match program.output(Duration::from_secs(10)).await {
            Ok(_) => Some(Self(at)),
            Err(why) => {
                #[expect(clippy::print_stderr, reason = "nobody must take it for tested")]
                {
                    eprintln!("NOT TESTED, as this user can mount no small disk: {why}");
                }
                None
            }
        }
    }

    async fn resize(&self, size: &str) {
        let program = Program::new("mount").args(["-o", &format!("remount,size={size}")]).arg(self.0);
        program.output(Duration::from_secs(10)).await.unwrap();
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}
