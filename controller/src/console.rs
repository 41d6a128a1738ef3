//! `syncslate-controller download` and `cleanup`: a client of the running controller, by MQTT like any other, that
//! shows how far it is: bars on a terminal, lines elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use syncslate_shared::command::CommandResult;
use syncslate_shared::link::{Link, LinkEvent, LinkSettings};
use syncslate_shared::protocol::{Download, DownloadState, NodeDownload, read};
use syncslate_shared::report::Failure;
use syncslate_shared::settings::BrokerAddress;
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use syncslate_shared::time::{Clocks as _, SystemClocks};
use syncslate_shared::topic::Topic;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::embedded::{console_access, reached};
use crate::freeable::{self, Freeable, State};
use crate::settings::{BrokerChoice, Settings};
use crate::size::Size;

/// A broker on this network is reached at once.
const CONNECT: Duration = Duration::from_secs(10);
/// All nodes are asked for their files before the answer comes.
const ANSWER: Duration = Duration::from_secs(60);
/// Characters of a bar.
const BAR: usize = 24;

/// What the running controller is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Fetch the take.
    Fetch,
    /// Fetch it, then delete the nodes' copies of what is proven.
    FetchAndDelete,
    /// Break fetching it off.
    Cancel,
}

/// Asks the running controller for something about `take`, or the one of that name with this stamp; shows how far it is
/// and returns when it has ended.
///
/// # Errors
/// The controller is not reached, refuses, or not all came.
pub async fn download(settings: &Settings, take: &TakeName, stamp: Option<&Stamp>, ask: Ask) -> Result<(), Failure> {
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
    let wish = match ask {
        Ask::Cancel => json!({"take": take, "cancel": true, "id": id}),
        _ => json!({"take": take, "stamp": stamp, "delete_after_verify": ask == Ask::FetchAndDelete, "id": id}),
    };
    let asked = obeyed(&link, &mut events, &broker, &wish, &id).await;
    let outcome = match asked {
        Ok(()) if ask != Ask::Cancel => follow(&mut events, take).await,
        asked => asked,
    };
    link.close().await;
    outcome
}

/// Says a wish and waits for its answer.
async fn obeyed(
    link: &Link,
    events: &mut mpsc::Receiver<LinkEvent>,
    broker: &BrokerAddress,
    wish: &Value,
    id: &str,
) -> Result<(), Failure> {
    timeout(CONNECT, connected(events)).await.map_err(|_| {
        Failure::new(format!("the broker at {broker} is not reached")).hint("is syncslate-controller running?")
    })?;
    link.say(&Topic::Download, wish.to_string().into_bytes());
    let answer = timeout(ANSWER, answer(events, id)).await.map_err(|_| {
        Failure::new("the controller does not answer").hint("its log says more; is it using the same broker?")
    })?;
    answer.error.map_or(Ok(()), |error| Err(Failure::new(error.message)))
}

/// Shows how far a download is until it has ended.
async fn follow(events: &mut mpsc::Receiver<LinkEvent>, take: &TakeName) -> Result<(), Failure> {
    let mut show = Show::default();
    let topic = Topic::Progress(take.clone()).to_string();
    loop {
        let Some(event) = events.recv().await else { return Err(Failure::new("the connection to the broker ended")) };
        let LinkEvent::Message { topic: on, payload, retain: false } = event else { continue };
        let Some(download) = (on == topic).then(|| read::<Download>(&payload).ok()).flatten() else { continue };
        show.draw(&download);
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

/// What deleting the proven footage of `take`, or of all takes, on the nodes would free, and what stays and why. A take
/// is meant by the name that it was recorded by or by the one that it has here.
pub fn deletable(downloads: &Path, take: Option<&TakeName>, stamp: Option<&Stamp>) -> Vec<Freeable> {
    let summaries = crate::shelf::scan(downloads);
    let meant = |found: &Freeable| {
        take.is_none_or(|take| *take == found.take || *take == found.id.name)
            && stamp.is_none_or(|stamp| *stamp == found.id.stamp)
    };
    summaries.iter().flat_map(|summary| freeable::list(downloads, summary)).filter(meant).collect()
}

/// Lists what a clean-up would free, and has it deleted when `yes` is set.
///
/// # Errors
/// As for [`download`]; all takes are tried first.
pub async fn cleanup(
    settings: &Settings,
    take: Option<&TakeName>,
    stamp: Option<&Stamp>,
    yes: bool,
) -> Result<(), Failure> {
    let found = deletable(&settings.downloads, take, stamp);
    for Freeable { id, ip, state, files, bytes, why, .. } in &found {
        say(&match (state, why) {
            (State::Ready, _) => format!("{id}  {ip}  {files} files  {}", Size(*bytes)),
            (State::Deleted, _) => format!("{id}  {ip}  deleted there"),
            (State::Refused, why) => format!("{id}  {ip}  stays there: {}", why.as_deref().unwrap_or_default()),
        });
    }
    let ready: Vec<_> = found.into_iter().filter(|found| found.state == State::Ready).collect();
    let total = ready.iter().map(|found| found.bytes).sum();
    if !yes {
        say(&format!("{} can be freed on the nodes; with --yes it is deleted there", Size(total)));
        return Ok(());
    }
    let ids: BTreeSet<TakeId> = ready.into_iter().map(|found| found.id).collect();
    let mut failed = Ok(());
    for id in ids {
        let done = download(settings, &id.name, Some(&id.stamp), Ask::FetchAndDelete).await;
        failed = failed.and(done);
    }
    failed
}

pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What stands on the terminal.
#[derive(Debug, Default)]
struct Show {
    drawn: usize,
    /// Without a terminal: what was said of each node last.
    said: BTreeMap<Ipv4Addr, (DownloadState, Option<String>)>,
}

impl Show {
    fn draw(&mut self, download: &Download) {
        let mut out = std::io::stdout().lock();
        if !out.is_terminal() {
            for (ip, part) in &download.nodes {
                let state = (part.state, part.error.clone());
                if self.said.get(ip) != Some(&state) {
                    self.said.insert(*ip, state);
                    let _ = writeln!(out, "{}", line(*ip, part));
                }
            }
            return;
        }
        if self.drawn > 0 {
            let _ = write!(out, "\x1b[{}A", self.drawn);
        }
        for (ip, part) in &download.nodes {
            let _ = writeln!(out, "\x1b[2K{}", line(*ip, part));
        }
        let _ = writeln!(out, "\x1b[2K{}", whole(download));
        self.drawn = download.nodes.len() + 1;
        let _ = out.flush();
    }
}

/// One node's line.
fn line(ip: Ipv4Addr, part: &NodeDownload) -> String {
    let word = match part.state {
        DownloadState::Queued => "waiting",
        DownloadState::Running if part.bytes >= part.total_bytes && part.total_bytes > 0 => "checking",
        DownloadState::Running => "copying",
        DownloadState::Done => "done",
        DownloadState::Failed if part.cancelled => "cancelled",
        DownloadState::Failed => "failed",
    };
    let mut text = format!(
        "{ip:<15} {}  {} of {}, {} verified, {word}{}",
        bar(part.state, part.bytes, part.total_bytes),
        Size(part.bytes),
        Size(part.total_bytes),
        part.verified,
        speed(part.rate_bytes_s, part.left_s),
    );
    if let Some(error) = part.error.as_ref().filter(|_| !part.cancelled) {
        text += &format!(": {}", error.lines().next().unwrap_or_default());
    }
    text
}

/// The line below all nodes.
fn whole(download: &Download) -> String {
    let sum = |figure: fn(&NodeDownload) -> u64| download.nodes.values().map(figure).sum();
    let (bytes, total) = (sum(|part| part.bytes), sum(|part| part.total_bytes));
    format!(
        "{:<15} {}  {} of {}, {} verified{}",
        "all",
        bar(download.state, bytes, total),
        Size(bytes),
        Size(total),
        sum(|part| part.verified),
        speed(download.rate_bytes_s, download.left_s),
    )
}

fn bar(state: DownloadState, bytes: u64, total: u64) -> String {
    let full = match (state, total) {
        (DownloadState::Done, _) => 100,
        (_, 0) => 0,
        // Never 100 before it is done.
        (_, total) => (u128::from(bytes) * 100 / u128::from(total)).min(99),
    };
    percent_bar(usize::try_from(full).unwrap_or(0))
}

/// `[######..................]  25 %`
pub(crate) fn percent_bar(percent: usize) -> String {
    let filled = BAR * percent.min(100) / 100;
    format!("[{}{}] {percent:>3} %", "#".repeat(filled), ".".repeat(BAR - filled))
}

fn speed(rate: Option<u64>, left: Option<u64>) -> String {
    match (rate, left) {
        (Some(rate), Some(left)) => format!(", {}/s, {}:{:02} left", Size(rate), left / 60, left % 60),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_what_is_wrong() {
        let ip = Ipv4Addr::new(192, 168, 1, 101);
        let mut part = NodeDownload {
            bytes: 50_000_000,
            verified: 1,
            rate_bytes_s: Some(10_000_000),
            left_s: Some(75),
            ..NodeDownload::new(DownloadState::Running, 3, 200_000_000)
        };
        assert_eq!(
            line(ip, &part),
            "192.168.1.101   [######..................]  25 %  50.0 MB of 200.0 MB, 1 verified, copying, 10.0 MB/s, 1:15 left"
        );
        let download = Download {
            take: TakeName::new("A").unwrap(),
            state: DownloadState::Running,
            nodes: [(ip, part.clone())].into(),
            rate_bytes_s: None,
            left_s: None,
        };
        assert_eq!(
            whole(&download),
            "all             [######..................]  25 %  50.0 MB of 200.0 MB, 1 verified"
        );
        part.bytes = part.total_bytes;
        assert!(line(ip, &part).contains("99 %") && line(ip, &part).contains("checking"), "{}", line(ip, &part));
        (part.state, part.rate_bytes_s) = (DownloadState::Failed, None);
        part.error = Some("no route\n\nhint: x".into());
        assert!(line(ip, &part).ends_with("failed: no route"));
        part.cancelled = true;
        assert!(line(ip, &part).ends_with("cancelled"));
    }
}
