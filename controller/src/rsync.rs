//! rsync: what a node has, and fetching exactly named files from it. Names come from our own pattern and go to rsync
//! as a list on its standard input, so no file on a node can say anything to a shell or to rsync's options.

use std::fmt;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use syncslate_shared::child::Program;
use syncslate_shared::files::Base;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::event::RemoteFile;

/// Where what has arrived of a file waits for the rest, inside the node's folder.
pub const PARTIAL: &str = ".partial";

/// Listing a folder takes a second; with ssh and a busy node a few more.
const LIST_LIMIT: Duration = Duration::from_secs(30);

/// No questions (nobody is there to answer), a node that is away is noticed in 5 s, one that vanishes in 15 s. A host key
/// that was never seen is accepted (nodes are set up by the dozen); one that changed is not.
const SSH: &str = "ssh -o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=5 -o ServerAliveCountMax=3 \
                   -o StrictHostKeyChecking=accept-new";

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
    fn of(&self, ip: Ipv4Addr) -> String {
        self.0.replace("{ip}", &ip.to_string())
    }

    /// Our files of the node `ip`; others are not seen.
    ///
    /// # Errors
    /// The command, how it ended, what it said last, and what to do.
    pub async fn list(&self, ip: Ipv4Addr) -> Result<Vec<RemoteFile>, String> {
        let out = rsync()
            .args(["--list-only", "--dirs", "--no-human-readable"])
            .arg("--")
            .arg(self.of(ip))
            .output(LIST_LIMIT)
            .await
            .map_err(with_hint)?;
        Ok(String::from_utf8_lossy(&out).lines().filter_map(|line| listed(line, ip)).collect())
    }

    /// Fetches `files` of the node `ip` into `folder`; `arrived` hears how many bytes have come.
    ///
    /// # Errors
    /// The command, how it ended, what it said last, and what to do.
    pub async fn fetch(
        &self,
        ip: Ipv4Addr,
        files: &[RemoteFile],
        folder: &Path,
        mut arrived: impl FnMut(u64) + Send,
    ) -> Result<(), String> {
        let list = list_of(files).map_err(|e| format!("cannot write the list of files for rsync: {e}"))?;
        let mut child = rsync()
            .args(["--times", "--files-from=-", "--from0", "--no-human-readable", "--info=progress2"])
            .arg(format!("--partial-dir={PARTIAL}"))
            .arg("--")
            .arg(self.of(ip))
            .arg(folder)
            .stdin(list)
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(stdout) = child.take_stdout() {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while let Ok(1..) = reader.read_until(b'\r', &mut line).await {
                if let Some(bytes) = progress(&String::from_utf8_lossy(&line)) {
                    arrived(bytes);
                }
                line.clear();
            }
        }
        let ended = child.wait().await;
        if ended.success() { Ok(()) } else { Err(with_hint(ended.to_string())) }
    }
}

fn rsync() -> Program {
    // No compression: H.264 does not get smaller, and a Pi has better things to do.
    Program::new("rsync").args(["--timeout=30", "-e", SSH]).env("LC_ALL", "C")
}

/// An unnamed file rather than a pipe: nothing has to be fed while rsync runs.
fn list_of(files: &[RemoteFile]) -> std::io::Result<File> {
    let mut list = tempfile::tempfile()?;
    for file in files {
        list.write_all(file.name.as_bytes())?;
        list.write_all(b"\0")?;
    }
    list.rewind()?;
    Ok(list)
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
        ("No space left", "make room in the downloads folder"),
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
