//! Measures an MQTT broker on an address: `bench ADDR [PID]`. Run it against this one (`serve`) and against Mosquitto.
//!
//! Fan-out: one QoS 1 publish to 100 subscribers, from sending to the last one's receipt. Throughput: QoS 1 from one
//! publisher to one subscriber with 20 and 100 messages on their way. Memory of PID with 200 connections, after 2,000
//! connections that came and went, and after 60,000 topics.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/rig/mod.rs"]
mod rig;

use std::net::SocketAddr;
use std::time::Instant;

use rig::{Raw, publish, subscribe};

#[expect(clippy::disallowed_methods, reason = "a program for measuring")]
fn now() -> Instant {
    Instant::now()
}

fn rss_kib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn subscriber(addr: SocketAddr, id: &str, filter: &str) -> Raw {
    let mut raw = Raw::connect(addr, id).await;
    raw.send(&subscribe(filter, 1)).await;
    raw.packet().await;
    raw
}

async fn fan_out(addr: SocketAddr) {
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    for i in 0..100 {
        let mut raw = subscriber(addr, &format!("s{i}"), "fan").await;
        let tx = tx.clone();
        tokio::spawn(async move {
            while let Some(got) = raw.try_packet().await {
                tx.send(now()).unwrap();
                raw.send(&[0x40, 2, got[7], got[8]]).await;
            }
        });
    }
    let mut raw = Raw::connect(addr, "p").await;
    let mut times = Vec::new();
    for _ in 0..1000 {
        let from = now();
        raw.send(&publish("fan", "0123456789", 1, false, 1)).await;
        let mut last = from;
        for _ in 0..100 {
            last = last.max(rx.recv().await.unwrap());
        }
        raw.packet().await;
        times.push((last - from).as_micros());
    }
    times.sort_unstable();
    println!("fan-out to 100: p50 {} us, p99 {} us", times[500], times[990]);
}

async fn throughput(addr: SocketAddr, window: usize) {
    const ALL: usize = 50_000;
    let mut sub = subscriber(addr, "t-sub", "through").await;
    let mut publisher = Raw::connect(addr, "t-pub").await;
    let from = now();
    let receiving = tokio::spawn(async move {
        for _ in 0..ALL {
            let got = sub.packet().await;
            sub.send(&[0x40, 2, got[11], got[12]]).await;
        }
    });
    let payload = "x".repeat(100);
    for sent in 0..ALL {
        if sent >= window {
            publisher.packet().await;
        }
        publisher.send(&publish("through", &payload, 1, false, (sent % 60_000 + 1) as u16)).await;
    }
    receiving.await.unwrap();
    println!("QoS 1, {window} on their way: {:.0} messages/s", ALL as f64 / from.elapsed().as_secs_f64());
}

async fn memory(addr: SocketAddr, pid: &str) {
    let mut held = Vec::new();
    for i in 0..200 {
        held.push(subscriber(addr, &format!("m{i}"), "nothing").await);
    }
    println!("RSS with 200 subscribed connections: {} KiB", rss_kib(pid));
    drop(held);
    for round in 0..3 {
        for i in 0..2000 {
            let mut raw = subscriber(addr, &format!("c{round}-{i}"), &format!("a/{i}")).await;
            raw.send(&[0xe0, 0]).await;
            raw.closed().await;
        }
        println!("RSS after 2,000 connections more: {} KiB", rss_kib(pid));
    }
    let mut all = subscriber(addr, "all", "#").await;
    let mut publisher = Raw::connect(addr, "topics").await;
    for round in 0..3 {
        for i in 0..60_000 {
            publisher.send(&publish(&format!("topic/{round}/{i}"), "x", 1, false, 1)).await;
            publisher.packet().await;
            let got = all.packet().await;
            let at = 4 + usize::from(got[3]);
            all.send(&[0x40, 2, got[at], got[at + 1]]).await;
        }
        println!("RSS after 60,000 topics more: {} KiB", rss_kib(pid));
    }
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let addr: SocketAddr = args.next().expect("an address").parse().unwrap();
    fan_out(addr).await;
    throughput(addr, 20).await;
    throughput(addr, 100).await;
    if let Some(pid) = args.next() {
        println!("RSS at first: {} KiB", rss_kib(&pid));
        memory(addr, &pid).await;
    }
}
