//! Takes for editors: having them made, how far that is, and the files.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;
use syncslate_export::names::{self, Named};
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use warp::http::{HeaderMap, StatusCode, header};
use warp::reply::Response;
use warp::{Buf, Stream};

use super::Site;
use super::answer::{Refused, json, set};
use super::command::wish;
use super::media::{Sent, serve};
use crate::exports::{Export, Extra, Product, products};
use crate::snapshot::TakeSummary;

/// The contact sheet brings its own style and pictures and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// What `GET /api/takes/{take}/export` tells of each take of the name.
#[derive(Serialize)]
struct Told {
    id: TakeId,
    /// What is being made, or was since the controller started.
    export: Option<Export>,
    /// The finished files, by name.
    files: Vec<Product>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// Of several takes of the name this one, else the newest.
    stamp: Option<Stamp>,
    /// Films of a constant rate as well.
    conform: bool,
    /// Light films for playing all cameras at once as well.
    proxies: bool,
}

/// Answers `GET /api/takes/{take}/export`.
pub(super) async fn told(site: &Site, take: &TakeSummary) -> Response {
    let (downloads, name, ids) = (site.door.downloads.clone(), take.take.clone(), take.ids.clone());
    let exports = site.door.exports.clone();
    let told = move |id: TakeId| Told { export: exports.look(&id), files: products(&downloads, &name, &id), id };
    let work = move || ids.into_iter().map(told).collect::<Vec<_>>();
    json(StatusCode::OK, &json!({"takes": tokio::task::spawn_blocking(work).await.unwrap_or_default()}))
}

/// Answers `POST /api/takes/{take}/export`, and with `cancel` behind it.
pub(super) async fn ask<B: Buf>(
    site: &Site,
    take: &TakeSummary,
    cancel: bool,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    let wanted: Wanted = wish(headers, body).await?;
    let stamp = wanted.stamp.as_ref().map(Stamp::as_str);
    let id = take.stamped(stamp).ok_or_else(|| Refused::not_found("there is no take of that stamp"))?;
    if cancel {
        site.door.exports.cancel(id);
    } else {
        let extra = Extra { conform: wanted.conform, proxies: wanted.proxies };
        site.door.exports.start(&take.take, id, extra);
    }
    Ok(json(StatusCode::OK, &json!({"ok": true, "take": id})))
}

/// Sends `/media/{take}/editor/{file}`.
pub(super) async fn send(folder: &Path, [take, file]: [&str; 2], headers: &HeaderMap) -> Result<Response, Refused> {
    let missing = || Refused::not_found("there is no such file for editors");
    let (take, named) = TakeName::new(take).ok().zip(names::parse(file)).ok_or_else(missing)?;
    let kind = match &named {
        Named::Of(_, product) => product.content_type(),
        Named::Film(..) => "video/mp4",
    };
    let sheet = matches!(named, Named::Of(_, names::Product::Sheet));
    // Films are played by the page, and kept by whoever follows the link with `download`.
    let keep = (!sheet && matches!(named, Named::Of(..))).then_some(file);
    let path = Path::new(take.as_str()).join(names::FOLDER).join(file);
    let mut response = serve(folder, Sent { path: &path, kind, keep }, headers).await.ok_or_else(missing)?;
    if sheet {
        set(response.headers_mut(), header::CONTENT_SECURITY_POLICY, POLICY);
    }
    Ok(response)
}
