//! The downloads in words: how far, how fast, how long still, and what can be done about it. Pure.

use std::net::Ipv4Addr;

use serde::Serialize;
use syncslate_shared::protocol::{Download, DownloadState, NodeDownload};

use super::{node_name, words};
use crate::snapshot::Snapshot;

/// A take's download.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DownloadLine {
    key: String,
    take: String,
    kind: &'static str,
    word: &'static str,
    /// Rate and time left of the whole; empty when nothing comes.
    figures: String,
    /// What its button does, `cancel` or `again`; empty for no button.
    action: &'static str,
    /// The same for people.
    act: &'static str,
    parts: Vec<PartLine>,
}

/// One node's part of it.
#[derive(Clone, Debug, Serialize)]
struct PartLine {
    key: Ipv4Addr,
    name: String,
    kind: &'static str,
    percent: u8,
    text: String,
    error: Option<String>,
}

impl DownloadLine {
    pub(super) fn of(download: &Download, snapshot: &Snapshot) -> Self {
        let name = download.take.to_string();
        let mut broken = download.nodes.values().filter(|part| part.state == DownloadState::Failed).peekable();
        let cancelled = broken.peek().is_some() && broken.all(|part| part.cancelled);
        let (kind, word) = state(download.state, cancelled);
        let (action, act) = match download.state {
            DownloadState::Queued | DownloadState::Running => ("cancel", "Cancel"),
            DownloadState::Failed if cancelled => ("again", "Go on"),
            DownloadState::Failed => ("again", "Try again"),
            DownloadState::Done => ("", ""),
        };
        Self {
            key: name.clone(),
            take: name,
            kind,
            word,
            figures: speed(download.rate_bytes_s, download.left_s).join(" · "),
            action,
            act,
            parts: download.nodes.iter().map(|(ip, part)| PartLine::of(*ip, part, snapshot)).collect(),
        }
    }
}

impl PartLine {
    fn of(ip: Ipv4Addr, part: &NodeDownload, snapshot: &Snapshot) -> Self {
        Self {
            key: ip,
            name: node_name(snapshot, ip),
            kind: state(part.state, part.cancelled).0,
            percent: percent(part),
            text: text(part),
            error: part.error.clone().filter(|_| !part.cancelled),
        }
    }
}

fn state(state: DownloadState, cancelled: bool) -> (&'static str, &'static str) {
    match state {
        DownloadState::Queued => ("queued", "waiting"),
        DownloadState::Running => ("running", "copying"),
        DownloadState::Done => ("done", "all here"),
        DownloadState::Failed if cancelled => ("cancelled", "cancelled"),
        DownloadState::Failed => ("failed", "not complete"),
    }
}

fn percent(part: &NodeDownload) -> u8 {
    let whole = match (part.state, part.total_bytes) {
        (DownloadState::Done, _) => 100,
        (_, 0) => 0,
        // Never 100 before it is done.
        (_, total) => (u128::from(part.bytes) * 100 / u128::from(total)).min(99),
    };
    u8::try_from(whole).unwrap_or(0)
}

fn text(part: &NodeDownload) -> String {
    let (here, all) = (words::bytes(part.bytes), words::bytes(part.total_bytes));
    let verified = format!("{} verified", part.verified);
    let said = match part.state {
        DownloadState::Queued if part.bytes > 0 => vec!["waiting".into(), format!("{here} here"), verified],
        DownloadState::Queued => vec!["waiting".into()],
        DownloadState::Running if part.total_bytes > 0 && part.bytes >= part.total_bytes => {
            vec!["checking".into(), format!("{verified} of {}", words::count(part.files, "file", "files"))]
        }
        DownloadState::Running => {
            let speed = speed(part.rate_bytes_s, part.left_s);
            [vec![format!("{here} of {all}")], speed, vec![verified]].concat()
        }
        DownloadState::Done => vec![words::count(part.files, "file", "files"), verified, here],
        DownloadState::Failed if part.cancelled => vec![format!("cancelled, {here} of {all} arrived and stay")],
        DownloadState::Failed => vec![format!("{here} of {all} arrived")],
    };
    said.join(" · ")
}

fn speed(rate: Option<u64>, left_s: Option<u64>) -> Vec<String> {
    match (rate, left_s) {
        (Some(rate), Some(left_s)) => {
            vec![format!("{}/s", words::bytes(rate)), format!("{} left", words::length(left_s))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_how_far_how_fast_and_how_long() {
        let part = |state, bytes| NodeDownload { bytes, verified: 2, ..NodeDownload::new(state, 7, 187_000_000) };
        let running = NodeDownload {
            rate_bytes_s: Some(11_600_000),
            left_s: Some(125),
            ..part(DownloadState::Running, 71_000_000)
        };
        let cancelled = NodeDownload { cancelled: true, ..part(DownloadState::Failed, 71_000_000) };
        let table = [
            (part(DownloadState::Queued, 0), "waiting"),
            (part(DownloadState::Queued, 71_000_000), "waiting · 71.0 MB here · 2 verified"),
            (running, "71.0 MB of 187.0 MB · 11.6 MB/s · 2 min 5 s left · 2 verified"),
            (part(DownloadState::Running, 71_000_000), "71.0 MB of 187.0 MB · 2 verified"),
            (part(DownloadState::Running, 187_000_000), "checking · 2 verified of 7 files"),
            (part(DownloadState::Done, 187_000_000), "7 files · 2 verified · 187.0 MB"),
            (part(DownloadState::Failed, 71_000_000), "71.0 MB of 187.0 MB arrived"),
            (cancelled, "cancelled, 71.0 MB of 187.0 MB arrived and stay"),
        ];
        for (part, expected) in table {
            assert_eq!(text(&part), expected);
        }
    }
}
