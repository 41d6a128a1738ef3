//! What ails a disk that refused something, found by trying: what the system says of a mounted disk is not the truth
//! when an error made it read-only, and an error's text tells it to people alone.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// More than fits in what a file system keeps with a file's name.
const TRIAL: [u8; 16 * 1024] = [0x55; 16 * 1024];

/// The word for programs, and the error with what to do about it.
pub(super) fn name(videos: &Path, error: &str) -> (&'static str, String) {
    let tried =
        tempfile::tempfile_in(videos).and_then(|mut file| file.write_all(&TRIAL).and_then(|()| file.sync_data()));
    let (code, remedy) = match tried.map_err(|e| e.kind()) {
        Err(ErrorKind::ReadOnlyFilesystem) => {
            ("disk_read_only", "a card that turned read-only is dying: copy what is on it and replace it")
        }
        Err(ErrorKind::StorageFull) => (
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
