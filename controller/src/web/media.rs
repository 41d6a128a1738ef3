//! Footage and tables from the downloads folder, whole or by range.
//!
//! Nothing but our own files leaves it: a name is a take's, an address and one of our file names, each read by its
//! own parser, and the file found must lie in the folder after all links are followed. The take's name is the folder's:
//! the files of one that was renamed here bear another one.

use std::io::SeekFrom;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures_util::stream;
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::take::TakeName;
use tokio::fs::File;
use tokio::io::AsyncSeekExt as _;
use warp::http::{HeaderMap, StatusCode, header};
use warp::reply::Response;
use warp::{Reply as _, Stream};

use super::answer::{Refused, set};
use super::footage::{chunk, find};
use super::range::{Wanted, wanted};

/// Sends `/media/{take}/{ip}/{file}`.
pub(super) async fn send(folder: &Path, address: [&str; 3], headers: &HeaderMap) -> Result<Response, Refused> {
    let (path, kind) = place(address).ok_or_else(no_such_file)?;
    // No browser plays raw H.264: it is for keeping.
    let keep = matches!(kind, Kind::Segment(_)).then_some(address[2]);
    let sent = Sent { path: &path, kind: content_type(kind), keep };
    serve(folder, sent, headers).await.ok_or_else(no_such_file)
}

/// A file that is to be sent.
pub(super) struct Sent<'a> {
    /// Its place below the downloads folder.
    pub(super) path: &'a Path,
    /// Its content type.
    pub(super) kind: &'a str,
    /// The name under which it is kept rather than shown.
    pub(super) keep: Option<&'a str>,
}

/// Sends a file whole or by range; `None` when it is not there.
pub(super) async fn serve(folder: &Path, sent: Sent<'_>, headers: &HeaderMap) -> Option<Response> {
    let (path, _) = find(folder, sent.path).await?;
    let mut file = File::open(&path).await.ok()?;
    let meta = file.metadata().await.ok()?;
    let length = meta.len();
    // A file that is still growing changes both, so two halves of different versions are never put together.
    let changed = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let tag = format!("\"{length:x}-{:x}\"", changed.as_micros());

    let field = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let still_the_same = field(header::IF_RANGE).is_none_or(|known| known == tag);
    let part = if still_the_same { wanted(field(header::RANGE), length) } else { Wanted::Whole };
    let (status, first, count) = match part {
        Wanted::Whole => (StatusCode::OK, 0, length),
        Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Beyond => return Some(beyond(length)),
    };
    file.seek(SeekFrom::Start(first)).await.ok()?;
    let mut response = warp::reply::stream(chunks(file, count)).into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    set(headers, header::CONTENT_TYPE, sent.kind);
    set(headers, header::CONTENT_LENGTH, count.to_string());
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(headers, header::ETAG, tag);
    set(headers, header::CACHE_CONTROL, "no-cache");
    if status == StatusCode::PARTIAL_CONTENT {
        set(headers, header::CONTENT_RANGE, format!("bytes {first}-{}/{length}", first + count - 1));
    }
    if let Some(name) = sent.keep {
        set(headers, header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""));
    }
    Some(response)
}

fn no_such_file() -> Refused {
    Refused::not_found("there is no such file of ours in the downloads folder")
}

/// The file's place below the downloads folder; `None` for what is not one of our names.
fn place([take, ip, file]: [&str; 3]) -> Option<(PathBuf, Kind)> {
    let take = TakeName::new(take).ok()?;
    let ip: Ipv4Addr = ip.parse().ok()?;
    let (base, kind) = Base::parse(file)?;
    (base.ip == ip).then(|| (Path::new(take.as_str()).join(ip.to_string()).join(file), kind))
}

fn content_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Segment(_) => "video/h264",
        Kind::Frames => "text/csv; charset=utf-8",
        Kind::Manifest => "application/json",
        Kind::Markers | Kind::Digests => "text/plain; charset=utf-8",
    }
}

fn beyond(length: u64) -> Response {
    let refused = Refused::with(
        StatusCode::RANGE_NOT_SATISFIABLE,
        syncslate_shared::command::ErrorCode::Malformed,
        format!("the file has {length} bytes; the range lies beyond them"),
    );
    let mut response = refused.json();
    set(response.headers_mut(), header::CONTENT_RANGE, format!("bytes */{length}"));
    response
}

/// `count` bytes of the file from where it stands.
fn chunks(file: File, count: u64) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold((file, count), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let bytes = chunk(&mut file, left).await?;
        let left = left - bytes.len() as u64;
        Ok(Some((bytes, (file, left))))
    })
}
