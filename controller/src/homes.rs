//! Where takes lie in the downloads folder: in the folder of their name, unless they were renamed here. Then the folder
//! has the new name, its files the old one, and `renamed.json` in it says which takes those are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use syncslate_shared::files::Base;
use syncslate_shared::protocol::{read, write};
use syncslate_shared::take::{TakeId, TakeName};

use crate::leftovers::hold;

/// The file's name in the folder of a take that was renamed.
pub const FILE: &str = "renamed.json";

/// What that file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Renamed {
    v: u32,
    /// The takes whose files lie here under the names that they were recorded by.
    ids: BTreeSet<TakeId>,
}

/// The takes that lie in the folder `take` under another name; none when it was never renamed, or that cannot be read.
pub fn guests(downloads: &Path, take: &str) -> BTreeSet<TakeId> {
    let json = fs::read(downloads.join(take).join(FILE)).unwrap_or_default();
    read::<Renamed>(&json).map(|renamed| renamed.ids).unwrap_or_default()
}

/// The takes named `name` that lie in other folders, with those folders' names.
pub fn away(downloads: &Path, name: &TakeName) -> BTreeMap<TakeId, TakeName> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(downloads).into_iter().flatten().flatten() {
        let folder = entry.file_name().to_str().and_then(|folder| TakeName::new(folder).ok());
        let Some(folder) = folder.filter(|folder| folder != name) else { continue };
        for id in guests(downloads, folder.as_str()).into_iter().filter(|id| id.name == *name) {
            found.entry(id).or_insert_with(|| folder.clone());
        }
    }
    found
}

/// Why a take keeps its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// There is something of the new name.
    Taken,
    /// A transfer writes into it.
    Busy(String),
    /// The disk refuses; what it said.
    Failed(String),
}

/// Gives the folder of a take another name. Its files keep theirs, so that digests, manifests and ledger stay true.
///
/// # Errors
/// Why it keeps its name; nothing has changed then.
pub fn rename(downloads: &Path, from: &TakeName, to: &TakeName) -> Result<(), Kept> {
    let (old, new) = (downloads.join(from.as_str()), downloads.join(to.as_str()));
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::AlreadyExists => Kept::Taken,
        _ => Kept::Failed(format!("cannot rename {} to {}: {e}", old.display(), new.display())),
    };
    // Looked at first, so that nothing is written for a name that is taken; the rename itself looks once more.
    if new.symlink_metadata().is_ok() {
        return Err(Kept::Taken);
    }
    let _held = at_rest(&old).map_err(Kept::Busy)?;
    let mut ids = guests(downloads, from.as_str());
    ids.extend(recorded(&old, from));
    // Written before the rename: a crash between the two leaves a list that changes nothing.
    note(&old, &Renamed { v: 1, ids }).map_err(failed)?;
    renameat_with(CWD, &old, CWD, &new, RenameFlags::NOREPLACE).map_err(|e| failed(e.into()))?;
    File::open(downloads).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Holds the folders of all nodes of a take, so that no transfer writes into them while they are moved.
///
/// # Errors
/// One is written into.
pub fn at_rest(folder: &Path) -> Result<Vec<File>, String> {
    let nodes = fs::read_dir(folder).into_iter().flatten().flatten().filter(|node| node.path().is_dir());
    nodes.map(|node| hold(&node.path()).map_err(|broken| broken.why)).collect()
}

/// The takes in a folder by their files' names.
fn recorded(folder: &Path, name: &TakeName) -> BTreeSet<TakeId> {
    let nodes = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = nodes.flat_map(|node| fs::read_dir(node.path()).into_iter().flatten().flatten());
    let ids = files.filter_map(|file| Some(Base::parse(file.file_name().to_str()?)?.0.id));
    ids.filter(|id| id.name == *name).collect()
}

fn note(folder: &Path, renamed: &Renamed) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&write(renamed))?;
    file.as_file().sync_all()?;
    file.persist(folder.join(FILE)).map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TakeName {
        TakeName::new(text).unwrap()
    }

    fn id(text: &str) -> TakeId {
        TakeId::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_take_is_found_where_it_was_renamed_to() {
        let folder = tempfile::tempdir().unwrap();
        let put = |take: &str, second: u8| {
            let node = folder.path().join(take).join("10.0.0.1");
            fs::create_dir_all(&node).unwrap();
            fs::write(node.join(format!("{take}_10_0_0_1_20251023_1402{second:02}_000000.h264")), "footage").unwrap();
        };
        put("A", 17);
        put("B", 23);
        assert_eq!(rename(folder.path(), &name("A"), &name("B")), Err(Kept::Taken));
        assert!(!folder.path().join("A").join(FILE).exists(), "nothing has changed");
        rename(folder.path(), &name("A"), &name("C")).unwrap();
        // The name is used again, and that take is renamed, too; then the first goes back.
        put("A", 31);
        rename(folder.path(), &name("A"), &name("D")).unwrap();
        let folders = away(folder.path(), &name("A"));
        assert_eq!(
            folders.into_iter().map(|(id, folder)| (id, folder.to_string())).collect::<Vec<_>>(),
            [(id("A_20251023_140217"), "C".into()), (id("A_20251023_140231"), "D".into())]
        );
        rename(folder.path(), &name("C"), &name("E")).unwrap();
        assert_eq!(guests(folder.path(), "E"), BTreeSet::from([id("A_20251023_140217")]));
        rename(folder.path(), &name("E"), &name("A")).unwrap();
        assert_eq!(away(folder.path(), &name("A")).len(), 1, "this one lies under its own name again");
        assert_eq!(away(folder.path(), &name("B")), BTreeMap::new());
        assert!(matches!(rename(folder.path(), &name("nowhere"), &name("F")), Err(Kept::Failed(_))));
    }
}
