//! The lines of rsync, and rsync itself on a local folder.

use std::fs;
use std::sync::Mutex;

use super::*;

const IP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 101);
const OURS: &str = "A_192_168_1_101_20251023_140210_000000.h264";

#[test]
fn only_our_files_are_seen() {
    let line = |name: &str| format!("-rw-r--r--      1,234,567 2026/11/23 01:29:49 {name}");
    assert_eq!(listed(&line(OURS), IP), Some(RemoteFile { name: OURS.into(), bytes: 1_234_567 }));
    for other in [
        "notes.txt",
        "a b",
        "-e sh",
        "$(reboot)",
        &OURS.replace("101", "102"),
        &format!("x {OURS}"),
        &format!("../{OURS}"),
    ] {
        assert_eq!(listed(&line(other), IP), None, "{other}");
    }
    for other in ["", "-", "drwxr-xr-x 4,096 2026/11/23 01:29:49 .", "lrwxrwxrwx 7 2026/11/23 01:29:49 a -> b"] {
        assert_eq!(listed(other, IP), None, "{other}");
    }
}

#[test]
fn progress_is_read_from_its_lines() {
    assert_eq!(progress("     32,768  12%    1.23MB/s    0:00:12 "), Some(32_768));
    assert_eq!(progress("  1048576 100%  99.00MB/s    0:00:00 (xfr#1, to-chk=0/1)"), Some(1_048_576));
    for other in ["", "sending incremental file list", "x 12%", "12"] {
        assert_eq!(progress(other), None, "{other}");
    }
}

#[test]
fn a_source_is_checked_before_it_is_used() {
    let source = |text: &str| text.parse::<Source>();
    assert_eq!(source("/srv/{ip}").unwrap().of(IP), "/srv/192.168.1.101/");
    assert_eq!(source("pi@{ip}:videos/").unwrap().of(IP), "pi@192.168.1.101:videos/");
    assert_eq!(
        source("pi@cam:videos/").unwrap_err(),
        "`pi@cam:videos/` holds no {ip}, so all nodes would be the same one: pi@{ip}:videos/"
    );
    assert!(source("--rsh={ip}").is_err());
}

#[tokio::test]
async fn exactly_the_named_files_come() {
    let folder = tempfile::tempdir().unwrap();
    let (node, here) = (folder.path().join(IP.to_string()), folder.path().join("here"));
    fs::create_dir_all(node.join("inner")).unwrap();
    fs::create_dir(&here).unwrap();
    let tricks = ["; touch pwned", "--delete", "a\nb", "#x", "notes.txt", "*", "inner/x", &OURS.replace("A_", "B b_")];
    for name in tricks {
        fs::write(node.join(name), "foreign").unwrap();
    }
    fs::write(node.join(OURS), vec![7; 300_000]).unwrap();
    let rsync = Rsync::new(format!("{}/{{ip}}", folder.path().display()).parse().unwrap());
    let files = rsync.list(IP).await.unwrap();
    assert_eq!(files, [RemoteFile { name: OURS.into(), bytes: 300_000 }]);
    let heard = Mutex::new(0);
    let lock = fs::File::open(&here).unwrap();
    rsync.fetch(IP, &files, &here, lock, |bytes| *heard.lock().unwrap() = bytes).await.unwrap();
    let names: Vec<_> = fs::read_dir(&here).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [OURS]);
    assert_eq!(*heard.lock().unwrap(), 300_000);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let rsync = Rsync::new(format!("{}/{{ip}}/", folder.path().display()).parse().unwrap());
    let error = rsync.list(IP).await.unwrap_err().why;
    assert!(error.contains("exit status: 23") && error.contains("No such file") && error.contains("hint: "), "{error}");
}

#[test]
fn ssh_gets_the_users_words_first_and_whole() {
    let mut rsync = Rsync::new("pi@{ip}:videos/".parse().unwrap());
    rsync.ssh = ["-i", "/keys/the camera's", "-o", "StrictHostKeyChecking=yes"].map(str::to_owned).to_vec();
    assert_eq!(
        rsync.remote_shell(),
        "ssh '-i' '/keys/the camera''s' '-o' 'StrictHostKeyChecking=yes' -o BatchMode=yes -o ConnectTimeout=8 \
         -o ServerAliveInterval=10 -o ServerAliveCountMax=3 -o StrictHostKeyChecking=accept-new"
    );
}

#[test]
fn with_aes_on_both_sides_ssh_prefers_it() {
    let plain = Rsync::new("pi@{ip}:videos/".parse().unwrap());
    let words = Rsync { aes: true, ..plain.clone() }.remote_shell();
    assert_eq!(words, format!("{} -o Ciphers=^aes128-gcm@openssh.com", plain.remote_shell()));
}
