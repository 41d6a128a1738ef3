//! The brokers, each in a process of its own on a free port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rumqttd::{ConnectionSettings, RouterConfig, ServerSettings};
use tempfile::TempDir;

use crate::Result;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This project's.
    Ours,
    /// Mosquitto, with as few limits as ours has.
    Mosquitto,
    /// rumqttd as it comes, with its own listener and sessions and without this project's guard.
    Bare,
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
            Kind::Ours | Kind::Bare => {
                let mut command = Command::new(std::env::current_exe()?);
                let what = if kind == Kind::Ours { "serve" } else { "serve-bare" };
                let mut child = command.arg(what).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
                let mut line = String::new();
                let out = child.stdout.take().ok_or("no output")?;
                BufReader::new(out).read_line(&mut line)?;
                let server = Server { addr: line.trim().parse()?, child, _settings: None };
                server.listens()
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
                Server { addr, child, _settings: Some(dir) }.listens()
            }
        }
    }

    /// Waits until it takes connections.
    fn listens(self) -> Result<Server> {
        for _ in 0..500 {
            if TcpStream::connect(self.addr).is_ok() {
                return Ok(self);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the broker does not listen".into())
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

/// rumqttd alone, until standard input ends, with the limits that do not lose messages of these loads.
pub fn serve_bare() -> Result<()> {
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let connections = ConnectionSettings {
        connection_timeout_ms: 5000,
        max_payload_size: 262_144,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server =
        ServerSettings { name: "bare".to_owned(), listen, tls: None, next_connection_delay_ms: 1, connections };
    let router = RouterConfig {
        max_connections: 10_010,
        max_outgoing_packet_count: 200,
        max_segment_size: 16 << 20,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    let v4 = Some([(String::from("bare"), server)].into());
    let mut broker = rumqttd::Broker::new(rumqttd::Config { router, v4, ..rumqttd::Config::default() });
    writeln!(std::io::stdout(), "{listen}")?;
    // It has no stop; it ends with this process.
    std::thread::spawn(move || broker.start().map_err(|e| writeln!(std::io::stderr(), "rumqttd: {e}")));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
