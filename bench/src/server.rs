//! The brokers, each in a process of its own on a free port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Result;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This project's.
    Ours,
    /// Mosquitto, with as few limits as ours has.
    Mosquitto,
}

/// A broker that runs; it ends with its handle.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    child: Child,
    _settings: Option<TempDir>,
}

impl Server {
    /// Starts one.
    #[expect(clippy::disallowed_methods, reason = "a program for measuring: no evidence is wanted of its children")]
    pub fn start(kind: Kind) -> Result<Server> {
        match kind {
            Kind::Ours => {
                let mut command = Command::new(std::env::current_exe()?);
                let mut child = command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
                let mut line = String::new();
                let out = child.stdout.take().ok_or("no output")?;
                BufReader::new(out).read_line(&mut line)?;
                Ok(Server { addr: line.trim().parse()?, child, _settings: None })
            }
            Kind::Mosquitto => {
                let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
                let dir = TempDir::new()?;
                let file = dir.path().join("mosquitto.conf");
                let settings = format!(
                    "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 256\n\
                     max_queued_messages 0\nlog_type error\n",
                    addr.port()
                );
                std::fs::write(&file, settings)?;
                let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
                let mut command = Command::new("mosquitto");
                let child = command.env("PATH", path).arg("-c").arg(&file).stdin(Stdio::null()).spawn()?;
                let server = Server { addr, child, _settings: Some(dir) };
                for _ in 0..500 {
                    if TcpStream::connect(addr).is_ok() {
                        return Ok(server);
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err("mosquitto does not listen".into())
            }
        }
    }

    /// Its memory in MiB.
    pub fn rss(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }

    /// Processor time that it has used.
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        // In nanoseconds, by thread; the figures of the whole process are in hundredths of a second.
        let nanoseconds = tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
            .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .sum();
        Duration::from_nanos(nanoseconds)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This project's broker, until standard input ends: what [`Server::start`] starts.
pub async fn serve() -> Result<()> {
    let config = syncslate_broker::Config::new(([127, 0, 0, 1], 0).into());
    let mut broker = syncslate_broker::start(config).await?;
    writeln!(std::io::stdout(), "{}", broker.addr())?;
    let mut ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    loop {
        tokio::select! {
            _ = &mut ended => break,
            _ = broker.events().recv() => {}
        }
    }
    broker.stop().await;
    Ok(())
}
