//! The broker beside Mosquitto, and what its guard costs beside a bare rumqttd, in turns:
//! `bench-broker [ROUNDS] [PART]` (5 rounds of all parts unless told) prints tables of medians.

#![expect(clippy::print_stdout, reason = "it prints its tables")]

use syncslate_bench::parts::Part;
use syncslate_bench::server::{Kind, serve, serve_bare};
use syncslate_bench::{Result, median};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    match first.as_deref() {
        Some("serve") => return serve().await,
        Some("serve-bare") => return serve_bare(),
        _ => {}
    }
    let rounds: usize = first.map_or(Ok(5), |a| a.parse())?;
    let only = arguments.next();
    let parts: Vec<Part> =
        Part::ALL.into_iter().filter(|(name, _)| only.as_deref().is_none_or(|o| o == *name)).map(|(_, p)| p).collect();
    println!("medians of {rounds} rounds in turns; the ratio is ours to the other's; +: more is better");
    compare(rounds, &parts, Kind::Mosquitto, "Mosquitto").await?;
    // What the guard answers for, sessions, retained messages and the end of clients, a bare rumqttd has not or loses.
    let bare: Vec<Part> =
        parts.into_iter().filter(|p| [Part::Single, Part::FanOut, Part::Stream].contains(p)).collect();
    compare(rounds, &bare, Kind::Bare, "rumqttd").await
}

/// Measures both in turns and prints a table.
async fn compare(rounds: usize, parts: &[Part], other: Kind, name: &str) -> Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    println!("{:<50} {:>10} {name:>10} {:>7}", "", "ours", "ratio");
    for part in parts {
        let mut all = [vec![Vec::new(); part.figures().len()], vec![Vec::new(); part.figures().len()]];
        for round in 0..rounds {
            // Who begins alternates, so that what else the machine does falls on both.
            let turns = if round % 2 == 0 { [Kind::Ours, other] } else { [other, Kind::Ours] };
            for kind in turns {
                let column = &mut all[usize::from(kind == other)];
                column.iter_mut().zip(part.measure(kind).await?).for_each(|(values, figure)| values.push(figure));
            }
        }
        let [ours, theirs] = all.map(|column| column.into_iter().map(median).collect::<Vec<_>>());
        for (((name, more), ours), theirs) in part.figures().iter().zip(ours).zip(theirs) {
            let sign = if *more { "+" } else { "" };
            let ratio = if name.contains("more after") { String::new() } else { format!("{:.2}{sign}", ours / theirs) };
            println!("{name:<50} {ours:>10.1} {theirs:>10.1} {ratio:>7}");
        }
    }
    Ok(())
}
