//! A broker on a free port, and real clients.
#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod five;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use syncslate_broker::{Broker, Config, Event};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

#[allow(unused_imports)]
pub use five::{nothing_more, open5, publish5, subscribe5};

/// Versions as mosquitto's programs name them.
pub const V4: &str = "311";
pub const V5: &str = "5";

/// Nothing here takes this long unless it is broken.
const LONG: Duration = Duration::from_secs(30);

pub struct Rig {
    pub broker: Broker,
    pub addr: SocketAddr,
}

impl Rig {
    pub async fn new() -> Rig {
        Rig::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Rig {
        // Shown with RUST_LOG=syncslate_broker=debug.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let mut config = Config::new(([127, 0, 0, 1], 0).into());
        change(&mut config);
        let broker = syncslate_broker::start(config).await.unwrap();
        let addr = broker.addr();
        Rig { broker, addr }
    }

    /// The next event that is not just somebody's coming or going.
    pub async fn event(&mut self) -> Event {
        loop {
            match timeout(LONG, self.broker.events().recv()).await.expect("no event came").unwrap() {
                Event::Connected { .. } | Event::Disconnected { .. } => {}
                event => return event,
            }
        }
    }

    fn client(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.addr.port().to_string()]).args(args);
        command.kill_on_drop(true);
        command
    }

    pub async fn mosquitto_pub(&self, args: &[&str]) {
        let out =
            timeout(LONG, self.client("mosquitto_pub", args).output()).await.expect("mosquitto_pub hangs").unwrap();
        assert!(out.status.success(), "{args:?}: {out:?}");
    }

    pub async fn mosquitto_pub_lines(&self, args: &[&str], lines: &str) {
        let mut child = self.client("mosquitto_pub", args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).await.unwrap();
        let status = timeout(LONG, child.wait()).await.expect("mosquitto_pub hangs").unwrap();
        assert!(status.success());
    }

    pub async fn mosquitto_pub_open(&self, args: &[&str]) -> Writer {
        let mut child = self.client("mosquitto_pub", args).stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        Writer { child, stdin }
    }

    /// A subscriber, once it is subscribed.
    pub async fn mosquitto_sub(&self, args: &[&str]) -> Sub {
        let mut all = vec!["-d"];
        all.extend(args);
        let mut sub = self.sub(&all);
        loop {
            let line = sub.raw().await;
            if line.starts_with("Subscribed (mid") {
                return sub;
            }
        }
    }

    /// A subscriber that may get messages before it is subscribed.
    pub async fn mosquitto_sub_unready(&self, args: &[&str]) -> Sub {
        self.sub(args)
    }

    fn sub(&self, args: &[&str]) -> Sub {
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", &self.addr.port().to_string()]).args(args);
        let mut child = command.kill_on_drop(true).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Sub { child, lines }
    }

    /// Publishes a retained message with QoS 1 by hand and waits for its PUBACK.
    pub async fn raw_retain(&self, topic: &str, payload: &str) {
        let mut raw = Raw::connect(self.addr, "raw").await;
        raw.send(&publish(topic, payload, 1, true, 1)).await;
        assert_eq!(raw.packet().await[0] >> 4, 4);
        raw.send(&[0xe0, 0]).await;
    }
}

pub struct Sub {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sub {
    async fn raw(&mut self) -> String {
        timeout(LONG, self.lines.next_line()).await.expect("no line came").unwrap().expect("the client has ended")
    }

    /// The next line that is no debug output.
    pub async fn line(&mut self) -> String {
        loop {
            let line = self.raw().await;
            if !line.starts_with("Client ") && !line.starts_with("Subscribed (mid") {
                return line;
            }
        }
    }

    /// Ends it with DISCONNECT.
    pub async fn end(mut self) {
        let pid = self.child.id().unwrap().to_string();
        Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
        timeout(LONG, self.child.wait()).await.expect("mosquitto_sub does not end").unwrap();
    }

    /// Ends it without.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

pub struct Writer {
    child: Child,
    stdin: ChildStdin,
}

impl Writer {
    pub async fn write(&mut self, text: &str) {
        self.stdin.write_all(text.as_bytes()).await.unwrap();
    }
}

/// A client made of bytes.
pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    pub async fn open(addr: SocketAddr) -> Raw {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream }
    }

    /// Version 3.1.1, clean, keep alive 0.
    pub async fn connect(addr: SocketAddr, id: &str) -> Raw {
        let mut raw = Raw::open(addr).await;
        raw.send(&connect(4, id, true, 0)).await;
        let ack = raw.packet().await;
        assert_eq!((ack[0], ack[3]), (0x20, 0), "{ack:?}");
        raw
    }

    pub async fn connect5(addr: SocketAddr, id: &str) -> Raw {
        let mut raw = Raw::open(addr).await;
        raw.send(&connect(5, id, true, 0)).await;
        let ack = raw.packet().await;
        assert_eq!((ack[0], ack[3]), (0x20, 0), "{ack:?}");
        raw
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next whole packet.
    pub async fn packet(&mut self) -> Vec<u8> {
        timeout(LONG, self.try_packet()).await.expect("no packet came").expect("the connection was closed")
    }

    /// The next packet, `None` at the end.
    pub async fn try_packet(&mut self) -> Option<Vec<u8>> {
        use tokio::io::AsyncReadExt;
        let mut out = vec![self.stream.read_u8().await.ok()?];
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            out.push(byte);
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let start = out.len();
        out.resize(start + length, 0);
        self.stream.read_exact(&mut out[start..]).await.ok()?;
        Some(out)
    }

    /// Waits for the server to close; what it sent before is thrown away.
    pub async fn closed(&mut self) {
        use tokio::io::AsyncReadExt;
        let mut buffer = [0; 4096];
        let end = async { while self.stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {} };
        timeout(LONG, end).await.expect("the server does not close");
    }
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut n = body.len();
    loop {
        let byte = (n & 0x7f) as u8;
        n >>= 7;
        out.push(if n > 0 { byte | 0x80 } else { byte });
        if n == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

fn text(s: &str) -> Vec<u8> {
    let mut out = u16::try_from(s.len()).unwrap().to_be_bytes().to_vec();
    out.extend(s.as_bytes());
    out
}

pub fn connect(level: u8, id: &str, clean: bool, keep_alive: u16) -> Vec<u8> {
    let mut body = text("MQTT");
    body.extend([level, if clean { 2 } else { 0 }]);
    body.extend(keep_alive.to_be_bytes());
    if level == 5 {
        body.push(0);
    }
    body.extend(text(id));
    framed(0x10, &body)
}

pub fn connect_will(id: &str, clean: bool, topic: &str, payload: &str) -> Vec<u8> {
    let mut body = text("MQTT");
    body.extend([4, 4 | if clean { 2 } else { 0 }, 0, 0]);
    body.extend(text(id));
    body.extend(text(topic));
    body.extend(text(payload));
    framed(0x10, &body)
}

pub fn publish(topic: &str, payload: &str, qos: u8, retain: bool, pkid: u16) -> Vec<u8> {
    let mut body = text(topic);
    if qos > 0 {
        body.extend(pkid.to_be_bytes());
    }
    body.extend(payload.as_bytes());
    framed(0x30 | qos << 1 | u8::from(retain), &body)
}

/// CONNECT of version 3.1.1 with an account.
pub fn connect_as(id: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = text("MQTT");
    body.extend([4, 0xc2, 0, 0]);
    for field in [id, user, password] {
        body.extend(text(field));
    }
    framed(0x10, &body)
}

/// A packet from its first byte and its body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    framed(first, body)
}

/// Text with its length.
pub fn field(s: &str) -> Vec<u8> {
    text(s)
}

pub fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(text(filter));
    body.push(qos);
    framed(0x82, &body)
}

/// Waits until something is so.
pub async fn wait_for(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let all = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, all).await.unwrap_or_else(|_| panic!("{what}: waited in vain"));
}

/// A certificate for this machine, vouched for by itself.
pub fn certificate(dir: &std::path::Path) -> syncslate_broker::Tls {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = (dir.join("chain.pem"), dir.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    syncslate_broker::Tls { listen: ([127, 0, 0, 1], 0).into(), chain, key }
}
