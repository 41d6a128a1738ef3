//! `syncslate-controller download` and `cleanup`: a client of the running controller, by MQTT like any other, that
//! shows how far it is: bars on a terminal, lines elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use syncslate_shared::command::CommandResult;
use syncslate_shared::link::{Link, LinkEvent, LinkSettings};
use syncslate_shared::protocol::{Download, DownloadState, NodeDownload, read};
use syncslate_shared::report::Failure;
use syncslate_shared::settings::BrokerAddress;
use syncslate_shared::take::TakeName;
use syncslate_shared::time::{Clocks as _, Mono, SystemClocks};
use syncslate_shared::topic::Topic;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::embedded::{console_access, reached};
use crate::ledger::{Custody, Ledger};
use crate::settings::{BrokerChoice, Settings};
use crate::size::Size;

/// A broker on this network is reached at once.
const CONNECT: Duration = Duration::from_secs(10);
/// All nodes are asked for their files before the answer comes.
const ANSWER: Duration = Duration::from_secs(60);
/// The rate is that of the last so many seconds.
const WINDOW: Duration = Duration::from_secs(5);
/// Characters of a bar.
const BAR: usize = 24;

/// Has the running controller fetch `take`, and then delete the nodes' copies when `delete` is set; shows how far it is
/// and returns when it has ended.
///
/// # Errors
/// The controller is not reached, refuses, or not all came.
pub async fn download(settings: &Settings, take: &TakeName, delete: bool) -> Result<(), Failure> {
    let (broker, access) = match &settings.broker {
        BrokerChoice::External(address, access) => (address.clone(), access.clone()),
        BrokerChoice::Embedded(ports) => (reached(ports.mqtt), console_access(&settings.accounts, &settings.state)?),
    };
    let (link, mut events) = Link::open(LinkSettings {
        broker: broker.clone(),
        access,
        client: "syncslate-console".into(),
        prefix: settings.prefix.clone(),
        subscriptions: vec!["cmd/result".into(), Topic::Progress(take.clone()).to_string()],
        will: None,
    });
    let id = format!("console-{}-{}", std::process::id(), SystemClocks.mono().micros());
    let outcome = follow(&link, &mut events, &broker, take, delete, &id).await;
    link.close().await;
    outcome
}

async fn follow(
    link: &Link,
    events: &mut mpsc::Receiver<LinkEvent>,
    broker: &BrokerAddress,
    take: &TakeName,
    delete: bool,
    id: &str,
) -> Result<(), Failure> {
    timeout(CONNECT, connected(events)).await.map_err(|_| {
        Failure::new(format!("the broker at {broker} is not reached")).hint("is syncslate-controller running?")
    })?;
    let wish = json!({"take": take, "delete_after_verify": delete, "id": id});
    link.say(&Topic::Download, wish.to_string().into_bytes());
    let answer = timeout(ANSWER, answer(events, id)).await.map_err(|_| {
        Failure::new("the controller does not answer").hint("its log says more; is it using the same broker?")
    })?;
    if let Some(error) = answer.error {
        return Err(Failure::new(error.message));
    }
    let mut show = Show::default();
    let topic = Topic::Progress(take.clone()).to_string();
    loop {
        let Some(event) = events.recv().await else { return Err(Failure::new("the connection to the broker ended")) };
        let LinkEvent::Message { topic: on, payload, retain: false } = event else { continue };
        let Some(download) = (on == topic).then(|| read::<Download>(&payload).ok()).flatten() else { continue };
        show.draw(SystemClocks.mono(), &download);
        match download.state {
            DownloadState::Done => return Ok(()),
            DownloadState::Failed => {
                return Err(Failure::new(format!("not all of {take} is here")).hint("the lines above say what and why"));
            }
            DownloadState::Queued | DownloadState::Running => {}
        }
    }
}

async fn connected(events: &mut mpsc::Receiver<LinkEvent>) {
    while !matches!(events.recv().await, Some(LinkEvent::Up) | None) {}
}

async fn answer(events: &mut mpsc::Receiver<LinkEvent>, id: &str) -> CommandResult {
    loop {
        if let Some(LinkEvent::Message { topic, payload, .. }) = events.recv().await
            && topic == Topic::Result.to_string()
            && let Ok(result) = read::<CommandResult>(&payload)
            && result.id.as_ref().and_then(|found| found.as_str()) == Some(id)
        {
            return result;
        }
    }
}

/// What deleting the proven footage of `take`, or of all takes, on the nodes would free: take, node, files, bytes.
///
/// # Errors
/// A ledger cannot be read.
pub fn deletable(downloads: &Path, take: Option<&TakeName>) -> Result<Vec<(TakeName, Ipv4Addr, u64, u64)>, Failure> {
    let mut found = Vec::new();
    let summaries = crate::shelf::scan(downloads);
    for name in summaries.iter().map(|summary| &summary.take).filter(|name| take.is_none_or(|take| take == *name)) {
        let ledger = Ledger::read(&downloads.join(name.as_str())).map_err(Failure::new)?;
        let mut nodes: BTreeMap<Ipv4Addr, (u64, u64)> = BTreeMap::new();
        for record in ledger.records().filter(|record| record.state == Custody::Verified) {
            let (files, bytes) = nodes.entry(record.ip).or_default();
            (*files, *bytes) = (*files + 1, *bytes + record.bytes);
        }
        found.extend(nodes.into_iter().map(|(ip, (files, bytes))| (name.clone(), ip, files, bytes)));
    }
    Ok(found)
}

/// Lists what a clean-up would free, and has it deleted when `yes` is set.
///
/// # Errors
/// As for [`download`].
pub async fn cleanup(settings: &Settings, take: Option<&TakeName>, yes: bool) -> Result<(), Failure> {
    let found = deletable(&settings.downloads, take)?;
    for (take, ip, files, bytes) in &found {
        say(&format!("{take}  {ip}  {files} proven files  {}", Size(*bytes)));
    }
    let total = found.iter().map(|(.., bytes)| bytes).sum();
    if !yes {
        say(&format!("{} could be freed on the nodes; with --yes it is deleted there", Size(total)));
        return Ok(());
    }
    let mut takes: Vec<_> = found.into_iter().map(|(take, ..)| take).collect();
    takes.dedup();
    for take in takes {
        download(settings, &take, true).await?;
    }
    Ok(())
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What stands on the terminal.
#[derive(Debug, Default)]
struct Show {
    drawn: usize,
    meters: BTreeMap<Ipv4Addr, Meter>,
    /// Without a terminal: what was said of each node last.
    said: BTreeMap<Ipv4Addr, (DownloadState, Option<String>)>,
}

impl Show {
    fn draw(&mut self, now: Mono, download: &Download) {
        let mut out = std::io::stdout().lock();
        if !out.is_terminal() {
            for (ip, part) in &download.nodes {
                let state = (part.state, part.error.clone());
                if self.said.get(ip) != Some(&state) {
                    self.said.insert(*ip, state);
                    let _ = writeln!(out, "{}", line(*ip, part, None));
                }
            }
            return;
        }
        if self.drawn > 0 {
            let _ = write!(out, "\x1b[{}A", self.drawn);
        }
        for (ip, part) in &download.nodes {
            let rate = self.meters.entry(*ip).or_default().rate(now, part.bytes);
            let _ = writeln!(out, "\x1b[2K{}", line(*ip, part, rate));
        }
        self.drawn = download.nodes.len();
        let _ = out.flush();
    }
}

/// How fast bytes come.
#[derive(Debug, Default)]
struct Meter(VecDeque<(Mono, u64)>);

impl Meter {
    /// Bytes a second over the last [`WINDOW`]; `None` until there is a figure.
    fn rate(&mut self, now: Mono, bytes: u64) -> Option<u64> {
        self.0.push_back((now, bytes));
        while self.0.len() > 2 && self.0.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.0.pop_front();
        }
        let (at, before) = self.0.front()?;
        let ms = u64::try_from(now.since(*at).as_millis()).ok().filter(|ms| *ms >= 500)?;
        Some(bytes.saturating_sub(*before) * 1000 / ms).filter(|rate| *rate > 0)
    }
}

/// One node's line.
fn line(ip: Ipv4Addr, part: &NodeDownload, rate: Option<u64>) -> String {
    let full = match (part.state, part.total_bytes) {
        (DownloadState::Done, _) => 100,
        (_, 0) => 0,
        (_, total) => (u128::from(part.bytes) * 100 / u128::from(total)).min(99),
    };
    let full = usize::try_from(full).unwrap_or(0);
    let filled = BAR * full / 100;
    let word = match part.state {
        DownloadState::Queued => "waiting",
        DownloadState::Running => "copying",
        DownloadState::Done => "done",
        DownloadState::Failed => "failed",
    };
    let mut text = format!(
        "{ip:<15} [{}{}] {full:>3} %  {} of {}, {} verified, {word}",
        "#".repeat(filled),
        ".".repeat(BAR - filled),
        Size(part.bytes),
        Size(part.total_bytes),
        part.verified,
    );
    if let Some(rate) = rate.filter(|_| part.state == DownloadState::Running) {
        let left = part.total_bytes.saturating_sub(part.bytes) / rate;
        text += &format!(", {}/s, {}:{:02} left", Size(rate), left / 60, left % 60);
    }
    if let Some(error) = &part.error {
        text += &format!(": {}", error.lines().next().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_what_is_wrong() {
        let ip = Ipv4Addr::new(192, 168, 1, 101);
        let mut part = NodeDownload {
            state: DownloadState::Running,
            files: 3,
            bytes: 50_000_000,
            total_bytes: 200_000_000,
            verified: 1,
            error: None,
        };
        let mut meter = Meter::default();
        let at = |ms: i64| Mono::from_micros(ms * 1000);
        assert_eq!(meter.rate(at(0), 30_000_000), None);
        let rate = meter.rate(at(2000), 50_000_000);
        assert_eq!(
            line(ip, &part, rate),
            "192.168.1.101   [######..................]  25 %  50.0 MB of 200.0 MB, 1 verified, copying, 10.0 MB/s, 0:15 left"
        );
        part.state = DownloadState::Failed;
        part.error = Some("no route\n\nhint: x".into());
        assert!(line(ip, &part, rate).ends_with("failed: no route"));
        assert_eq!(meter.rate(at(60_000), 50_000_000), None, "nothing came for a while");
    }
}
