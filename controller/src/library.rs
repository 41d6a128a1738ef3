//! What the downloads folder holds, as a list of takes. Pure: [`crate::shelf`] looks into the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use syncslate_shared::files::Base;
use syncslate_shared::take::{TakeId, TakeName};

use crate::ledger::Custody;
use crate::snapshot::{FileEntry, NodeFiles, SyncSummary, TakeSummary};

/// A file at `<take>/<ip>/<file>` in the downloads folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// The folder's name.
    pub take: String,
    /// The inner folder's name.
    pub ip: String,
    /// The file's name.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// What the ledger says of it.
    pub custody: Option<Custody>,
    /// Whether the folder was renamed and this file's take is one of those in it.
    pub renamed: bool,
}

#[derive(Default)]
struct Gathered {
    ids: BTreeSet<(String, TakeId)>,
    nodes: BTreeMap<Ipv4Addr, Vec<FileEntry>>,
}

/// The takes, newest first. Files that are not ours, or lie where they do not belong, are left alone. `length_ms` tells
/// a take's length from its manifests, `sync` what its reports say.
pub fn summarize(
    files: impl IntoIterator<Item = Shelved>,
    length_ms: impl Fn(&TakeName, &TakeId, &[NodeFiles]) -> Option<u64>,
    sync: impl Fn(&TakeName, &[TakeId]) -> Vec<SyncSummary>,
) -> Vec<TakeSummary> {
    let mut takes: BTreeMap<TakeName, Gathered> = BTreeMap::new();
    for Shelved { take, ip, file, bytes, custody, renamed } in files {
        if let Some((base, _)) = Base::parse(&file)
            && let Ok(name) = TakeName::new(&take)
            && (base.id.name == name || renamed)
            && base.ip.to_string() == ip
        {
            let gathered = takes.entry(name).or_default();
            gathered.ids.insert((base.id.stamp.to_string(), base.id));
            gathered.nodes.entry(base.ip).or_default().push(FileEntry { name: file, bytes, custody });
        }
    }
    let mut takes: Vec<_> =
        takes.into_iter().filter_map(|(take, gathered)| summary(take, gathered, &length_ms, &sync)).collect();
    newest_first(&mut takes);
    takes
}

/// Sorts takes by their newest recordings.
pub fn newest_first(takes: &mut [TakeSummary]) {
    takes.sort_by(|a, b| b.ids.first().map(|id| &id.stamp).cmp(&a.ids.first().map(|id| &id.stamp)));
}

fn summary(
    take: TakeName,
    gathered: Gathered,
    length_ms: impl Fn(&TakeName, &TakeId, &[NodeFiles]) -> Option<u64>,
    sync: impl Fn(&TakeName, &[TakeId]) -> Vec<SyncSummary>,
) -> Option<TakeSummary> {
    let ids: Vec<_> = gathered.ids.into_iter().rev().map(|(_, id)| id).collect();
    let newest = ids.first()?;
    let nodes: Vec<_> = gathered
        .nodes
        .into_iter()
        .map(|(ip, mut files)| {
            files.sort_by(|a, b| a.name.cmp(&b.name));
            NodeFiles { ip, files }
        })
        .collect();
    Some(TakeSummary {
        bytes: nodes.iter().flat_map(|node| &node.files).map(|file| file.bytes).sum(),
        date: newest.stamp.readable(),
        length_ms: length_ms(&take, newest, &nodes),
        sync: sync(&take, &ids),
        take,
        ids,
        nodes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelved(path: &str) -> Shelved {
        let parts: Vec<_> = path.split('/').collect();
        Shelved {
            take: parts[0].into(),
            ip: parts[1].into(),
            file: parts[2].into(),
            bytes: 7,
            custody: None,
            renamed: false,
        }
    }

    #[test]
    fn takes_are_listed_newest_first_and_foreign_files_left_alone() {
        let takes = summarize(
            [
                "A01/10.0.0.1/A01_10_0_0_1_20251023_140210_000000.h264",
                "A01/10.0.0.1/A01_10_0_0_1_20251023_140210.sha256",
                "A01/10.0.0.2/A01_10_0_0_2_20251023_150210_000000.h264",
                "B/10.0.0.1/B_10_0_0_1_20251023_143000_000000.h264",
                "B/10.0.0.1/notes.txt",
                "B/10.0.0.1/A01_10_0_0_1_20251023_140210_000000.h264",
                "B/10.0.0.3/B_10_0_0_1_20251023_143000_000001.h264",
                "foreign/10.0.0.1/photo.jpg",
            ]
            .map(shelved),
            |_, id, nodes| (id.name.as_str() == "B" && nodes.len() == 1).then_some(12_000),
            |_, _| Vec::new(),
        );
        let names: Vec<_> =
            takes.iter().map(|t| (t.take.as_str(), t.ids.len(), t.nodes.len(), t.bytes, t.length_ms)).collect();
        assert_eq!(names, [("A01", 2, 2, 21, None), ("B", 1, 1, 7, Some(12_000))]);
        assert_eq!(takes[0].ids[0].to_string(), "A01_20251023_150210");
        assert_eq!(takes[0].date, "2025-10-23 15:02:10");
    }

    #[test]
    fn a_take_that_was_renamed_is_listed_by_its_folder() {
        let file = |path: &str, renamed| Shelved { renamed, ..shelved(path) };
        let takes = summarize(
            [
                file("wide/10.0.0.1/A01_10_0_0_1_20251023_140210_000000.h264", true),
                file("wide/10.0.0.1/B_10_0_0_1_20251023_140210_000000.h264", false),
                file("-no take/10.0.0.1/A01_10_0_0_1_20251023_140210_000000.h264", true),
            ],
            |_, _, _| None,
            |_, _| Vec::new(),
        );
        let names: Vec<_> = takes.iter().map(|t| (t.take.as_str(), t.ids[0].to_string(), t.bytes)).collect();
        assert_eq!(names, [("wide", "A01_20251023_140210".to_owned(), 7)]);
    }
}
