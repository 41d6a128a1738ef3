//! Deleting a take on the Control Pi: into the trash, after its name was said twice.

use serde::Deserialize;
use serde_json::json;
use syncslate_shared::command::ErrorCode;
use syncslate_shared::protocol::{self, DownloadState, TakeState};
use syncslate_shared::take::TakeName;
use syncslate_shared::time::Clocks as _;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;
use warp::{Buf, Stream};

use super::Site;
use super::answer::{Refused, json};
use super::command::{malformed, read, same_site};
use crate::snapshot::{Snapshot, TakeSummary};
use crate::trash;

#[derive(Deserialize)]
struct Wish {
    /// The take's name once more: an address alone deletes nothing.
    confirm: String,
}

/// `POST /api/takes/{take}/delete`.
pub(super) async fn discard<B: Buf>(
    site: &Site,
    snapshot: &Snapshot,
    take: &TakeSummary,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    same_site(headers)?;
    let body = read(headers, body).await?;
    let wish: Wish = protocol::read(&body).map_err(malformed)?;
    confirmed(take, &wish.confirm)?;
    at_rest(snapshot, take)?;
    let (downloads, name, now) = (site.door.downloads.clone(), take.take.clone(), site.clocks.wall());
    let work = tokio::task::spawn_blocking(move || trash::discard(&downloads, &name, now));
    let moved = work.await.map_err(|e| e.to_string()).and_then(|moved| moved);
    let internal = |why| Refused::with(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, why);
    let place = moved.map_err(internal)?;
    tracing::info!("the take {} was deleted here and lies in {} for a week", take.take, place.display());
    Ok(json(StatusCode::OK, &json!({"ok": true, "take": take.take, "trash": place})))
}

/// Refuses what changes a take for good, unless the body names it once more.
pub(super) fn confirmed(take: &TakeSummary, name: &str) -> Result<(), Refused> {
    if name == take.take.as_str() {
        return Ok(());
    }
    Err(malformed(format!("field `confirm`: it is not the take's name, {}", take.take)))
}

/// Refuses to touch a take that is being recorded or fetched.
pub(super) fn at_rest(snapshot: &Snapshot, take: &TakeSummary) -> Result<(), Refused> {
    let busy = |message: String| Err(Refused::with(StatusCode::CONFLICT, ErrorCode::Busy, message));
    // One that was renamed here is recorded and fetched under its old name.
    let is_it = |name: &TakeName| *name == take.take || take.ids.iter().any(|id| id.name == *name);
    if snapshot.take.state == TakeState::Rolling && snapshot.take.take.as_ref().is_some_and(is_it) {
        return busy(format!("the take {} is rolling", take.take));
    }
    let open = |state| matches!(state, DownloadState::Queued | DownloadState::Running);
    if snapshot.downloads.iter().any(|download| is_it(&download.take) && open(download.state)) {
        return busy(format!("the footage of {} is on its way here", take.take));
    }
    Ok(())
}
