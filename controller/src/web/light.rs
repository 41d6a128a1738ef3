//! The addresses of light: having a take's footage searched for the slate, and what came of it.
//!
//! A search takes minutes, so it runs beside the page: POST starts it, GET says whether it runs and what the last one
//! found. Only one take is searched at a time, and cameras one after another: the machine has other things to do.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;
use syncslate_report::folder;
use syncslate_shared::command::ErrorCode;
use syncslate_shared::take::{Stamp, TakeId};
use syncslate_shared::time::Clocks as _;
use syncslate_slate::model::Light;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;
use warp::{Buf, Stream};

use super::Site;
use super::answer::{Refused, json};
use super::command::wish;
use super::discard::at_rest;
use crate::snapshot::{Snapshot, TakeSummary};
use crate::verify::{Scope, verify};

/// Which take is being searched, and what became of the last one that was; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Search(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    running: Option<TakeId>,
    /// Why the last search came to nothing.
    failed: Option<(TakeId, String)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    /// Of several takes of that name only this one; without it the newest.
    stamp: Option<Stamp>,
    /// The whole take, not only its first and last minute.
    all: bool,
}

#[derive(Serialize)]
struct Outcome {
    /// Whether this take is being searched now.
    running: bool,
    /// Why the last search of it came to nothing.
    problem: Option<String>,
    /// What the last search found.
    light: Option<Light>,
}

impl Search {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the only place; gives the take that has it when it is taken.
    fn begin(&self, id: &TakeId) -> Result<(), TakeId> {
        self.with(|state| match &state.running {
            Some(running) => Err(running.clone()),
            None => {
                (state.running, state.failed) = (Some(id.clone()), None);
                Ok(())
            }
        })
    }

    fn end(&self, id: &TakeId, problem: Option<String>) {
        self.with(|state| (state.running, state.failed) = (None, problem.map(|problem| (id.clone(), problem))));
    }
}

/// `POST /api/takes/{take}/verify`: begins to search the take.
pub(super) async fn begin<B: Buf>(
    site: &Site,
    snapshot: &Snapshot,
    take: &TakeSummary,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    let wish: Wish = wish(headers, body).await?;
    let id = meant(take, wish.stamp.as_ref().map(Stamp::as_str))?.clone();
    at_rest(snapshot, take)?;
    site.search.begin(&id).map_err(|running| {
        let why = format!("the footage of {running} is being searched for the slate: one take at a time");
        Refused::with(StatusCode::CONFLICT, ErrorCode::Busy, why)
    })?;
    let (search, limits, now) = (site.search.clone(), site.door.limits, site.clocks.wall());
    let folder = site.door.downloads.join(take.take.as_str());
    let scope = Scope { window_s: (!wish.all).then_some(Scope::USUAL_S), parallel: 1 };
    let answer = json(StatusCode::ACCEPTED, &json!({"ok": true, "take": id}));
    tokio::spawn(async move {
        let outcome = verify(&folder, &id, scope, &limits, now).await;
        match &outcome {
            Ok(light) => tracing::info!("light of {id}: {}: {}", light.verdict.word(), light.summary),
            Err(why) => tracing::warn!("the footage of {id} cannot be searched for the slate: {why}"),
        }
        search.end(&id, outcome.err().map(|why| why.to_string()));
    });
    Ok(answer)
}

/// `GET /api/takes/{take}/light`, and with a stamp.
pub(super) async fn told(site: &Site, take: &TakeSummary, stamp: Option<&str>) -> Result<Response, Refused> {
    let id = meant(take, stamp)?.clone();
    let (running, problem) = site.search.with(|state| {
        let failed = state.failed.as_ref().filter(|(failed, _)| *failed == id);
        (state.running.as_ref() == Some(&id), failed.map(|(_, why)| why.clone()))
    });
    let light = found(site, take).await.into_iter().find(|light| light.id == id);
    Ok(json(StatusCode::OK, &Outcome { running, problem, light }))
}

/// What light said of the takes of a name.
pub(super) async fn found(site: &Site, take: &TakeSummary) -> Vec<Light> {
    let (folder, ids) = (site.door.downloads.join(take.take.as_str()), take.ids.clone());
    let work = move || ids.iter().filter_map(|id| folder::read_light(&folder, id)).collect();
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

fn meant<'a>(take: &'a TakeSummary, stamp: Option<&str>) -> Result<&'a TakeId, Refused> {
    take.stamped(stamp).ok_or_else(|| Refused::not_found(format!("there is no take {} of that time here", take.take)))
}
