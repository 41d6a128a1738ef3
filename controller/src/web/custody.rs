//! The addresses of footage in custody: breaking a download off, renaming and deleting a take here, having
//! it searched for the slate, and what a clean-up would free on the nodes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::protocol;
use syncslate_shared::take::TakeName;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;
use warp::{Buf, Stream};

use super::answer::{Refused, json};
use super::command::{malformed, read, same_site, send, wish};
use super::discard::{at_rest, confirmed, discard};
use super::{Site, known, light};
use crate::freeable::{self, Freeable};
use crate::homes::{self, Kept};
use crate::lock::Visitor;
use crate::snapshot::{Snapshot, TakeSummary};

/// The list of takes follows the folder within this time.
const SEEN: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether an address below `/api/` is one of these, asked by POST.
pub(super) fn is_post(segments: &[&str]) -> bool {
    matches!(segments, ["download", "cancel"] | ["takes", _, "rename" | "delete" | "verify"])
}

/// Answers POST.
pub(super) async fn post<B: Buf>(
    site: &Site,
    segments: &[&str],
    visitor: &Visitor,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    let snapshot = Arc::clone(&site.door.snapshot.borrow());
    match segments {
        ["takes", take, "delete"] => discard(site, &snapshot, known::take(&snapshot.takes, take)?, headers, body).await,
        ["takes", take, "verify"] => {
            light::begin(site, &snapshot, known::take(&snapshot.takes, take)?, headers, body).await
        }
        ["takes", take, "rename"] => rename(site, &snapshot, known::take(&snapshot.takes, take)?, headers, body).await,
        _ => cancel(site, visitor, headers, body).await,
    }
}

/// Answers `GET /api/cleanup` and `/api/takes/{take}/cleanup`.
pub(super) async fn cleanup(site: &Site, snapshot: &Snapshot, take: Option<&TakeSummary>) -> Response {
    #[derive(Serialize)]
    struct Cleanup {
        nodes: Vec<Freeable>,
    }
    let takes: Vec<_> = take.map_or_else(|| snapshot.takes.to_vec(), |take| vec![take.clone()]);
    json(StatusCode::OK, &Cleanup { nodes: look(site, takes).await })
}

/// What a clean-up of these takes would free; reads their manifests.
pub(super) async fn look(site: &Site, takes: Vec<TakeSummary>) -> Vec<Freeable> {
    let downloads = site.door.downloads.clone();
    let work = move || takes.iter().flat_map(|take| freeable::list(&downloads, take)).collect();
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

/// `POST /api/download/cancel`: the command `download` with `"cancel":true`, without having to know that word.
async fn cancel<B: Buf>(
    site: &Site,
    visitor: &Visitor,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    let mut wish: serde_json::Map<String, serde_json::Value> = wish(headers, body).await?;
    wish.insert("cancel".into(), true.into());
    send(site, "download", visitor, &protocol::write(&wish)).await
}

#[derive(Deserialize)]
struct Renaming {
    /// The take's name once more: an address alone changes nothing.
    confirm: String,
    /// The new one.
    to: String,
}

/// `POST /api/takes/{take}/rename`.
async fn rename<B: Buf>(
    site: &Site,
    snapshot: &Snapshot,
    take: &TakeSummary,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    same_site(headers)?;
    let wish: Renaming = protocol::read(&read(headers, body).await?).map_err(malformed)?;
    confirmed(take, &wish.confirm)?;
    let to = TakeName::new(&wish.to).map_err(Refusal::from)?;
    at_rest(snapshot, take)?;
    let (downloads, from, name) = (site.door.downloads.clone(), take.take.clone(), to.clone());
    let work = tokio::task::spawn_blocking(move || homes::rename(&downloads, &from, &name));
    let conflict = |why: String| Refused::with(StatusCode::CONFLICT, ErrorCode::InvalidTakeName, why);
    match work.await.unwrap_or_else(|e| Err(Kept::Failed(e.to_string()))) {
        Ok(()) => {}
        Err(Kept::Taken) => return Err(conflict(format!("there is something named {to} in the downloads folder"))),
        Err(Kept::Busy(why)) => return Err(Refused::with(StatusCode::CONFLICT, ErrorCode::Busy, why)),
        Err(Kept::Failed(why)) => {
            return Err(Refused::with(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, why));
        }
    }
    tracing::info!("the take {} is named {to} here from now on", take.take);
    // Whoever asks for the take next asks by its new name; the watch on the folder may be a moment late.
    let mut seen = site.door.snapshot.clone();
    let there = seen.wait_for(|snapshot| snapshot.takes.iter().any(|known| known.take == to));
    let _ = tokio::time::timeout(SEEN, there).await;
    Ok(json(StatusCode::OK, &json!({"ok": true, "take": to, "ids": take.ids})))
}
