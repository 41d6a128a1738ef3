//! The controller as a process, with its nodes, and what the tests say to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use syncslate_controller::ledger::{Custody, Ledger};
use syncslate_shared::access::Access;
use syncslate_shared::child::{Child, Program};
use syncslate_shared::link::{Link, LinkEvent, LinkSettings};
use syncslate_shared::topic::Topic;
use tokio::sync::mpsc;

use crate::node::{Sshd, ip, login, own, take, videos};

const BINARY: &str = env!("CARGO_BIN_EXE_syncslate-controller");
/// Long enough for a slow machine; nothing waits for it to pass.
const LIMIT: Duration = Duration::from_secs(180);

/// How a rig differs from the plain one.
pub(crate) struct Plan {
    /// Camera computers.
    pub(crate) nodes: u8,
    /// Lines for `[download]`.
    pub(crate) download: String,
    /// Where footage is brought; beside the rest when left out.
    pub(crate) downloads: Option<PathBuf>,
    /// Options of rrsync, which then is all that the key is good for; the first node's folder is all there is.
    pub(crate) rrsync: Option<&'static str>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { nodes: 1, download: String::new(), downloads: None, rrsync: None }
    }
}

/// Everything.
pub(crate) struct Rig {
    pub(crate) sshd: Sshd,
    pub(crate) root: PathBuf,
    pub(crate) downloads: PathBuf,
    controller: Option<Child>,
    /// The nodes' voice: it says again that they are there, also to a controller that was started anew.
    _link: Link,
    heard: mpsc::Receiver<LinkEvent>,
    nodes: u8,
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    /// A slow network: a take of some megabytes is under way for seconds.
    pub(crate) async fn slow(bytes_per_second: &str) -> Self {
        let download = format!("limit = '{bytes_per_second}'\nparallel = 1\n");
        Self::with(Plan { download, ..Plan::default() }).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        // Whoever logs in has to get through to his own folder.
        fs::set_permissions(&root, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let (user, uid) = login().await;
        for n in 1..=plan.nodes {
            fs::create_dir_all(videos(&root, n)).unwrap();
            own(&videos(&root, n), uid);
        }
        let command =
            |options| format!("command=\"/usr/bin/rrsync {options} {}\",restrict ", videos(&root, 1).display());
        let sshd = Sshd::start(&root, plan.nodes, &plan.rrsync.map(command).unwrap_or_default()).await;
        let downloads = plan.downloads.unwrap_or_else(|| root.join("video_downloads"));
        let (mqtt, http) = (free_port(), free_port());
        let folder_there = plan.rrsync.map_or_else(|| format!("{}/nodes/{{ip}}", root.display()), |_| String::new());
        let source = format!("source = '{user}@{{ip}}:{folder_there}/'\n");
        let source = if plan.download.contains("source = ") { String::new() } else { source };
        let text = format!(
            "[mqtt]\nlisten = '127.0.0.1:{mqtt}'\n[http]\nlisten = '127.0.0.1:{http}'\n[state]\ndir = '{root}/state'\n\
             [download]\ndir = '{}'\nssh = {:?}\nsilence_s = 3\nretry_s = 60\nreserve = '0'\n{source}{}",
            downloads.display(),
            sshd.words(),
            plan.download,
            root = root.display(),
        );
        fs::write(root.join("settings.toml"), text).unwrap();
        let (link, heard) = Link::open(LinkSettings {
            access: Access::default(),
            broker: format!("127.0.0.1:{mqtt}").parse().unwrap(),
            client: "nodes".into(),
            prefix: String::new(),
            subscriptions: vec!["download/+".into()],
            will: None,
        });
        for n in 1..=plan.nodes {
            link.say(&Topic::Status(ip(n)), status(n).to_string().into_bytes());
        }
        let nodes = plan.nodes;
        let mut rig = Self { sshd, root, downloads, controller: None, _link: link, heard, nodes, _folder: folder };
        rig.start().await;
        rig
    }

    /// Starts the controller and waits until it knows the nodes.
    pub(crate) async fn start(&mut self) {
        self.controller = Some(self.program(&[]).env("SYNCSLATE_LOG", "warn").spawn().unwrap());
        let (nodes, http) = (self.nodes, self.http());
        until("the nodes are known", async || {
            let state = http_get(&http, "/api/state").await.unwrap_or_default();
            (1..=nodes).all(|n| state.contains(&ip(n).to_string()))
        })
        .await;
    }

    /// SIGKILL.
    pub(crate) async fn kill_controller(&mut self) {
        let mut child = self.controller.take().unwrap();
        signal(child.id().unwrap(), Signal::KILL);
        child.wait().await;
    }

    /// The program with these words.
    pub(crate) fn program(&self, words: &[&str]) -> Program {
        Program::new(BINARY).arg("--config").arg(self.root.join("settings.toml")).args(words)
    }

    /// Runs the program to its end: whether it went well, what it wrote, what it said on standard error.
    pub(crate) async fn run(&self, words: &[&str]) -> (bool, String, String) {
        let mut child = self.program(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = String::new();
        let mut stdout = child.take_stdout().unwrap();
        let work = async {
            let _ = tokio::io::AsyncReadExt::read_to_string(&mut stdout, &mut out).await;
            child.wait().await
        };
        let ended = tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("{words:?} does not end"));
        (ended.success(), out, ended.stderr.join("\n"))
    }

    pub(crate) async fn expect_download(&self, name: &str) {
        let (ok, out, error) = self.run(&["download", name]).await;
        assert!(ok, "{out}{error}");
    }

    /// Starts a download and leaves it alone.
    pub(crate) fn begin(&self, name: &str) -> Child {
        self.program(&["download", name]).spawn().unwrap()
    }

    /// Waits until a download is in this state.
    pub(crate) async fn until_state(&mut self, name: &str, state: &str) -> Value {
        self.until_progress(name, |download| download["state"] == state).await
    }

    pub(crate) async fn until_progress(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                if let Some(LinkEvent::Message { topic, payload, .. }) = self.heard.recv().await
                    && topic == format!("download/{name}")
                {
                    let download: Value = serde_json::from_slice(&payload).unwrap();
                    if fits(&download) {
                        return download;
                    }
                }
            }
        };
        tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("{name} does not get there"))
    }

    /// All the files of a take are here as they are on the nodes, proven; nothing else lies about; `check` agrees.
    pub(crate) async fn expect_proven(&self, name: &str, nodes: &[(u8, Vec<String>)]) {
        let ledger = Ledger::read(&self.downloads.join(name)).unwrap();
        for (n, files) in nodes {
            let folder = self.downloads.join(name).join(ip(*n).to_string());
            for file in files {
                let there = fs::read(videos(&self.root, *n).join(file)).unwrap();
                assert!(fs::read(folder.join(file)).unwrap() == there, "{file} differs");
                let record = ledger.get(ip(*n), file).unwrap_or_else(|| panic!("{file} is not in the ledger"));
                let expected = if file.ends_with(".h264") { Custody::Verified } else { Custody::Arrived };
                assert_eq!(record.state, expected, "{file}");
            }
            let here: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(here.len(), files.len(), "{here:?}");
        }
        let (ok, out, error) = self.run(&["check", name]).await;
        assert!(ok && out.contains(" 0 differ"), "{out}{error}");
    }

    /// Puts a take on the first node.
    pub(crate) fn take(&self, name: &str, segments: u32, bytes: usize) -> Vec<String> {
        take(&self.root, name, 1, segments, bytes)
    }

    /// The rsync processes of this rig: the controller's and those on the nodes.
    pub(crate) fn rsyncs(&self) -> Vec<u32> {
        let root = self.root.display().to_string();
        let ours = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let text = String::from_utf8_lossy(&words).replace('\0', " ");
            text.starts_with("rsync ") && text.contains(&root)
        };
        all_processes().into_iter().filter(ours).collect()
    }

    fn http(&self) -> String {
        let text = fs::read_to_string(self.root.join("settings.toml")).unwrap();
        text.split("[http]\nlisten = '").nth(1).unwrap().split('\'').next().unwrap().to_owned()
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, fits: impl AsyncFn() -> bool) {
    let wait = async {
        while !fits().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

/// The children of a process, theirs, and so on.
pub(crate) fn processes_below(pid: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok())
    };
    let all: Vec<_> = all_processes().into_iter().map(|pid| (pid, parent(pid))).collect();
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(above) = found.get(at).copied() {
        found.extend(all.iter().filter(|(_, parent)| *parent == Some(above)).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

fn all_processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

async fn http_get(at: &str, path: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(at).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn status(n: u8) -> Value {
    json!({"v":1,"ip":ip(n),"name":"left","state":"armed","take":null,"frames":0,"dropped":0,"fps":30.0,
        "segment":null,"bytes":0,"skew_us":null,"clock":null,"disk":null,"temp_c":null,"throttled":null,"aes":true,
        "camera":{"kind":"test","model":null,"width":640,"height":360,"fps":30.0,"start_ms":900,"ring_s":4.0},
        "fault":null,"version":"0.1.0","booted":"2025-10-23T11:00:00Z","at":syncslate_shared::time::Clocks::wall(&syncslate_shared::time::SystemClocks)})
}

/// Flips one bit of a file in place; its length and its time stay.
pub(crate) fn flip_bit(path: &Path, at: usize) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 16;
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}
