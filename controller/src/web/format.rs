//! What a kind of archive is. Pure.

use std::path::PathBuf;

/// A file of the archive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// `<take>/<ip>/<file>`
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// When it was last changed, in seconds since 1970.
    pub(super) modified_s: u64,
}

/// A kind of archive, as what stands around the files' bytes.
pub(super) trait Format: Default + Send + Sync + 'static {
    /// Its content type.
    const TYPE: &'static str;

    /// What stands before a file's bytes.
    fn head(&mut self, entry: &Entry) -> Vec<u8>;
    /// Hears the file's bytes as they go by.
    fn body(&mut self, bytes: &[u8]);
    /// What stands behind them.
    fn tail(&mut self, entry: &Entry) -> Vec<u8>;
    /// What stands at the end of all.
    fn end(&mut self) -> Vec<u8>;
}

/// What stands around the files is as long for zeros as for their bytes.
pub(super) fn length<F: Format>(entries: &[Entry]) -> u64 {
    let mut format = F::default();
    let around = |entry: &Entry| (format.head(entry).len() + format.tail(entry).len()) as u64 + entry.bytes;
    entries.iter().map(around).sum::<u64>() + format.end().len() as u64
}
