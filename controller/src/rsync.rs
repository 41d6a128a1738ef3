//! rsync: what a node has, fetching exactly named files from it, and deleting them there. Names come from our own
//! pattern and go to rsync as a list in a file, so no file on a node can say anything to a shell or to rsync's options.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use syncslate_shared::child::{Ended, Program};
use syncslate_shared::files::Base;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, BufReader};

use crate::errand::{Broken, RemoteFile};
use crate::size::Size;

/// Where what has arrived of a file waits for the rest, inside the node's folder.
pub const PARTIAL: &str = ".partial";

/// Listing a folder takes a second; with ssh and a busy node a few more.
const LIST_LIMIT: Duration = Duration::from_secs(30);

/// A node that is away is noticed so soon.
const CONNECT_S: u64 = 8;

/// A node reads whole takes to compare them, and says nothing meanwhile; ssh notices by itself when it vanishes.
const COMPARE_S: u64 = 3600;

/// How rsync is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rsync {
    /// Where the nodes' footage lies.
    pub source: Source,
    /// Arguments for ssh, before our own: of two that disagree ssh takes the first.
    pub ssh: Vec<String>,
    /// The program on the nodes, with what stands before it: `nice -n 19 rsync`; rsync's own choice when left out.
    pub remote: Option<String>,
    /// The most that one transfer may take of the network, in bytes a second.
    pub limit: Option<Size>,
    /// The same while the node records, which must not notice it.
    pub gentle_limit: Size,
    /// Whether it gives way to everything else on this machine.
    pub gentle: bool,
    /// Whether this computer and the node both have instructions for AES: ssh then uses AES-GCM.
    pub aes: bool,
    /// A transfer on which nothing comes for so long is broken off.
    pub silence: Duration,
}

/// Where the footage of a node lies: `pi@{ip}:videos/`, or a local path with `{ip}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(String);

impl FromStr for Source {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("{ip}") {
            return Err(format!("`{text}` holds no {{ip}}, so all nodes would be the same one: pi@{{ip}}:videos/"));
        }
        if text.starts_with('-') || text.chars().any(char::is_control) {
            return Err(format!("`{}` is no source for rsync such as pi@{{ip}}:videos/", text.escape_debug()));
        }
        Ok(Self(if text.ends_with('/') { text.to_owned() } else { format!("{text}/") }))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Source {
    /// The node's own source.
    fn of(&self, ip: Ipv4Addr) -> String {
        self.0.replace("{ip}", &ip.to_string())
    }

    fn is_daemon(&self) -> bool {
        self.0.starts_with("rsync://") || self.0.contains("::")
    }
}

impl Rsync {
    /// With the built-in settings.
    pub fn new(source: Source) -> Self {
        let (limit, gentle_limit) = (None, Size(1_000_000));
        Self {
            source,
            ssh: Vec::new(),
            remote: None,
            limit,
            gentle_limit,
            gentle: false,
            aes: false,
            silence: Duration::from_secs(30),
        }
    }

    /// The same at low priority: for fetching while nodes record.
    pub fn gently(self) -> Self {
        let limit = self.limit.map_or(self.gentle_limit, |limit| limit.min(self.gentle_limit));
        Self { limit: Some(limit), gentle: true, ..self }
    }

    /// Our files of the node `ip`; others are not seen.
    ///
    /// # Errors
    /// The command, how it ended, what it said last, and what to do.
    pub async fn list(&self, ip: Ipv4Addr) -> Result<Vec<RemoteFile>, Broken> {
        let program = self
            .program(self.silence.as_secs())
            .args(["--list-only", "--dirs", "--no-human-readable"])
            .arg("--")
            .arg(self.source.of(ip));
        let mut files = Vec::new();
        let work = run(program, |line| files.extend(listed(line, ip)));
        match tokio::time::timeout(LIST_LIMIT, work).await {
            Ok(done) => done.map(|()| files),
            Err(_) => Err(Broken::for_now(format!("{ip} did not list its files within {} s", LIST_LIMIT.as_secs()))),
        }
    }

    /// Fetches `files` of the node `ip` into `folder`; `arrived` hears how many bytes have come. What has arrived of a
    /// file waits in [`PARTIAL`]; rsync goes on from there and checks the whole file's checksum at its end. `lock` is
    /// held open by the child until it has really ended, whoever kills whom.
    ///
    /// # Errors
    /// The command, how it ended, what it said last, and what to do.
    pub async fn fetch(
        &self,
        ip: Ipv4Addr,
        files: &[RemoteFile],
        folder: &Path,
        lock: File,
        mut arrived: impl FnMut(u64) + Send,
    ) -> Result<(), Broken> {
        let list = list_of(files)?;
        let mut program = self.program(self.silence.as_secs()).arg("--times").args(named(&list)).args([
            "--no-human-readable",
            "--info=progress2",
            &format!("--partial-dir={PARTIAL}"),
        ]);
        if let Some(Size(limit)) = self.limit {
            program = program.arg(format!("--bwlimit={}", limit.div_ceil(1024)));
        }
        if folder.join(PARTIAL).exists() {
            // Between local folders rsync would begin a broken-off file anew.
            program = program.arg("--no-whole-file");
        }
        let program = program.arg("--").arg(self.source.of(ip)).arg(folder).stdin(lock);
        run(program, |line| progress(line).into_iter().for_each(&mut arrived)).await
    }

    /// Those of `files` whose bytes on the node are not the bytes in `folder`: both sides read all of them.
    ///
    /// # Errors
    /// The command, how it ended, what it said last, and what to do.
    pub async fn differing(&self, ip: Ipv4Addr, files: &[RemoteFile], folder: &Path) -> Result<Vec<String>, Broken> {
        let list = list_of(files)?;
        let program = self
            .program(COMPARE_S)
            .args(["--dry-run", "--checksum", "--out-format=%i %n"])
            .args(named(&list))
            .arg("--")
            .arg(self.source.of(ip))
            .arg(folder);
        let mut found = Vec::new();
        run(program, |line| {
            if let Some((_, name)) = line.split_once(' ').filter(|_| line.starts_with(">f")) {
                found.push(name.to_owned());
            }
        })
        .await?;
        Ok(found)
    }

    /// Deletes `files` on the node, those whose bytes are still the bytes in `folder`. One that has changed this very
    /// moment comes here before it goes there, and what it would replace is moved into `aside`: nothing can be lost.
    ///
    /// # Errors
    /// The command, how it ended, what it said last, and what to do.
    pub async fn delete(&self, ip: Ipv4Addr, files: &[RemoteFile], folder: &Path, aside: &Path) -> Result<(), Broken> {
        let list = list_of(files)?;
        let program = self
            .program(COMPARE_S)
            .args(["--times", "--checksum", "--remove-source-files", "--backup"])
            .arg(format!("--backup-dir={}", aside.display()))
            .args(named(&list))
            .arg("--")
            .arg(self.source.of(ip))
            .arg(folder);
        run(program, |_| {}).await
    }

    fn program(&self, timeout_s: u64) -> Program {
        // No compression: H.264 does not get smaller, and a Pi has better things to do.
        let program = if self.gentle {
            Program::new("nice").args(["-n", "19", "ionice", "-c", "3", "rsync"])
        } else {
            Program::new("rsync")
        };
        let program = program.arg(format!("--timeout={timeout_s}")).env("LC_ALL", "C");
        if self.source.is_daemon() {
            return program.arg(format!("--contimeout={CONNECT_S}"));
        }
        let remote = self.remote.iter().map(|remote| format!("--rsync-path={remote}"));
        program.args(remote).arg("-e").arg(self.remote_shell())
    }

    /// No questions (nobody is there to answer). A host key that was never seen is accepted (nodes are set up by the
    /// dozen, and provisioning may lay `known_hosts`); one that changed is not: who wants strangers refused, too, sets
    /// `StrictHostKeyChecking=yes` in `download.ssh`.
    fn remote_shell(&self) -> String {
        let alive = format!("ServerAliveInterval={}", (self.silence.as_secs() / 3).max(1));
        let connect = format!("ConnectTimeout={CONNECT_S}");
        let ours = ["BatchMode=yes", &connect, &alive, "ServerAliveCountMax=3", "StrictHostKeyChecking=accept-new"];
        let mut words = vec!["ssh".to_owned()];
        // rsync splits this itself: single quotes keep a word whole, a doubled one stands for itself.
        words.extend(self.ssh.iter().map(|word| format!("'{}'", word.replace('\'', "''"))));
        words.extend(ours.iter().map(|option| format!("-o {option}")));
        if self.aes {
            // The head of ssh's own list, so a server without it still agrees on another one.
            words.push("-o Ciphers=^aes128-gcm@openssh.com".to_owned());
        }
        words.join(" ")
    }
}

/// Runs rsync to its end; `said` hears its lines.
async fn run(program: Program, mut said: impl FnMut(&str)) -> Result<(), Broken> {
    let mut child = program.stdout(Stdio::piped()).spawn().map_err(Broken::for_good)?;
    if let Some(stdout) = child.take_stdout() {
        let mut reader = BufReader::new(stdout);
        let (mut line, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = reader.read(&mut chunk).await {
            for byte in &chunk[..length] {
                match byte {
                    b'\r' | b'\n' => {
                        said(&String::from_utf8_lossy(&line));
                        line.clear();
                    }
                    byte => line.push(*byte),
                }
            }
        }
    }
    let ended = child.wait().await;
    if ended.success() { Ok(()) } else { Err(broken(&ended)) }
}

/// What is said when somebody has to do something first.
const HOPELESS: [&str; 5] =
    ["Permission denied", "Host key verification failed", "unknown option", "rrsync error", "read-only"];

/// What of rsync's ends may be another one the next time: the network, a full disk, a file that vanished, a kill.
fn broken(ended: &Ended) -> Broken {
    let why = with_hint(ended.to_string());
    let hopeless = |said: &&str| why.contains(said) && !why.contains("Another instance of rrsync");
    // Wrong usage, another protocol, no such folder, not supported, refused by the daemon; those killed have no code.
    let wrong = matches!(ended.status.and_then(|status| status.code()), Some(1..=6));
    Broken { again: !wrong && !HOPELESS.iter().any(hopeless), why }
}

fn named(list: &NamedTempFile) -> [String; 2] {
    [format!("--files-from={}", list.path().display()), "--from0".into()]
}

fn list_of(files: &[RemoteFile]) -> Result<NamedTempFile, Broken> {
    let write = || {
        let mut list = NamedTempFile::new()?;
        for file in files {
            list.write_all(file.name.as_bytes())?;
            list.write_all(b"\0")?;
        }
        list.flush()?;
        Ok(list)
    };
    write().map_err(|e: std::io::Error| Broken::for_now(format!("cannot write the list of files for rsync: {e}")))
}

/// A line of `--list-only`: mode, length, date, time, name.
fn listed(line: &str, ip: Ipv4Addr) -> Option<RemoteFile> {
    let mut rest = line.strip_prefix('-')?;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (_mode, bytes, _date, _time) = (word()?, word()?, word()?, word()?);
    let bytes = bytes.replace(',', "").parse().ok()?;
    let (base, _) = Base::parse(rest)?;
    (base.ip == ip).then(|| RemoteFile { name: rest.to_owned(), bytes })
}

/// The bytes of a line of `--info=progress2`: `  1,234,567  12%   1.23MB/s  0:00:12`.
fn progress(line: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    let bytes = words.next()?.replace(',', "").parse().ok()?;
    words.next()?.ends_with('%').then_some(bytes)
}

fn with_hint(error: String) -> String {
    let table = [
        ("Permission denied", "give the controller's user a key that the node knows: ssh-copy-id pi@NODE"),
        ("Host key verification failed", "the node's ssh key has changed: ssh-keygen -R NODE, when you know why"),
        ("No space left", "make room in the downloads folder; it goes on by itself"),
        (
            "has been disabled",
            "the node lets its footage be read but not deleted: rrsync -no-lock without -ro, or by hand",
        ),
        ("Another instance of rrsync", "rrsync lets one in at a time: -no-lock lets a listing in beside a transfer"),
        ("rrsync error", "a key that rrsync restricts names the folder itself: then the source is pi@{ip}:/"),
        ("read-only", "the node lets its footage be read but not deleted: `read only = no` in rsyncd.conf, or by hand"),
        ("read only", "the node lets its footage be read but not deleted: `read only = no` in rsyncd.conf, or by hand"),
        ("Connection refused", "is ssh running on the node?"),
        ("timed out", "is the node switched on and on this network?"),
        ("No route to host", "is the node switched on and on this network?"),
        ("No such file or directory", "does the source of the settings (--source) name the node's videos?"),
    ];
    match table.iter().find(|(said, _)| error.contains(said)) {
        Some((_, hint)) => format!("{error}\n\nhint: {hint}"),
        None => error,
    }
}

#[cfg(test)]
#[path = "rsync_tests.rs"]
mod tests;
