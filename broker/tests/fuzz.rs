//! Twenty thousand random and mutated packets, before and after CONNECT, in both versions.
//!
//! Alone in its file: it counts the panics of the whole process.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::sync::atomic::{AtomicUsize, Ordering};

use rig::{Raw, Rig, connect, connect_as, connect_will, field, packet, publish, subscribe, wait_for};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A small generator of our own: the same bytes in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    /// A sound packet, one that was sound, or noise.
    fn packet(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.roll(seeds.len())].clone();
        match self.roll(8) {
            0 => {}
            1 => bytes = (0..self.roll(60)).map(|_| self.roll(256) as u8).collect(),
            2 => bytes.truncate(self.roll(bytes.len() + 1)),
            3 => bytes.extend((0..self.roll(9)).map(|_| self.roll(256) as u8)),
            4 => {
                // The length is right again, the inside is not.
                let body: Vec<u8> =
                    bytes[2..].iter().map(|b| if self.roll(9) == 0 { self.roll(256) as u8 } else { *b }).collect();
                bytes = packet(bytes[0], &body);
            }
            _ => {
                for _ in 0..=self.roll(3) {
                    let at = self.roll(bytes.len());
                    bytes[at] = self.roll(256) as u8;
                }
            }
        }
        bytes
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut v5_connect = field("MQTT");
    v5_connect.extend([5, 0x2e, 0, 9, 5, 0x11, 0, 0, 0, 60]);
    v5_connect.extend(field("five"));
    v5_connect.extend([5, 0x18, 0, 0, 0, 1]);
    v5_connect.extend(field("w"));
    v5_connect.extend(field("gone"));
    let mut v5_publish = field("a/b");
    v5_publish.extend([0, 7, 3 + 8, 0x23, 0, 3, 0x26, 0, 1, b'k', 0, 2, b'v', b'v']);
    v5_publish.extend(b"payload");
    let mut v5_subscribe = vec![0, 2, 2, 0x0b, 7];
    v5_subscribe.extend(field("a/+"));
    v5_subscribe.push(0x2e);
    let mut unsubscribe = vec![0, 3];
    unsubscribe.extend(field("a/+"));
    vec![
        connect(4, "four", true, 1),
        connect(5, "five", false, 0),
        connect_will("w", false, "w/é", "gone"),
        connect_as("x", "u", "p"),
        packet(0x10, &v5_connect),
        publish("a/b", "zero", 0, false, 0),
        publish("a/b", "one", 1, true, 1),
        publish("a/b", "two", 2, false, 2),
        packet(0x32, &v5_publish),
        subscribe("a/#", 2),
        packet(0x82, &v5_subscribe),
        packet(0xa2, &unsubscribe),
        vec![0x40, 2, 0, 1],
        vec![0x50, 2, 0, 1],
        vec![0x62, 2, 0, 2],
        vec![0x70, 2, 0, 1],
        vec![0xc0, 0],
        vec![0xe0, 0],
        vec![0xe0, 2, 4, 0],
        vec![0xf0, 0],
    ]
}

fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn works(rig: &Rig) {
    let mut sub = Raw::connect(rig.addr, "observer").await;
    sub.send(&subscribe("observed", 0)).await;
    sub.packet().await;
    sub.send(&publish("observed", "yes", 0, false, 0)).await;
    assert_eq!(sub.packet().await, publish("observed", "yes", 0, false, 0));
    sub.send(&[0xe0, 0]).await;
    sub.closed().await;
}

async fn round(rig: &Rig, dice: &mut Dice, seeds: &[Vec<u8>], packets: usize) {
    let mut sent = 0;
    while sent < packets {
        let mut raw = match dice.roll(3) {
            0 => Raw::open(rig.addr).await,
            1 => Raw::connect(rig.addr, &format!("f{}", dice.roll(5))).await,
            _ => Raw::connect5(rig.addr, &format!("f{}", dice.roll(5))).await,
        };
        let mut answers = [0; 4096];
        for _ in 0..20 {
            sent += 1;
            if raw.stream.write_all(&dice.packet(seeds)).await.is_err() {
                break;
            }
            // What is there is read, so that the broker is not held up; nothing is waited for.
            if raw.stream.try_read(&mut answers).is_ok_and(|n| n == 0) {
                break;
            }
        }
        if dice.roll(2) == 0 {
            let _ = raw.stream.shutdown().await;
            while raw.stream.read(&mut answers).await.is_ok_and(|n| n > 0) {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_packets() {
    std::panic::set_hook(Box::new(|info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{info}\n").as_bytes());
    }));
    let rig = Rig::with(|c| c.limits.absent = std::time::Duration::from_secs(1)).await;
    let seeds = seeds();
    let mut dice = Dice(0x5eed_5eed_5eed_5eed);
    round(&rig, &mut dice, &seeds, 5_000).await;
    works(&rig).await;
    let warm = rss_kib();
    round(&rig, &mut dice, &seeds, 15_000).await;
    works(&rig).await;
    wait_for("all to be gone", async || rig.broker.stats().connections == 0 && rig.broker.stats().sessions == 0).await;
    let after = rss_kib();
    assert!(after < warm + 8 * 1024, "memory grew from {warm} to {after} KiB");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
    assert_eq!(rig.broker.stats().restarts, 0);
}
