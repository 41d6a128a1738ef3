//! Room in the downloads folder: a part claims what it needs before it starts, so that parts that run at the same time
//! do not count the same free bytes, and a download that cannot fit says so before it fills the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::errand::Broken;
use crate::size::Size;

/// All claims, shared by all parts.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// Is left free, so that the machine goes on working.
    reserve: u64,
    claims: Arc<Mutex<Claims>>,
}

#[derive(Debug, Default)]
struct Claims {
    next: u64,
    /// By number, the bytes that are still to come.
    open: BTreeMap<u64, u64>,
}

/// A part's claim; dropped, it is given back.
#[derive(Debug)]
pub struct Claim {
    room: Room,
    number: u64,
    needed: u64,
}

impl Room {
    /// No claims yet.
    pub fn new(reserve: Size) -> Self {
        Self { reserve: reserve.0, claims: Arc::default() }
    }

    /// Claims `needed` bytes in `folder`.
    ///
    /// # Errors
    /// There is not so much room now: all figures, in words.
    pub fn claim(&self, folder: &Path, needed: u64) -> Result<Claim, Broken> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed: u64 = claims.open.values().sum();
        if needed > 0
            && let Some(free) = free(folder)
        {
            let usable = free.saturating_sub(self.reserve).saturating_sub(claimed);
            if needed > usable {
                let others =
                    if claimed > 0 { format!(", {} are for other downloads", Size(claimed)) } else { String::new() };
                return Err(Broken::for_now(format!(
                    "it does not fit: {} are to come, {} are free in {}{others}, and {} stay free as a reserve\n\nhint: make room there; it goes on by itself",
                    Size(needed),
                    Size(free),
                    folder.display(),
                    Size(self.reserve),
                )));
            }
        }
        claims.next += 1;
        let number = claims.next;
        claims.open.insert(number, needed);
        Ok(Claim { room: self.clone(), number, needed })
    }
}

impl Claim {
    /// So many bytes of it have come and are counted by the disk itself.
    pub fn arrived(&self, bytes: u64) {
        let mut claims = self.room.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.open.insert(self.number, self.needed.saturating_sub(bytes));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.room.claims.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&self.number);
    }
}

/// Free bytes for this program; `None` when the file system does not tell.
pub fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_count_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let there = free(folder.path()).unwrap();
        let room = Room::new(Size(there / 4));
        let first = room.claim(folder.path(), there / 2).unwrap();
        let refused = room.claim(folder.path(), there / 2).unwrap_err();
        assert!(refused.again && refused.why.contains("it does not fit") && refused.why.contains("other downloads"));
        assert!(room.claim(folder.path(), 0).is_ok(), "what is here already needs no room");
        first.arrived(there / 2);
        drop(room.claim(folder.path(), there / 2).unwrap());
        drop(first);
        assert!(room.claim(folder.path(), there).unwrap_err().why.contains("stay free as a reserve"));
    }
}
