//! Takes that were deleted here: moved into `.trash` in the downloads folder under their name and the moment, and
//! really deleted days later, so that a slip of the hand costs nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use syncslate_shared::take::{Stamp, TakeId, TakeName};
use syncslate_shared::time::Wall;

use crate::homes;

/// The folder; no take can have this name.
pub const FOLDER: &str = ".trash";

/// How long a take can be taken back out.
pub const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// Moves a take into the trash; gives where it lies now.
///
/// # Errors
/// Why it stays where it is.
pub fn discard(downloads: &Path, take: &TakeName, now: Wall) -> Result<PathBuf, String> {
    let from = downloads.join(take.as_str());
    let trash = downloads.join(FOLDER);
    let failed = |e: std::io::Error| format!("cannot move {} into the trash: {e}", from.display());
    fs::create_dir_all(&trash).map_err(failed)?;
    // One of the same name from the same second must not be overwritten.
    let place = |at: Wall| trash.join(TakeId { name: take.clone(), stamp: Stamp::local(at) }.to_string());
    let free = (0..60).map(|s| now + Duration::from_secs(s)).map(place).find(|path| !path.exists());
    let to = free.ok_or_else(|| format!("the trash already holds {take} sixty times from this minute"))?;
    let _held = homes::at_rest(&from)?;
    fs::rename(&from, &to).map_err(failed)?;
    Ok(to)
}

/// Deletes what has lain in the trash for longer than `keep`; gives what went, and what could not.
pub fn empty(downloads: &Path, now: Wall, keep: Duration) -> Vec<Result<PathBuf, String>> {
    let limit = Stamp::local(now - keep).to_string();
    let entries = fs::read_dir(downloads.join(FOLDER)).into_iter().flatten().flatten();
    let old = |entry: &fs::DirEntry| {
        // What somebody else put there has no such name and stays.
        let id = entry.file_name().to_str().and_then(|name| TakeId::try_from(name.to_owned()).ok());
        id.is_some_and(|id| id.stamp.to_string() < limit)
    };
    let remove = |path: PathBuf| match fs::remove_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(e) => Err(format!("cannot delete {}: {e}", path.display())),
    };
    entries.filter(old).map(|entry| remove(entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_take_lies_in_the_trash_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let (name, now) = (TakeName::new("A01").unwrap(), Wall::from_micros(1_761_220_930_500_000));
        let file = |path: &Path| path.join("10.0.0.1").join("footage");
        let mut places = Vec::new();
        for _ in 0..2 {
            fs::create_dir_all(folder.path().join("A01/10.0.0.1")).unwrap();
            fs::write(file(&folder.path().join("A01")), "footage").unwrap();
            places.push(discard(folder.path(), &name, now).unwrap());
        }
        fs::create_dir(folder.path().join(FOLDER).join("somebody's")).unwrap();
        assert!(!folder.path().join("A01").exists() && places.iter().all(|place| file(place).exists()));
        assert!(discard(folder.path(), &name, now).unwrap_err().contains("cannot move"));
        assert_eq!(empty(folder.path(), now + KEEP, KEEP), []);
        let gone: Vec<_> = empty(folder.path(), now + KEEP + Duration::from_secs(60), KEEP);
        assert_eq!(gone.len(), 2);
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 1, "what is not ours stays");
    }
}
