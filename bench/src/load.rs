//! What a broker is made to do.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::mpsc;

use crate::client::{Client, puback, publish};
use crate::{Result, now};

/// One message of QoS 1 to `subscribers`, again and again: the times until the last one has it, ascending.
pub async fn fan_out(addr: SocketAddr, subscribers: usize, messages: usize) -> Result<Vec<Duration>> {
    let (tx, mut received) = mpsc::unbounded_channel();
    for i in 0..subscribers {
        let mut client = Client::subscribed(addr, &format!("fan-{i}"), "fan").await?;
        let tx = tx.clone();
        tokio::spawn(async move {
            while let Ok(message) = client.next().await {
                if tx.send(now()).is_err() {
                    break;
                }
                if let Some(ack) = puback(&message) {
                    client.send(&ack).await?;
                }
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    let mut publisher = Client::connect(addr, "fan").await?;
    let mut times = Vec::new();
    for _ in 0..messages {
        let from = now();
        publisher.send(&publish("fan", b"0123456789", 1)).await?;
        let mut last = from;
        for _ in 0..subscribers {
            last = last.max(received.recv().await.ok_or("a subscriber has gone")?);
        }
        publisher.next().await?;
        times.push(last - from);
    }
    times.sort_unstable();
    Ok(times)
}

/// The time that `messages` of QoS 1 and 100 bytes take from one publisher to one subscriber, `window` unconfirmed.
pub async fn throughput(addr: SocketAddr, window: usize, messages: usize) -> Result<Duration> {
    let mut subscriber = Client::subscribed(addr, "to", "through").await?;
    let mut publisher = Client::connect(addr, "from").await?;
    let from = now();
    let receiving = tokio::spawn(async move {
        let mut received = 0;
        let mut acks = BytesMut::new();
        while received < messages {
            let mut next = Some(subscriber.next().await?);
            while let Some(message) = next {
                received += 1;
                acks.extend_from_slice(&puback(&message).ok_or("not a message")?);
                next = subscriber.ready()?;
            }
            subscriber.send(&acks).await?;
            acks.clear();
        }
        Result::Ok(())
    });
    let (mut sent, mut confirmed) = (0, 0);
    let mut batch = BytesMut::new();
    while confirmed < messages {
        while sent < messages && sent - confirmed < window {
            batch.extend_from_slice(&publish("through", &[b'x'; 100], (sent % 60_000 + 1) as u16));
            sent += 1;
        }
        publisher.send(&batch).await?;
        batch.clear();
        publisher.next().await?;
        confirmed += 1;
        while publisher.ready()?.is_some() {
            confirmed += 1;
        }
    }
    receiving.await??;
    Ok(from.elapsed())
}

/// The time that `n` clients take to come, subscribe and go, `at_once` at one time.
pub async fn come_and_go(addr: SocketAddr, n: usize, at_once: usize) -> Result<Duration> {
    let from = now();
    let mut tasks = Vec::new();
    for task in 0..at_once {
        tasks.push(tokio::spawn(async move {
            for i in (task..n).step_by(at_once) {
                Client::subscribed(addr, &format!("c-{i}"), &format!("c/{i}")).await?.end().await?;
            }
            Result::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(from.elapsed())
}

/// Clients that are there and do nothing.
pub async fn idle(addr: SocketAddr, n: usize) -> Result<Vec<Client>> {
    let mut all = Vec::new();
    for i in 0..n {
        all.push(Client::subscribed(addr, &format!("idle-{i}"), "nothing").await?);
    }
    Ok(all)
}

/// A message of QoS 1 to each of `n` topics, with a subscriber of all.
pub async fn topics(addr: SocketAddr, round: usize, n: usize) -> Result<()> {
    let mut all = Client::subscribed(addr, "all", "#").await?;
    let mut publisher = Client::connect(addr, "topics").await?;
    for i in 0..n {
        publisher.send(&publish(&format!("topic/{round}/{i}"), b"x", 1)).await?;
        publisher.next().await?;
        let ack = puback(&all.next().await?).ok_or("not a message")?;
        all.send(&ack).await?;
    }
    all.end().await?;
    publisher.end().await
}
