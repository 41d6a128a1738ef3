//! The broker beside Mosquitto, in turns: `bench-broker [ROUNDS]` (5 unless told) prints a table of medians.

#![expect(clippy::print_stdout, reason = "it prints its table")]

use syncslate_bench::server::{Kind, Server, serve};
use syncslate_bench::{Result, load, median};

const FAN_OUTS: usize = 400;
const MESSAGES: usize = 30_000;
const CLIENTS: usize = 1000;

/// A figure's name, and whether more of it is better.
const FIGURES: [(&str, bool); 12] = [
    ("fan-out to 100, p50, us", false),
    ("fan-out to 100, p99, us", false),
    ("fan-out, processor time a delivery, us", false),
    ("QoS 1, window 20, messages/s", true),
    ("  processor time a message, us", false),
    ("QoS 1, window 100, messages/s", true),
    ("  processor time a message, us", false),
    ("clients that come and go, 1/s", true),
    ("RSS at first, MiB", false),
    ("RSS with 200 connections, MiB", false),
    ("RSS more after 2,000 clients came and went, MiB", false),
    ("RSS more after 60,000 topics, MiB", false),
];

#[tokio::main]
async fn main() -> Result<()> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("serve") {
        return serve().await;
    }
    let rounds: usize = argument.map_or(Ok(5), |a| a.parse())?;
    let mut all = [vec![Vec::new(); FIGURES.len()], vec![Vec::new(); FIGURES.len()]];
    for round in 0..rounds {
        // Who begins alternates, so that what else the machine does falls on both.
        let turns = if round % 2 == 0 { [Kind::Ours, Kind::Mosquitto] } else { [Kind::Mosquitto, Kind::Ours] };
        for kind in turns {
            let figures = measure(kind).await?;
            let column = usize::from(kind == Kind::Mosquitto);
            all[column].iter_mut().zip(figures).for_each(|(values, figure)| values.push(figure));
        }
    }
    println!("medians of {rounds} rounds in turns; the ratio is ours to Mosquitto's");
    println!("{:<50} {:>10} {:>10} {:>7}", "", "ours", "Mosquitto", "ratio");
    let [ours, theirs] = all.map(|column| column.into_iter().map(median).collect::<Vec<_>>());
    for (((name, more), ours), theirs) in FIGURES.iter().zip(ours).zip(theirs) {
        let sign = if *more { "+" } else { "" };
        let ratio = if name.contains("more after") { String::new() } else { format!("{:.2}{sign}", ours / theirs) };
        println!("{name:<50} {ours:>10.1} {theirs:>10.1} {ratio:>7}");
    }
    println!("+: more is better");
    Ok(())
}

async fn measure(kind: Kind) -> Result<Vec<f64>> {
    let mut figures = Vec::new();
    let server = Server::start(kind)?;
    let before = server.cpu();
    let times = load::fan_out(server.addr, 100, FAN_OUTS).await?;
    let percent = |p: usize| times.get(times.len() * p / 100).map_or(0.0, |t| t.as_secs_f64() * 1e6);
    figures.extend([percent(50), percent(99)]);
    figures.push((server.cpu() - before).as_secs_f64() * 1e6 / (FAN_OUTS * 100) as f64);
    for window in [20, 100] {
        let before = server.cpu();
        let took = load::throughput(server.addr, window, MESSAGES).await?;
        figures.push(MESSAGES as f64 / took.as_secs_f64());
        figures.push((server.cpu() - before).as_secs_f64() * 1e6 / MESSAGES as f64);
    }
    figures.push(CLIENTS as f64 / load::come_and_go(server.addr, CLIENTS, 8).await?.as_secs_f64());
    let server = Server::start(kind)?;
    figures.push(server.rss());
    let held = load::idle(server.addr, 200).await?;
    figures.push(server.rss());
    drop(held);
    // A warm-up: the log of a filter fills once, and that is no growth.
    load::come_and_go(server.addr, 500, 8).await?;
    load::topics(server.addr, 0, 20_000).await?;
    let before = server.rss();
    load::come_and_go(server.addr, 2000, 8).await?;
    let after = server.rss();
    figures.push(after - before);
    load::topics(server.addr, 1, 60_000).await?;
    figures.push(server.rss() - after);
    Ok(figures)
}
