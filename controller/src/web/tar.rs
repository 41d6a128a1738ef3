//! A take as one tar archive, made while it is sent: no temporary file, the length known before.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use syncslate_shared::take::TakeName;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use warp::http::{StatusCode, header};
use warp::reply::Response;
use warp::{Reply as _, Stream};

use super::answer::{Refused, set};
use super::media::within;
use crate::ledger;
use crate::snapshot::TakeSummary;

const BLOCK: usize = 512;
const CHUNK: usize = 64 * 1024;
/// The longest name that a plain header holds.
const SHORT: usize = 100;
/// The first length that a plain header does not hold.
const LARGE: u64 = 1 << 33;

/// A file of the archive.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    path: PathBuf,
    bytes: u64,
    modified_s: u64,
}

/// Sends `/media/{take}.tar`: every file of ours, and the ledger that proves them.
pub(super) async fn send(folder: &Path, take: &TakeSummary) -> Result<Response, Refused> {
    let mut entries = Vec::new();
    for name in names(take) {
        let Some(path) = within(folder, Path::new(&name)).await else { continue };
        let Ok(meta) = tokio::fs::metadata(&path).await else { continue };
        let modified_s = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified_s = modified_s.unwrap_or_default().as_secs();
        entries.push(Entry { name, path, bytes: meta.len(), modified_s });
    }
    let length = entries.iter().map(Entry::length).sum::<u64>() + 2 * BLOCK as u64;
    let mut response = warp::reply::stream(archive(entries)).into_response();
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    set(headers, header::CONTENT_TYPE, "application/x-tar");
    set(headers, header::CONTENT_LENGTH, length.to_string());
    set(headers, header::CACHE_CONTROL, "no-cache");
    set(headers, header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.tar\"", take.take));
    Ok(response)
}

/// The take's name in `{take}.tar`.
pub(super) fn wanted(file: &str) -> Option<TakeName> {
    TakeName::new(file.strip_suffix(".tar")?).ok()
}

fn names(take: &TakeSummary) -> Vec<String> {
    let files = take.nodes.iter().flat_map(|node| node.files.iter().map(move |file| (node.ip, &file.name)));
    let files = files.map(|(ip, file)| format!("{}/{ip}/{file}", take.take));
    files.chain([format!("{}/{}", take.take, ledger::FILE)]).collect()
}

impl Entry {
    /// With its header and its padding.
    fn length(&self) -> u64 {
        self.head().len() as u64 + self.bytes.next_multiple_of(BLOCK as u64)
    }

    fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        let mut records = String::new();
        if self.name.len() > SHORT {
            records += &record("path", &self.name);
        }
        if self.bytes >= LARGE {
            records += &record("size", &self.bytes.to_string());
        }
        if !records.is_empty() {
            // What the plain header cannot hold stands in an extended one before it (POSIX.1-2001).
            head.extend(block(b'x', "extended", records.len() as u64, self.modified_s));
            head.extend_from_slice(records.as_bytes());
            head.resize(head.len().next_multiple_of(BLOCK), 0);
        }
        head.extend(block(b'0', &self.name, self.bytes, self.modified_s));
        head
    }
}

/// A record of an extended header; its length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

/// A plain header.
fn block(kind: u8, name: &str, bytes: u64, modified_s: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, &name.as_bytes()[..name.len().min(SHORT)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", bytes.min(LARGE - 1)).as_bytes());
    put(136, format!("{:011o}\0", modified_s.min(LARGE - 1)).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

struct Sending {
    waiting: VecDeque<Entry>,
    /// The file that is being read, what of it is left, and how many zeros follow it.
    open: Option<(File, u64, usize)>,
    ended: bool,
}

/// A file that became shorter meanwhile ends the connection, which is how HTTP says that an answer is not whole.
fn archive(entries: Vec<Entry>) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let begin = Sending { waiting: entries.into(), open: None, ended: false };
    stream::try_unfold(begin, |mut sending| async move {
        let Some(bytes) = sending.next().await? else { return Ok(None) };
        Ok(Some((bytes, sending)))
    })
}

impl Sending {
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        match self.open.take() {
            Some((_, 0, 0)) | None => {}
            Some((_, 0, zeros)) => return Ok(Some(BytesMut::zeroed(zeros).freeze())),
            Some((mut file, left, zeros)) => {
                let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
                let mut chunk = BytesMut::zeroed(size);
                let read = file.read(&mut chunk).await?;
                if read == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                chunk.truncate(read);
                self.open = Some((file, left - read as u64, zeros));
                return Ok(Some(chunk.freeze()));
            }
        }
        if let Some(entry) = self.waiting.pop_front() {
            let zeros = usize::try_from(entry.bytes.next_multiple_of(BLOCK as u64) - entry.bytes).unwrap_or(0);
            self.open = Some((File::open(&entry.path).await?, entry.bytes, zeros));
            return Ok(Some(entry.head().into()));
        }
        let first = !std::mem::replace(&mut self.ended, true);
        Ok(first.then(|| BytesMut::zeroed(2 * BLOCK).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in 1..300 {
            let text = record("path", &"x".repeat(length));
            assert_eq!(text.split(' ').next().unwrap().parse(), Ok(text.len()), "{length}");
        }
    }
}
