//! Named pipes between this program and its children, for programs that write to files by name.
//!
//! Opening the reading end of a FIFO waits for a writer, for ever if the child dies before it opens. So a handle that
//! reads and writes is held beside it: it counts as a writer, opening returns at once, and reading waits. The price
//! is that no end of file comes while it is held; [`Fifo::release`] lets it go once the child has opened the FIFO or
//! has ended.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat, open};

/// Room for a large picture or some: fewer wake-ups, and a writer that is not held up.
const PIPE_BYTES: usize = 1 << 20;

/// A FIFO whose reading end is open.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    reader: Option<File>,
    holder: Option<OwnedFd>,
}

impl Fifo {
    /// Makes the FIFO `path`, readable and writable by this user alone. It goes with its folder.
    ///
    /// # Errors
    /// The path and why not.
    pub fn create(path: &Path) -> Result<Self, String> {
        let failed = |e: rustix::io::Errno| format!("cannot make the pipe {}: {e}", path.display());
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        let holder = open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let reader = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        // Refused where the pipes of all users together are too large: slower, not worse.
        let _ = rustix::pipe::fcntl_setpipe_size(&reader, PIPE_BYTES);
        Ok(Self { path: path.to_owned(), reader: Some(reader.into()), holder: Some(holder) })
    }

    /// Its path, for the child's command line.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// The reading end, which blocks; once.
    ///
    /// # Errors
    /// It was taken before.
    pub fn take_reader(&mut self) -> Result<File, String> {
        self.reader.take().ok_or_else(|| format!("the pipe {} has one reader only", self.shown()))
    }

    /// Lets the end of the stream reach the reader, as soon as no child has the FIFO open any more.
    pub fn release(&mut self) {
        self.holder = None;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_reader_does_not_wait_for_a_writer_that_never_comes() {
        let folder = tempfile::tempdir().unwrap();
        let mut fifo = Fifo::create(&folder.path().join("a")).unwrap();
        let mut reader = fifo.take_reader().unwrap();
        assert!(fifo.take_reader().is_err());
        fifo.release();
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert!(all.is_empty());
    }

    #[test]
    fn what_was_written_is_read_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut fifo = Fifo::create(&folder.path().join("a")).unwrap();
        let mut reader = fifo.take_reader().unwrap();
        File::options().write(true).open(fifo.shown()).unwrap().write_all(b"picture").unwrap();
        fifo.release();
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "picture");
    }

    #[test]
    fn one_that_is_there_already_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "").unwrap();
        assert!(Fifo::create(&path).unwrap_err().starts_with("cannot make the pipe"));
    }
}
