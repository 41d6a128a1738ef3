//! How a file of the downloads folder is found, opened and read: nothing outside it, whatever a name or a link says.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

/// Read at once: each piece costs a turn of the thread that reads.
const CHUNK: usize = 256 * 1024;

/// The real path of a plain file, when it lies in the real folder.
pub(super) async fn find(folder: &Path, path: &Path) -> Option<(PathBuf, Metadata)> {
    let folder = tokio::fs::canonicalize(folder).await.ok()?;
    let real = tokio::fs::canonicalize(folder.join(path)).await.ok()?;
    // A pipe would hold the request for ever, so only plain files are opened.
    let meta = tokio::fs::metadata(&real).await.ok().filter(Metadata::is_file)?;
    real.starts_with(&folder).then_some((real, meta))
}

/// The next bytes of a file of which `left` are to come, at least one.
///
/// # Errors
/// It cannot be read, or became shorter meanwhile. That ends the connection, which is how HTTP says that an answer is
/// not whole.
pub(super) async fn chunk(file: &mut File, left: u64) -> std::io::Result<Bytes> {
    let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
    let mut chunk = BytesMut::zeroed(size);
    let read = file.read(&mut chunk).await?;
    if read == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    chunk.truncate(read);
    Ok(chunk.freeze())
}
