//! The sync report of a take, as it lies beside the footage: the page for people, the JSON for programs.

use std::path::Path;

use syncslate_report::names::{self, Form};
use warp::http::{StatusCode, header};
use warp::reply::Response;

use super::answer::{Refused, set, text};
use super::footage::find;
use crate::snapshot::TakeSummary;

/// The page brings its own style and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Sends the report of the take of this name with that stamp, or of the newest one.
pub(super) async fn send(
    folder: &Path,
    take: &TakeSummary,
    stamp: Option<&str>,
    form: Form,
) -> Result<Response, Refused> {
    let id = take.stamped(stamp).ok_or_else(|| none(take))?;
    let path = Path::new(take.take.as_str()).join(names::file(id, form));
    let (path, _) = find(folder, &path).await.ok_or_else(|| none(take))?;
    let bytes = tokio::fs::read(path).await.map_err(|_| none(take))?;
    let kind = match form {
        Form::Json => "application/json",
        Form::Html => "text/html; charset=utf-8",
    };
    let mut response = text(StatusCode::OK, kind, bytes);
    set(response.headers_mut(), header::CONTENT_SECURITY_POLICY, POLICY);
    Ok(response)
}

fn none(take: &TakeSummary) -> Refused {
    Refused::not_found(format!("there is no sync report of {} yet: it is made when its files are here", take.take))
}
