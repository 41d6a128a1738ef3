//! Deleting a take on the Control Pi: into the trash, after its name was said twice.

use serde::Deserialize;
use serde_json::json;
use syncslate_shared::command::ErrorCode;
use syncslate_shared::protocol::{self, DownloadState, TakeState};
use syncslate_shared::time::Clocks as _;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;
use warp::{Buf, Stream};

use super::Site;
use super::answer::{Refused, json};
use super::command::{read, same_site};
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
    let malformed = |message: String| Refused::with(StatusCode::BAD_REQUEST, ErrorCode::Malformed, message);
    let wish: Wish = protocol::read(&body).map_err(malformed)?;
    if wish.confirm != take.take.as_str() {
        return Err(malformed(format!("field `confirm`: it is not the take's name, {}", take.take)));
    }
    let busy = |message: String| Refused::with(StatusCode::CONFLICT, ErrorCode::Busy, message);
    let rolling = snapshot.take.state == TakeState::Rolling && snapshot.take.take.as_ref() == Some(&take.take);
    if rolling {
        return Err(busy(format!("the take {} is rolling", take.take)));
    }
    let open = |state| matches!(state, DownloadState::Queued | DownloadState::Running);
    if snapshot.downloads.iter().any(|download| download.take == take.take && open(download.state)) {
        return Err(busy(format!("the footage of {} is on its way here", take.take)));
    }
    let (downloads, name, now) = (site.door.downloads.clone(), take.take.clone(), site.clocks.wall());
    let work = tokio::task::spawn_blocking(move || trash::discard(&downloads, &name, now));
    let moved = work.await.map_err(|e| e.to_string()).and_then(|moved| moved);
    let internal = |why| Refused::with(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, why);
    let place = moved.map_err(internal)?;
    tracing::info!("the take {} was deleted here and lies in {} for a week", take.take, place.display());
    Ok(json(StatusCode::OK, &json!({"ok": true, "take": take.take, "trash": place})))
}
