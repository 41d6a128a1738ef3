//! Commands by POST: the same words and bodies as by MQTT, through the same path, answered with the same JSON.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use syncslate_shared::command::{Command, ErrorCode, MAX_COMMAND};
use syncslate_shared::protocol;
use tokio::sync::oneshot;
use warp::http::{HeaderMap, StatusCode, header};
use warp::reply::Response;
use warp::{Buf, Stream};

use super::Site;
use super::answer::{Refused, json, status};
use crate::door::Request;
use crate::lock::Visitor;

/// The controller answers at once, or when the nodes have, which get 15 s; only one that hangs needs longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Passes the command `word` on and gives its answer.
pub(super) async fn obey<B: Buf>(
    site: &Site,
    word: &str,
    visitor: &Visitor,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    same_site(headers)?;
    send(site, word, visitor, &read(headers, body).await?).await
}

/// Passes a command on that was read already.
pub(super) async fn send(site: &Site, word: &str, visitor: &Visitor, body: &[u8]) -> Result<Response, Refused> {
    let (answer, answered) = oneshot::channel();
    let request = Request { command: Command::read(word, body), who: visitor.name.clone(), answer };
    let gone = || internal("the controller is stopping and takes no more commands");
    let answered = async {
        site.door.requests.send(request).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    };
    let result = tokio::time::timeout(PATIENCE, answered)
        .await
        .map_err(|_| internal("the controller did not answer within 20 s; its log says more"))??;
    let status = result.error.as_ref().map_or(StatusCode::OK, |refusal| status(refusal.code));
    Ok(json(status, &result))
}

fn internal(message: &str) -> Refused {
    Refused::with(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, message)
}

/// A page of another site must not start a take behind the operator's back: browsers say where a POST comes from,
/// and a form of another site cannot send JSON.
pub(super) fn same_site(headers: &HeaderMap) -> Result<(), Refused> {
    same_origin(headers)?;
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        let kind = kind.to_str().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(unsupported());
        }
    }
    Ok(())
}

/// Refuses what a page of another site sends.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), Refused> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(origin) = text(header::ORIGIN) {
        let from = origin.split_once("://").map(|(_, host)| host);
        if from.is_none() || from != text(header::HOST) {
            return Err(Refused::forbidden("a page of another site may not send commands"));
        }
    }
    Ok(())
}

fn unsupported() -> Refused {
    let message = "the body is JSON: send it with the header `Content-Type: application/json`";
    Refused::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::Malformed, message)
}

/// The body: empty or a JSON object, of at most [`MAX_COMMAND`] bytes.
pub(super) async fn read<B: Buf>(
    headers: &HeaderMap,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Vec<u8>, Refused> {
    let bytes = body(headers, stream, MAX_COMMAND).await?.trim_ascii().to_vec();
    if !bytes.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
        return Err(unsupported());
    }
    // By MQTT plain text is a take's name or a note; here it would be a typing error in JSON.
    if !bytes.is_empty() && !bytes.starts_with(b"{") {
        return Err(malformed("the body is a JSON object such as {\"take\":\"A01\"}"));
    }
    Ok(bytes)
}

/// A wish that this site's own page sends; an empty body wishes what is usual.
pub(super) async fn wish<T: DeserializeOwned + Default, B: Buf>(
    headers: &HeaderMap,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<T, Refused> {
    same_site(headers)?;
    let body = read(headers, stream).await?;
    if body.is_empty() { Ok(T::default()) } else { protocol::read(&body).map_err(malformed) }
}

/// The body, of at most `longest` bytes.
pub(super) async fn body<B: Buf>(
    headers: &HeaderMap,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
    longest: usize,
) -> Result<Vec<u8>, Refused> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > longest as u64) {
        return Err(too_large(longest));
    }
    let mut body = pin!(stream);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.map_err(|_| malformed("the body ended before its end"))?;
        while chunk.has_remaining() {
            let part = chunk.chunk();
            bytes.extend_from_slice(part);
            let length = part.len();
            chunk.advance(length);
        }
        if bytes.len() > longest {
            return Err(too_large(longest));
        }
    }
    Ok(bytes)
}

/// What was sent cannot be read, or contradicts itself.
pub(super) fn malformed(message: impl Into<String>) -> Refused {
    Refused::with(StatusCode::BAD_REQUEST, ErrorCode::Malformed, message)
}

fn too_large(longest: usize) -> Refused {
    let message = format!("the body is longer than {longest} bytes");
    Refused::with(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::Malformed, message)
}
