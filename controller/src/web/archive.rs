//! A take as one archive, made while it is sent: no temporary file, the length known before.

use std::collections::VecDeque;
use std::path::Path;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures_util::stream;
use syncslate_report::names::{self, Form};
use syncslate_shared::take::TakeName;
use tokio::fs::File;
use warp::http::{StatusCode, header};
use warp::reply::Response;
use warp::{Reply as _, Stream};

use super::answer::{Refused, set};
use super::footage::{chunk, find};
use super::format::{Entry, Format, length};
use super::{tar, zip};
use crate::snapshot::TakeSummary;
use crate::{homes, ledger};

/// The take's name in `{take}.tar` or `{take}.zip`.
pub(super) fn wanted(file: &str) -> Option<TakeName> {
    let (name, _) = file.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "tar" | "zip"))?;
    TakeName::new(name).ok()
}

/// Sends `/media/{take}.tar` or `.zip`: every file of ours, the ledger that proves them, and the sync reports.
pub(super) async fn send(folder: &Path, take: &TakeSummary, file: &str) -> Result<Response, Refused> {
    let mut entries = Vec::new();
    for name in files(take) {
        let Some((path, meta)) = find(folder, Path::new(&name)).await else { continue };
        let modified_s = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified_s = modified_s.unwrap_or_default().as_secs();
        entries.push(Entry { name, path, bytes: meta.len(), modified_s });
    }
    let mut response = if file.ends_with(".zip") { stream::<zip::Zip>(entries) } else { stream::<tar::Tar>(entries) };
    let headers = response.headers_mut();
    set(headers, header::CACHE_CONTROL, "no-cache");
    set(headers, header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\""));
    Ok(response)
}

fn files(take: &TakeSummary) -> Vec<String> {
    let files = take.nodes.iter().flat_map(|node| node.files.iter().map(move |file| (node.ip, &file.name)));
    let files = files.map(|(ip, file)| format!("{}/{ip}/{file}", take.take));
    let reports = take.ids.iter().flat_map(|id| Form::ALL.map(|form| names::file(id, form)));
    let lights = take.ids.iter().map(syncslate_slate::model::file);
    let beside = [ledger::FILE, homes::FILE].map(str::to_owned).into_iter().chain(reports).chain(lights);
    files.chain(beside.map(|file| format!("{}/{file}", take.take))).collect()
}

fn stream<F: Format>(entries: Vec<Entry>) -> Response {
    let length = length::<F>(&entries);
    let mut response = warp::reply::stream(archive::<F>(entries)).into_response();
    *response.status_mut() = StatusCode::OK;
    set(response.headers_mut(), header::CONTENT_TYPE, F::TYPE);
    set(response.headers_mut(), header::CONTENT_LENGTH, length.to_string());
    response
}

struct Sending<F> {
    format: F,
    waiting: VecDeque<Entry>,
    /// The file that is being read, and how many bytes of it are left.
    open: Option<(File, Entry, u64)>,
    ended: bool,
}

fn archive<F: Format>(entries: Vec<Entry>) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let begin = Sending { format: F::default(), waiting: entries.into(), open: None, ended: false };
    stream::try_unfold(begin, |mut sending| async move {
        let Some(bytes) = sending.next().await? else { return Ok(None) };
        Ok(Some((bytes, sending)))
    })
}

impl<F: Format> Sending<F> {
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        if let Some((mut file, entry, left)) = self.open.take() {
            if left > 0 {
                let bytes = chunk(&mut file, left).await?;
                self.format.body(&bytes);
                self.open = Some((file, entry, left - bytes.len() as u64));
                return Ok(Some(bytes));
            }
            let tail = self.format.tail(&entry);
            if !tail.is_empty() {
                return Ok(Some(tail.into()));
            }
        }
        if let Some(entry) = self.waiting.pop_front() {
            let head = self.format.head(&entry);
            self.open = Some((File::open(&entry.path).await?, entry.clone(), entry.bytes));
            return Ok(Some(head.into()));
        }
        let first = !std::mem::replace(&mut self.ended, true);
        Ok(first.then(|| self.format.end().into()))
    }
}
