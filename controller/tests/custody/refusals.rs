//! What is found, named and refused: flipped bits, strangers, names that would be commands; and what may be deleted.

use std::fs;

use syncslate_controller::ledger::{Custody, Ledger};
use syncslate_shared::child::Program;

use crate::node::{ip, take, videos};
use crate::rig::{Plan, Rig, flip_bit, free_port};

#[tokio::test]
async fn one_bit_on_the_node_and_one_here_are_found_and_named() {
    let rig = Rig::new().await;
    let files = rig.take("A", 2, 400_000);
    let there = videos(&rig.root, 1).join(&files[1]);
    flip_bit(&there, 123_456);
    let (ok, out, _) = rig.run(&["download", "A"]).await;
    assert!(!ok && out.contains(&files[1]) && out.contains("is not what the node wrote"), "{out}");
    assert!(out.contains("the copy on 127.0.0.101 has changed"), "{out}");
    let (ok, out, _) = rig.run(&["check", "A"]).await;
    assert!(!ok && out.contains(&format!("DIFFERS   A/127.0.0.101/{}", files[1])), "{out}");
    // The node's disk is repaired.
    flip_bit(&there, 123_456);
    rig.expect_download("A").await;
    rig.expect_proven("A", &[(1, files.clone())]).await;

    let here = rig.downloads.join("A").join(ip(1).to_string()).join(&files[0]);
    flip_bit(&here, 7);
    let (ok, out, _) = rig.run(&["check"]).await;
    assert!(!ok && out.contains(&files[0]) && out.contains("expected 400000 bytes with the SHA-256"), "{out}");
    let (ok, out, _) = rig.run(&["download", "A"]).await;
    assert!(ok && out.contains("damaged here and fetched once more"), "{out}");
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn a_node_with_another_host_key_is_refused_at_once() {
    let mut rig = Rig::new().await;
    let files = rig.take("A", 1, 1000);
    rig.expect_download("A").await;
    rig.take("B", 1, 1000);
    rig.sshd.impostor().await;
    let (ok, out, error) = rig.run(&["download", "B"]).await;
    assert!(!ok && (out.clone() + &error).contains("the node's ssh key has changed"), "{out}{error}");
    assert!(!rig.downloads.join("B").exists());
    rig.expect_proven("A", &[(1, files)]).await;
}

#[tokio::test]
async fn names_are_never_commands() {
    let rig = Rig::new().await;
    let files = rig.take("A", 1, 1000);
    let canary = rig.root.join("canary");
    let touch = format!("touch {}", canary.display()).replace('/', "${PWD%%[a-z]*}");
    let tricks = [
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("; {touch};"),
        format!("|{touch}"),
        "-e sh".into(),
        "--rsh=sh".into(),
        "--remove-source-files".into(),
        "#comment".into(),
        "a\nb".into(),
        "*".into(),
        format!("{} x", files[0]),
        files[0].replace("A_", "$(id)_"),
        files[0].replace("A_", "-A_"),
        files[0].replace(".h264", ".h264;id"),
    ];
    for name in &tricks {
        fs::write(videos(&rig.root, 1).join(name), "foreign").unwrap();
    }
    rig.expect_download("A").await;
    rig.expect_proven("A", &[(1, files)]).await;
    assert!(!canary.exists());
    let (ok, out, error) = rig.run(&["download", "--", "--rsh=sh"]).await;
    assert!(!ok && error.contains("a take name is made of"), "{out}{error}");
    assert!(tricks.iter().all(|name| videos(&rig.root, 1).join(name).exists()), "foreign files stay");
}

#[tokio::test]
async fn footage_is_deleted_on_nodes_when_it_is_proven_and_only_then() {
    let rig = Rig::with(Plan { nodes: 2, ..Plan::default() }).await;
    for n in [1, 2] {
        take(&rig.root, "A", n, 2, 200_000);
    }
    let kept = rig.take("B", 1, 1000);
    rig.expect_download("A").await;
    let (ok, out, _) = rig.run(&["cleanup"]).await;
    assert!(
        ok && out.contains("A_20251023_140210  127.0.0.101  5 files  400.6 kB")
            && out.contains("801.2 kB can be freed"),
        "{out}"
    );
    let victim = fs::read_dir(videos(&rig.root, 2))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.to_string_lossy().ends_with("_000001.h264"));
    flip_bit(&victim.unwrap(), 9);
    let (ok, out, _) = rig.run(&["cleanup", "A", "--yes"]).await;
    assert!(!ok && out.contains("nothing was deleted on 127.0.0.102") && out.contains("_000001.h264"), "{out}");
    assert!(out.contains("5 files deleted on 127.0.0.101"), "{out}");
    assert_eq!(fs::read_dir(videos(&rig.root, 2)).unwrap().count(), 5);
    let left: Vec<_> = fs::read_dir(videos(&rig.root, 1)).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), kept.len(), "another take's files stay: {left:?}");
    let ledger = Ledger::read(&rig.downloads.join("A")).unwrap();
    assert!(ledger.records().filter(|r| r.ip == ip(1)).all(|r| r.state == Custody::DeletedOnNode));
    assert!(ledger.records().filter(|r| r.ip == ip(2)).all(|r| r.state != Custody::DeletedOnNode));
    let (ok, out, _) = rig.run(&["check", "A"]).await;
    assert!(ok, "{out}");
}

#[tokio::test]
async fn an_rsync_daemon_serves_as_well() {
    let port = free_port();
    let source = format!("source = 'rsync://{{ip}}:{port}/videos/'\n");
    let rig = Rig::with(Plan { download: source, ..Plan::default() }).await;
    let files = rig.take("A", 2, 300_000);
    let text = format!(
        "use chroot = no\n[videos]\npath = {}\nread only = yes\n{}",
        videos(&rig.root, 1).display(),
        // Root's daemon would read as nobody, who may not look into the test's folder.
        if rustix::process::getuid().is_root() { "uid = 0\ngid = 0\n" } else { "" },
    );
    fs::write(rig.root.join("rsyncd.conf"), text).unwrap();
    let config = format!("--config={}", rig.root.join("rsyncd.conf").display());
    let program = Program::new("rsync").args(["--daemon", "--no-detach", &config, &format!("--port={port}")]);
    let _daemon = program.arg("--address=127.0.0.101").spawn().unwrap();
    let at = (ip(1), port);
    crate::rig::until("the daemon listens", async || tokio::net::TcpStream::connect(at).await.is_ok()).await;
    rig.expect_download("A").await;
    rig.expect_proven("A", &[(1, files)]).await;
    // What may only be read is not deleted, and that is said.
    let (ok, out, _) = rig.run(&["cleanup", "A", "--yes"]).await;
    assert!(!ok, "{out}");
    assert_eq!(fs::read_dir(videos(&rig.root, 1)).unwrap().count(), 5);
}
