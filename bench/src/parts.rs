//! What is measured of a broker, part by part, each with the names of its figures.

use std::time::Duration;

use crate::server::{Kind, Server};
use crate::{Result, load};

const FAN_OUTS: usize = 400;
const SINGLE: usize = 4000;
const MESSAGES: usize = 30_000;
const CLIENTS: usize = 1000;

/// A figure's name, and whether more of it is better.
pub type Figure = (&'static str, bool);

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One message at a time to one subscriber.
    Single,
    /// One message at a time to many subscribers.
    FanOut,
    /// As many messages as it takes.
    Stream,
    /// Clients that come and go.
    Clients,
    /// What memory is left behind.
    Memory,
}

impl Part {
    /// All parts, in the order of the table, by the names that the command line takes.
    pub const ALL: [(&'static str, Part); 5] = [
        ("single", Part::Single),
        ("fan-out", Part::FanOut),
        ("stream", Part::Stream),
        ("clients", Part::Clients),
        ("memory", Part::Memory),
    ];

    /// The figures in the order of [`Part::measure`].
    pub fn figures(self) -> &'static [Figure] {
        match self {
            Part::Single => &[
                ("QoS 1 to one subscriber, p50, us", false),
                ("QoS 1 to one subscriber, p99, us", false),
                ("  processor time a message, us", false),
            ],
            Part::FanOut => &[
                ("fan-out to 100, p50, us", false),
                ("fan-out to 100, p99, us", false),
                ("fan-out, processor time a delivery, us", false),
            ],
            Part::Stream => &[
                ("QoS 1, window 20, messages/s", true),
                ("  processor time a message, us", false),
                ("QoS 1, window 100, messages/s", true),
                ("  processor time a message, us", false),
            ],
            Part::Clients => &[("clients that come and go, 1/s", true)],
            Part::Memory => &[
                ("RSS at first, MiB", false),
                ("RSS with 200 connections, MiB", false),
                ("RSS more after 2,000 clients came and went, MiB", false),
                ("RSS more after 60,000 topics, MiB", false),
            ],
        }
    }

    /// Measures a broker that is started for it.
    pub async fn measure(self, kind: Kind) -> Result<Vec<f64>> {
        let server = Server::start(kind)?;
        match self {
            Part::Single => fan_out(&server, 1, SINGLE).await,
            Part::FanOut => fan_out(&server, 100, FAN_OUTS).await,
            Part::Stream => stream(&server).await,
            Part::Clients => {
                let took = load::come_and_go(server.addr, CLIENTS, 8).await?;
                Ok(vec![CLIENTS as f64 / took.as_secs_f64()])
            }
            Part::Memory => memory(&server).await,
        }
    }
}

async fn fan_out(server: &Server, subscribers: usize, messages: usize) -> Result<Vec<f64>> {
    let before = server.cpu();
    let times = load::fan_out(server.addr, subscribers, messages).await?;
    let percent = |p: usize| times.get(times.len() * p / 100).map_or(0.0, Duration::as_secs_f64) * 1e6;
    let used = (server.cpu() - before).as_secs_f64() * 1e6;
    Ok(vec![percent(50), percent(99), used / (subscribers * messages) as f64])
}

async fn stream(server: &Server) -> Result<Vec<f64>> {
    let mut figures = Vec::new();
    for window in [20, 100] {
        let before = server.cpu();
        let took = load::throughput(server.addr, window, MESSAGES).await?;
        figures.push(MESSAGES as f64 / took.as_secs_f64());
        figures.push((server.cpu() - before).as_secs_f64() * 1e6 / MESSAGES as f64);
    }
    Ok(figures)
}

async fn memory(server: &Server) -> Result<Vec<f64>> {
    let first = server.rss();
    let held = load::idle(server.addr, 200).await?;
    let with_connections = server.rss();
    drop(held);
    // A warm-up: the log of a filter fills once, and that is no growth.
    load::come_and_go(server.addr, 500, 8).await?;
    load::topics(server.addr, 0, 20_000).await?;
    let before = server.rss();
    load::come_and_go(server.addr, 2000, 8).await?;
    let after = server.rss();
    load::topics(server.addr, 1, 60_000).await?;
    Ok(vec![first, with_connections, after - before, server.rss() - after])
}
