//! What ails a disk that refused something, found by asking the file system: an error's text tells it to people alone.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

/// With less than this free a refusal is taken for a full disk: metadata needs a block or some.
const NOTHING: u64 = 256 * 1024;

/// The word for programs, and the error with what to do about it.
pub(super) fn name(videos: &Path, error: &str) -> (&'static str, String) {
    let (code, remedy) = match statvfs(videos) {
        Ok(disk) if disk.f_flag.contains(StatVfsMountFlags::RDONLY) => {
            ("disk_read_only", "a card that turned read-only is dying: copy what is on it and replace it")
        }
        Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < NOTHING => (
            "disk_full",
            "make room on the node, such as by `syncslate-controller cleanup`; recording goes on by itself",
        ),
        _ => ("disk_error", "look at the disk with `df -h` and `dmesg`"),
    };
    (code, format!("{error}\n\nhint: {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_has_room_and_may_be_written_has_another_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let (code, message) = name(folder.path(), "cannot write to A01.h264: Input/output error");
        assert_eq!(code, "disk_error");
        assert!(message.starts_with("cannot write to A01.h264: Input/output error\n\nhint: "), "{message}");
        assert_eq!(name(Path::new("/no/such/folder"), "gone").0, "disk_error");
    }
}
