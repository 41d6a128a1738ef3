//! Changing marks, and the marks of takes as they are known here. Pure but for [`find`] and [`keep`].
//!
//! The marks of the present or last take are the journal's. Of older takes the manifests tell them, unless they were
//! changed here since: then `<id>_marks.json` beside the footage does. The verified originals are never touched.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use syncslate_shared::command::{ErrorCode, MarkChange, Refusal};
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::{Marks, VERSION, read, write};
use syncslate_shared::take::{Mark, TakeId, TakeName};
use syncslate_shared::time::Wall;

use crate::event::Remark;
use crate::snapshot::TakeSummary;

/// `<id>_marks.json`
#[derive(Debug, Serialize, Deserialize)]
struct OnDisk {
    v: u32,
    #[serde(flatten)]
    marks: Marks,
}

/// A take's marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeMarks {
    /// The take.
    pub id: TakeId,
    /// Its T0; `None` when no manifest of it is here.
    pub t0: Option<Wall>,
    /// In the order of their numbers.
    pub marks: Vec<Mark>,
}

/// Changes mark `n`; whether there is one.
pub fn change(marks: &mut Vec<Mark>, n: u32, change: &MarkChange) -> bool {
    let Some(at) = marks.iter().position(|mark| mark.n == n) else { return false };
    match change {
        MarkChange::Note(note) => marks[at].note.clone_from(note),
        MarkChange::Delete => drop(marks.remove(at)),
    }
    true
}

/// What is said of a mark that is not there.
pub fn unknown(n: u32, id: &TakeId) -> Refusal {
    Refusal::new(ErrorCode::UnknownMark, format!("the take {id} has no mark {n}"))
}

/// The folder that a take lies in.
///
/// # Errors
/// It is not here.
pub fn of_library(library: &[TakeSummary], id: &TakeId) -> Result<TakeName, Refusal> {
    let found = library.iter().find(|summary| summary.ids.contains(id)).map(|summary| summary.take.clone());
    found.ok_or_else(|| {
        Refusal::new(
            ErrorCode::UnknownTake,
            format!("{id} is neither the last take nor in the downloads folder, so its marks cannot be changed"),
        )
    })
}

/// The marks of a take that lies in the folder `folder` of the downloads.
///
/// # Errors
/// The list that was changed here cannot be read, with its path.
pub fn find(downloads: &Path, folder: &TakeName, id: &TakeId) -> Result<TakeMarks, String> {
    let folder = downloads.join(folder.as_str());
    let manifests = manifests(&folder, id);
    let t0 = manifests.first().map(|manifest| manifest.t0);
    let path = folder.join(file(id));
    let marks = match fs::read(&path) {
        Ok(json) => {
            read::<OnDisk>(&json).map_err(|e| format!("the marks in {} are damaged: {e}", path.display()))?.marks.marks
        }
        Err(e) if e.kind() == ErrorKind::NotFound => recorded(manifests),
        Err(e) => return Err(format!("the marks in {} cannot be read: {e}", path.display())),
    };
    Ok(TakeMarks { id: id.clone(), t0, marks })
}

/// Changes a mark of an older take.
///
/// # Errors
/// There is no such mark, or the disk refuses; nothing has changed then.
pub fn remark(downloads: &Path, wanted: &Remark) -> Result<(), Refusal> {
    let Remark { folder, id, n, change: wish, .. } = wanted;
    let failed = |why| Refusal::new(ErrorCode::Internal, why);
    let mut marks = find(downloads, folder, id).map_err(failed)?.marks;
    if !change(&mut marks, *n, wish) {
        return Err(unknown(*n, id));
    }
    keep(downloads, folder, &Marks { id: Some(id.clone()), marks }).map_err(failed)
}

/// Keeps a take's marks beside its footage.
///
/// # Errors
/// The disk refuses, with the path.
pub fn keep(downloads: &Path, folder: &TakeName, marks: &Marks) -> Result<(), String> {
    let Some(id) = &marks.id else { return Ok(()) };
    let folder = downloads.join(folder.as_str());
    let path = folder.join(file(id));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&folder)?;
        file.write_all(&write(&OnDisk { v: VERSION, marks: marks.clone() }))?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|e| e.error)?;
        File::open(&folder)?.sync_all()
    };
    write().map_err(|e: std::io::Error| format!("the marks cannot be written to {}: {e}", path.display()))
}

fn file(id: &TakeId) -> String {
    format!("{id}_marks.json")
}

/// What the nodes' manifests of a take say, as far as they are here.
fn manifests(folder: &Path, id: &TakeId) -> Vec<Manifest> {
    let nodes = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut nodes: Vec<Ipv4Addr> = nodes.filter_map(|node| node.file_name().to_str()?.parse().ok()).collect();
    nodes.sort_unstable();
    let manifest = |ip: &Ipv4Addr| {
        let name = Base { id: id.clone(), ip: *ip }.file(Kind::Manifest);
        read::<Manifest>(&fs::read(folder.join(ip.to_string()).join(name)).ok()?).ok()
    };
    nodes.iter().filter_map(manifest).collect()
}

/// The marks that any of them knows: a node that was away may lack some.
fn recorded(manifests: Vec<Manifest>) -> Vec<Mark> {
    let mut marks = BTreeMap::new();
    for placed in manifests.into_iter().flat_map(|manifest| manifest.marks) {
        marks.entry(placed.mark.n).or_insert(placed.mark);
    }
    marks.into_values().collect()
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
