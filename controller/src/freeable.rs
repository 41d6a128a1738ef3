//! What a clean-up would free on the nodes, and what it would refuse, as far as it is known here. Before anything is
//! deleted the node is asked, too, and all bytes are read again: [`crate::cleanup`] does that.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::Serialize;
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::read;
use syncslate_shared::take::{TakeId, TakeName};

use crate::ledger::Custody;
use crate::snapshot::{FileEntry, TakeSummary};

/// What becomes of a node's copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// They can be deleted: all is proven here.
    Ready,
    /// They stay; the reason says why.
    Refused,
    /// They were deleted.
    Deleted,
}

/// One take on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Freeable {
    /// The folder it lies in here, which is its name unless it was renamed.
    pub take: TakeName,
    /// The take.
    pub id: TakeId,
    /// The node.
    pub ip: Ipv4Addr,
    /// What becomes of its copies.
    pub state: State,
    /// How many files would be deleted there.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why they stay; `None` when they need not.
    pub why: Option<String>,
}

/// Looks at a take that lies in the downloads folder; reads its manifests.
pub fn list(downloads: &Path, take: &TakeSummary) -> Vec<Freeable> {
    let mut found = Vec::new();
    for node in &take.nodes {
        let mut takes: BTreeMap<TakeId, Vec<(Kind, &FileEntry)>> = BTreeMap::new();
        for file in &node.files {
            if let Some((base, kind)) = Base::parse(&file.name) {
                takes.entry(base.id).or_default().push((kind, file));
            }
        }
        let folder = downloads.join(take.take.as_str()).join(node.ip.to_string());
        for (id, files) in takes {
            let manifest = folder.join(Base { id: id.clone(), ip: node.ip }.file(Kind::Manifest));
            let finished = || finished(&manifest);
            found.push(judge(&take.take, id, node.ip, &files, finished));
        }
    }
    found.sort_by(|a, b| (&b.id.stamp, &a.id, a.ip).cmp(&(&a.id.stamp, &b.id, b.ip)));
    found
}

fn finished(manifest: &Path) -> Result<bool, String> {
    let json = fs::read(manifest).map_err(|e| e.to_string())?;
    Ok(read::<Manifest>(&json)?.finished)
}

fn judge(
    take: &TakeName,
    id: TakeId,
    ip: Ipv4Addr,
    files: &[(Kind, &FileEntry)],
    finished: impl FnOnce() -> Result<bool, String>,
) -> Freeable {
    let there = files.iter().filter(|(_, file)| file.custody != Some(Custody::DeletedOnNode));
    let (count, bytes) = there.fold((0, 0), |(count, bytes), (_, file)| (count + 1, bytes + file.bytes));
    let why = if count == 0 { None } else { refusal(files, finished) };
    let state = match (count, &why) {
        (0, _) => State::Deleted,
        (_, Some(_)) => State::Refused,
        (_, None) => State::Ready,
    };
    Freeable { take: take.clone(), id, ip, state, files: count, bytes, why }
}

fn refusal(files: &[(Kind, &FileEntry)], finished: impl FnOnce() -> Result<bool, String>) -> Option<String> {
    if let Some((_, file)) = files.iter().find(|(_, file)| file.custody.is_none()) {
        return Some(format!("{} is not in the ledger, or has another length than there", file.name));
    }
    let unproven =
        |(kind, file): &&(Kind, &FileEntry)| matches!(kind, Kind::Segment(_)) && file.custody == Some(Custody::Arrived);
    if let Some((_, file)) = files.iter().find(unproven) {
        return Some(format!("{} is not verified", file.name));
    }
    match finished() {
        Ok(true) => None,
        Ok(false) => Some("by its manifest the take is not finished".into()),
        Err(why) => Some(format!("there is no manifest here that says that the take is finished: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_proven_and_finished_is_ready() {
        let id = TakeId::try_from("A_20251023_140210".to_owned()).unwrap();
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        let entry = |bytes, custody| FileEntry { name: format!("file{bytes}"), bytes, custody };
        let judged = |segment, table, finished: Result<bool, &str>| {
            let (segment, table) = (entry(700, segment), entry(13, table));
            let files = [(Kind::Segment(0), &segment), (Kind::Manifest, &table)];
            let judged = judge(&id.name, id.clone(), ip, &files, || finished.map_err(str::to_owned));
            (judged.state, judged.files, judged.bytes, judged.why.unwrap_or_default())
        };
        use Custody::{Arrived, DeletedOnNode, Verified};
        assert_eq!(judged(Some(Verified), Some(Arrived), Ok(true)), (State::Ready, 2, 713, String::new()));
        assert_eq!(judged(Some(DeletedOnNode), Some(Arrived), Ok(true)).2, 13, "a clean-up was killed half-way");
        assert_eq!(judged(Some(DeletedOnNode), Some(DeletedOnNode), Err("x")).0, State::Deleted);
        for (segment, table, finished, why) in [
            (Some(Arrived), Some(Arrived), Ok(true), "file700 is not verified"),
            (None, Some(Arrived), Ok(true), "file700 is not in the ledger"),
            (Some(Verified), None, Ok(true), "file13 is not in the ledger"),
            (Some(Verified), Some(Arrived), Ok(false), "the take is not finished"),
            (Some(Verified), Some(Arrived), Err("no such file"), "finished: no such file"),
        ] {
            let (state, .., found) = judged(segment, table, finished);
            assert!(state == State::Refused && found.contains(why), "{found}");
        }
    }
}
