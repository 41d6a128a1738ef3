//! The SHA-256 of a file, computed off the event loop.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Read at once: large enough that a disk is read in long stretches.
const CHUNK: usize = 1 << 20;

/// The SHA-256 of the file at `path` in hexadecimal.
///
/// # Errors
/// The file's name and why it cannot be read.
pub async fn sha256_of(path: PathBuf) -> Result<String, String> {
    let failed = |e: &dyn std::fmt::Display| format!("cannot read {} to verify it: {e}", path.display());
    let file = path.clone();
    let digest = tokio::task::spawn_blocking(move || hash(&file)).await.map_err(|e| failed(&e))?;
    digest.map_err(|e| failed(&e))
}

/// The same on the thread that asks.
///
/// # Errors
/// Why it cannot be read.
pub fn hash(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            n => hasher.update(&chunk[..n]),
        }
    }
    Ok(hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
