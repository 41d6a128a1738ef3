//! Processes of a test: started with their output collected, ended with their handle.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a condition may take before a test fails; generous, because a test machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that a process wrote, and a way to wait for the next one.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<(Mutex<VecDeque<String>>, Condvar)>);

impl Lines {
    fn collect(&self, stream: impl Read + Send + 'static) {
        let lines = self.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while let Ok(1..) = stream.read_until(b'\n', &mut line) {
                // Enough to tell what it is; a test that looks at ten megabytes over and over is slow.
                line.truncate(64 * 1024);
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                lines.0.0.lock().unwrap().push_back(text);
                lines.0.1.notify_all();
            }
        });
    }

    /// The first line that `find` makes something of; the lines before it are passed over, but not forgotten.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        self.wait_for(PATIENCE, what, find)
    }

    /// The same with another patience.
    ///
    /// # Panics
    /// When none comes within it.
    pub fn wait_for<T>(&self, patience: Duration, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let until = now() + patience;
        let mut lines = self.0.0.lock().unwrap();
        loop {
            if let Some(found) = lines.iter().find_map(|line| find(line)) {
                return found;
            }
            let left = until.saturating_duration_since(now());
            assert!(!left.is_zero(), "waited in vain for {what}; there was:\n{}", Vec::from(lines.clone()).join("\n"));
            lines = self.0.1.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// All lines so far.
    pub fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().iter().cloned().collect()
    }

    /// Forgets what was written so far.
    pub fn clear(&self) {
        self.0.0.lock().unwrap().clear();
    }
}

/// Now, for deadlines of tests.
#[expect(clippy::disallowed_methods, reason = "tests have real deadlines")]
pub fn now() -> Instant {
    Instant::now()
}

/// A command that may be changed before it is started.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that spawns")]
pub fn command(program: impl Into<PathBuf>) -> Command {
    Command::new(program.into())
}

/// A program of this workspace.
///
/// # Panics
/// When it was not built.
pub fn ours(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().find(|dir| dir.join("deps").is_dir()).unwrap();
    let program = folder.join(name);
    assert!(program.exists(), "{} is not there: build the workspace first (make test does)", program.display());
    program
}

/// Sends the process `pid` a signal.
pub fn send(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

/// A process that runs.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it writes to its standard output.
    pub out: Lines,
    /// What it writes to its standard error.
    pub log: Lines,
}

impl Process {
    /// Starts `command`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (out, log) = (Lines::default(), Lines::default());
        out.collect(child.stdout.take().unwrap());
        log.collect(child.stderr.take().unwrap());
        Self { child, out, log }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Its child whose program is `name`, by its process id.
    pub fn child(&self, name: &str) -> Option<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).into_iter().flatten().flatten();
        let all: String = threads.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok()).collect();
        let mut pids = all.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
        pids.find(|pid| {
            let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            exe.file_name().is_some_and(|file| file == name)
        })
    }

    /// How it has ended; `None` while it runs.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has ended; its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn ended(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("the end of a process", || {
            status = self.has_ended();
            status.is_some()
        });
        status.and_then(|s| s.code())
    }

    /// Asks it to end and waits.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not in time.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let until = now() + PATIENCE;
    while !condition() {
        assert!(now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
