//! Two thousand clients that come and go and sixty thousand topics leave memory where it was.
//!
//! The broker runs in a process of its own, so that the clients' memory does not count: this very test program, started
//! again for `the_broker_alone`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod rig;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use futures_util::future::join_all;
use rig::{Raw, publish, subscribe, wait_for};
use tokio::io::AsyncReadExt;

/// By how many KiB memory may differ: 2 MB.
const KIB: i64 = 2_000_000 / 1024;
const ALONE: &str = "SYNCSLATE_BROKER_ALONE";

/// Not a test: what the other one starts. Without being started by it, it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other one"]
async fn the_broker_alone() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let broker = syncslate_broker::start(syncslate_broker::Config::new(([127, 0, 0, 1], 0).into())).await.unwrap();
    writeln!(std::io::stdout(), "listens on {}", broker.addr()).unwrap();
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await.unwrap().unwrap();
    broker.stop().await;
}

struct Alone {
    child: Child,
    addr: SocketAddr,
}

impl Alone {
    fn start(envs: &[(&str, &str)]) -> Alone {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "the_broker_alone", "--nocapture"])
            .env(ALONE, "1")
            .envs(envs.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let addr = lines.map_while(Result::ok).find_map(|l| l.split_once("listens on ")?.1.parse().ok());
        Alone { child, addr: addr.expect("the broker did not start") }
    }

    fn rss_kib(&self) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Clients come, subscribe and go, eight at one time, so that numbers come free in any order.
    async fn come_and_go(&self, n: usize) {
        let one = async |i: usize| {
            let mut raw = Raw::connect(self.addr, &format!("c-{i}")).await;
            raw.send(&subscribe(&format!("c/{i}"), 1)).await;
            raw.packet().await;
            raw.send(&[0xe0, 0]).await;
            raw.closed().await;
        };
        join_all((0..8).map(async |task| {
            for i in (task..n).step_by(8) {
                one(i).await;
            }
        }))
        .await;
    }

    /// A message to each of `n` topics, all of which one client hears.
    async fn topics(&self, round: &str, n: usize) {
        let mut all = Raw::connect(self.addr, "all").await;
        all.send(&subscribe("#", 0)).await;
        all.packet().await;
        let mut publisher = Raw::connect(self.addr, "topics").await;
        let mut bytes = vec![0; 1 << 16];
        for hundred in 0..n / 100 {
            let batch: Vec<_> =
                (0..100u16).map(|i| publish(&format!("t/{round}/{hundred}/{i}"), "x", 1, false, i + 1)).collect();
            publisher.send(&batch.concat()).await;
            publisher.stream.read_exact(&mut bytes[..400]).await.unwrap();
            // The same packets as QoS 0: without their ids.
            let sent: usize = batch.iter().map(|p| p.len() - 2).sum();
            all.stream.read_exact(&mut bytes[..sent]).await.unwrap();
        }
        for raw in [&mut all, &mut publisher] {
            raw.send(&[0xe0, 0]).await;
            raw.closed().await;
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_topics_leave_nothing_behind() {
    let broker = Alone::start(&[]);
    // The log of `#` fills, with about 12,000 small messages.
    broker.topics("warm", 60_000).await;
    // And the buffers of eight links, which are used again.
    broker.come_and_go(1000).await;
    let before = broker.rss_kib();
    broker.come_and_go(2000).await;
    let between = broker.rss_kib();
    broker.topics("cold", 60_000).await;
    let figures = format!("{before} KiB, after the clients {between} KiB");
    assert!((between - before).abs() < KIB, "{figures}");
    wait_for("the memory of the topics to come back", async || broker.rss_kib() - before < KIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_are_forgotten_while_their_subscribers_stay() {
    // By itself glibc keeps what is no larger than the largest block that was ever freed, so what was freed would not be seen.
    let broker = Alone::start(&[("MALLOC_MMAP_THRESHOLD_", "131072")]);
    let payload = "x".repeat(2 << 20);
    let mut publisher = Raw::connect(broker.addr, "publisher").await;
    let mut held = Vec::new();
    for filter in (0..6).map(|n| format!("large/{n}")) {
        let mut raw = Raw::connect(broker.addr, &filter).await;
        raw.send(&subscribe(&filter, 0)).await;
        raw.packet().await;
        for _ in 0..20 {
            publisher.send(&publish(&filter, &payload, 1, false, 1)).await;
            publisher.packet().await;
            raw.packet().await;
        }
        held.push(raw);
    }
    wait_for("the messages to be gone", async || broker.rss_kib() < 40 << 10).await;
}
