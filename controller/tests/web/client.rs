//! A raw HTTP/1.1 client over TCP, and the helper that every test goes through.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use syncslate_controller::door::Door;
use syncslate_controller::lock::Lock;
use syncslate_controller::snapshot::Snapshot;
use syncslate_controller::web;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;

use crate::stage::{self, Stage};

/// Long enough for the slowest machine; nothing waits for it to pass.
const LIMIT: Duration = Duration::from_secs(20);

/// A running web door and what is behind it.
pub(crate) struct Site {
    pub(crate) at: SocketAddr,
    pub(crate) stage: Stage,
    shutdown: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<()>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Site {
    pub(crate) async fn open(snapshot: Snapshot) -> Self {
        Self::with_downloads(snapshot, Path::new(".")).await
    }

    pub(crate) async fn with_downloads(snapshot: Snapshot, downloads: &Path) -> Self {
        Self::behind(stage::door(snapshot, downloads)).await
    }

    /// One that wants accounts.
    pub(crate) async fn with_lock(snapshot: Snapshot, lock: Lock) -> Self {
        let (door, stage) = stage::door(snapshot, Path::new("."));
        Self::behind((Door { lock, ..door }, stage)).await
    }

    async fn behind((door, stage): (Door, Stage)) -> Self {
        let (shutdown, end) = oneshot::channel();
        let listen = "127.0.0.1:0".parse().unwrap();
        let (at, server) = web::serve(listen, door, async { drop(end.await) }).await.unwrap();
        Self { at, stage, shutdown: Some(shutdown), server: tokio::spawn(server) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await.body).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &["Content-Type: application/json"], body).await
    }

    /// One request, its whole answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let (mut reader, _open) = self.send(method, path, headers, body).await;
        tokio::time::timeout(LIMIT, async {
            let head = head(&mut reader).await;
            let mut body = Vec::new();
            // A server that refuses a body without reading it may reset the connection behind its answer.
            let _ = reader.read_to_end(&mut body).await;
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() }
        })
        .await
        .unwrap()
    }

    /// Saves the body of an answer, with holes for long zeros; gives the answer's head.
    pub(crate) async fn save(&self, path: &str, file: &Path) -> String {
        let (mut reader, _open) = self.send("GET", path, &[], "").await;
        let head = head(&mut reader).await;
        let mut file = std::fs::File::create(file).unwrap();
        let (mut chunk, zeros, mut length) = (vec![0; 1 << 20], vec![0; 1 << 20], 0u64);
        while let Ok(read @ 1..) = tokio::time::timeout(LIMIT, reader.read(&mut chunk)).await.unwrap() {
            length += read as u64;
            if chunk[..read] == zeros[..read] {
                file.seek(SeekFrom::Start(length)).unwrap();
            } else {
                file.write_all(&chunk[..read]).unwrap();
            }
        }
        file.set_len(length).unwrap();
        head
    }

    /// One request whose answer is a stream of events.
    pub(crate) async fn events(&self, path: &str) -> Events {
        let (mut reader, open) = self.send("GET", path, &[], "").await;
        let head = head(&mut reader).await;
        assert!(head.contains("text/event-stream"), "{head}");
        Events { reader, _open: open }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &str,
    ) -> (BufReader<tokio::net::tcp::OwnedReadHalf>, OwnedWriteHalf) {
        let (read, mut write) = TcpStream::connect(self.at).await.unwrap().into_split();
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.at);
        for header in headers {
            text += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        let _ = write.write_all(format!("{text}\r\n{body}").as_bytes()).await;
        (BufReader::new(read), write)
    }

    /// Asks for the shutdown and waits for the end.
    pub(crate) async fn close(mut self) {
        drop(self.shutdown.take());
        tokio::time::timeout(LIMIT, &mut self.server).await.unwrap().unwrap();
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> String {
        let json: Value = serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body));
        assert!(json["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{json}");
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) struct Events {
    reader: BufReader<tokio::net::tcp::OwnedReadHalf>,
    _open: OwnedWriteHalf,
}

impl Events {
    /// The next event that is no beat; `None` at the stream's end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            match self.any().await {
                Some((name, _)) if name == "beat" => {}
                other => return other,
            }
        }
    }

    /// The next event.
    pub(crate) async fn any(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(LIMIT, self.reader.read_line(&mut line)).await.unwrap();
            if read.unwrap_or(0) == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("event:") {
                name = Some(text.trim().to_owned());
            } else if let Some(data) = line.strip_prefix("data:") {
                return Some((name.unwrap(), serde_json::from_str(data).unwrap()));
            }
        }
    }
}

async fn head(reader: &mut BufReader<tokio::net::tcp::OwnedReadHalf>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = tokio::time::timeout(LIMIT, reader.read_line(&mut head)).await.unwrap().unwrap();
        assert!(read > 0, "no answer, only {head:?}");
    }
    head
}
