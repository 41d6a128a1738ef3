//! Child processes with evidence: each one dies with its handle, and its end is told with command, exit status and
//! last lines of standard error. The only place that spawns.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

/// How many of the last lines of standard error are kept.
const KEPT_LINES: usize = 8;

/// A program to be started: its name, arguments and streams.
#[derive(Debug)]
pub struct Program {
    name: OsString,
    args: Vec<OsString>,
    stdin: Stdio,
    stdout: Stdio,
    envs: Vec<(OsString, OsString)>,
}

/// A program that runs.
#[derive(Debug)]
pub struct Child {
    shown: String,
    inner: tokio::process::Child,
    tail: Tail,
    tail_task: JoinHandle<()>,
}

/// The end of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The command, as a person would type it.
    pub command: String,
    /// How it ended; `None` when the system does not tell.
    pub status: Option<ExitStatus>,
    /// Its last lines on standard error.
    pub stderr: Vec<String>,
}

type Tail = Arc<Mutex<VecDeque<String>>>;

impl Program {
    /// The program `name`, looked up in `PATH`; both input and output are closed until given.
    pub fn new(name: impl AsRef<OsStr>) -> Self {
        Self {
            name: name.as_ref().to_owned(),
            args: Vec::new(),
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            envs: Vec::new(),
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Gives it a standard input.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Gives it a standard output.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// The command as a person would type it.
    pub fn shown(&self) -> String {
        let words = std::iter::once(&self.name).chain(&self.args);
        words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// Starts it. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The command and why it could not be started, with a hint when it is not installed.
    pub fn spawn(self) -> Result<Child, String> {
        let shown = self.shown();
        #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
        let mut command = Command::new(&self.name);
        command.args(&self.args).envs(self.envs).stdin(self.stdin).stdout(self.stdout).stderr(Stdio::piped());
        // Its own process group: Ctrl-C in the terminal reaches us alone, and we end it in order.
        command.process_group(0).kill_on_drop(true);
        let mut inner = command.spawn().map_err(|e| {
            let name = self.name.to_string_lossy();
            let hint = if e.kind() == std::io::ErrorKind::NotFound {
                format!("\n\nhint: install `{name}`")
            } else {
                String::new()
            };
            format!("cannot start `{shown}`: {e}{hint}")
        })?;
        let tail = Tail::default();
        let tail_task = tokio::spawn(keep_tail(inner.stderr.take(), Arc::clone(&tail)));
        Ok(Child { shown, inner, tail, tail_task })
    }

    /// Runs it to its end and gives what it wrote to its standard output.
    ///
    /// # Errors
    /// It could not be started, failed, or did not end within `limit` (then it was killed).
    pub async fn output(self, limit: Duration) -> Result<Vec<u8>, String> {
        let mut child = self.stdout(Stdio::piped()).spawn()?;
        let mut out = Vec::new();
        let shown = child.shown.clone();
        let run = async {
            if let Some(mut stdout) = child.take_stdout() {
                let _ = tokio::io::AsyncReadExt::read_to_end(&mut stdout, &mut out).await;
            }
            child.wait().await
        };
        let ended = tokio::time::timeout(limit, run).await;
        match ended {
            Err(_) => Err(format!("`{shown}` did not end within {} s and was killed", limit.as_secs_f64())),
            Ok(ended) if ended.success() => Ok(out),
            Ok(ended) => Err(ended.to_string()),
        }
    }
}

impl Child {
    /// Its standard input, when it was given `Stdio::piped()`; once.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.inner.stdin.take()
    }

    /// Its standard output, when it was given `Stdio::piped()`; once.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.inner.stdout.take()
    }

    /// Its process id; `None` once it has ended.
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Ended {
        let status = self.inner.wait().await.ok();
        // Its grandchildren may hold standard error open: what has arrived by now is the evidence.
        let _ = tokio::time::timeout(Duration::from_millis(200), &mut self.tail_task).await;
        let stderr = self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        Ended { command: self.shown.clone(), status, stderr }
    }

    /// Asks it to end (SIGINT), kills it when it has not within `grace`, and waits for its end.
    pub async fn stop(&mut self, grace: Duration) -> Ended {
        if let Some(pid) = self.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        if let Ok(ended) = tokio::time::timeout(grace, self.wait()).await {
            return ended;
        }
        let _ = self.inner.start_kill();
        self.wait().await
    }
}

impl Ended {
    /// Whether it ended with exit status 0.
    pub fn success(&self) -> bool {
        self.status.is_some_and(|s| s.success())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or_else(|| "an unknown status".to_owned(), |s| s.to_string());
        write!(f, "`{}` ended with {status}", self.command)?;
        if !self.stderr.is_empty() {
            write!(f, "; it said last: {}", self.stderr.join(" | "))?;
        }
        Ok(())
    }
}

async fn keep_tail(stream: Option<impl AsyncRead + Unpin>, tail: Tail) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        let text: String = String::from_utf8_lossy(&line).trim_end().chars().take(400).collect();
        line.clear();
        if text.is_empty() {
            continue;
        }
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == KEPT_LINES {
            tail.pop_front();
        }
        tail.push_back(text);
    }
}

fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:=,@%+{}".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Program {
        Program::new("sh").arg("-c").arg(script)
    }

    #[tokio::test]
    async fn the_end_is_told_with_its_evidence() {
        let ended = sh("echo one >&2; echo two >&2; exit 3").spawn().unwrap().wait().await;
        assert_eq!(
            ended.to_string(),
            "`sh -c 'echo one >&2; echo two >&2; exit 3'` ended with exit status: 3; it said last: one | two"
        );
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named_with_a_hint() {
        let error = Program::new("no-such-program").spawn().unwrap_err();
        assert!(error.contains("cannot start `no-such-program`") && error.contains("hint: install"), "{error}");
    }

    #[tokio::test]
    async fn one_that_does_not_want_to_end_is_killed() {
        let mut child =
            sh("trap '' INT; echo ready; while :; do sleep 1; done").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.take_stdout().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        let ended = child.stop(Duration::from_millis(50)).await;
        assert!(!ended.success());
    }

    #[tokio::test]
    async fn output_is_given_or_the_reason_why_not() {
        assert_eq!(sh("printf yes").output(Duration::from_secs(9)).await.unwrap(), b"yes");
        assert!(sh("exit 1").output(Duration::from_secs(9)).await.unwrap_err().contains("exit status: 1"));
        assert!(
            sh("exec sleep 60").output(Duration::from_millis(50)).await.unwrap_err().contains("did not end within")
        );
    }
}
