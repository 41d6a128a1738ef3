//! `GET /nodes/{ip}/preview.jpg`: the newest picture at once, or in words why there is none. Asking is what lets the
//! node send pictures: it stops a few seconds after the last one who asks.

use syncslate_shared::command::ErrorCode;
use syncslate_shared::protocol::NodeState;
use warp::http::header::{self, HeaderName};
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

use super::Site;
use super::answer::{Refused, set};
use super::command;
use super::known;
use crate::lock::Visitor;
use crate::previews::Size;
use crate::snapshot::NodeView;
use crate::viewfinder::Shown;

/// Milliseconds since the picture arrived here.
const AGE: HeaderName = HeaderName::from_static("picture-age-ms");

/// Sends the picture; `query` is what stands behind the address's `?`.
pub(super) fn send(site: &Site, node: &NodeView, query: &str, headers: &HeaderMap) -> Result<Response, Refused> {
    let size = size(query)?;
    let Some(Shown { tag, age, jpeg }) = site.door.viewfinder.look(node.ip, size) else { return Ok(none(node)) };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known == Some(tag.as_str()) {
        let mut response = Response::new(bytes::Bytes::new().into());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(jpeg.into());
        set(response.headers_mut(), header::CONTENT_TYPE, "image/jpeg");
        response
    };
    let headers = response.headers_mut();
    set(headers, header::ETAG, tag);
    set(headers, header::CACHE_CONTROL, "no-store");
    set(headers, AGE, age.as_millis().to_string());
    Ok(response)
}

fn size(query: &str) -> Result<Size, Refused> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    match pairs.iter().find(|(name, _)| name == "width").map(|(_, width)| width.as_str()) {
        None => Ok(Size::Usual),
        Some("native") => Ok(Size::Native),
        Some(_) => Err(command::malformed("`width` is `native`, or left out for a picture that fits a tile")),
    }
}

/// Why there is no picture, and after how many seconds it is worth asking again.
fn none(node: &NodeView) -> Response {
    let fault = node.status.as_ref().and_then(|status| status.fault.as_ref());
    let (retry_s, why) = match node.state {
        NodeState::Offline => (5, "the camera computer is not reachable".to_owned()),
        NodeState::Standby => (5, "the camera is not running".to_owned()),
        NodeState::Fault => {
            (2, fault.map_or_else(|| "the camera has a fault".to_owned(), |fault| fault.message.clone()))
        }
        NodeState::Starting => (1, "the camera is starting".to_owned()),
        NodeState::Armed | NodeState::Rolling => (1, "the first one is on its way".to_owned()),
    };
    let message = format!("no picture: {why}");
    let mut response = Refused::with(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::NotReady, message).json();
    set(response.headers_mut(), header::RETRY_AFTER, retry_s.to_string());
    response
}

/// `POST /api/nodes/{ip}/identify`: the command for this node alone.
pub(super) async fn identify<B: warp::Buf>(
    site: &Site,
    ip: &str,
    visitor: &Visitor,
    headers: &HeaderMap,
    body: impl warp::Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    command::same_site(headers)?;
    command::read(headers, body).await?;
    let ip = known::node(&site.door.snapshot.borrow(), ip)?.ip;
    command::send(site, "identify", visitor, format!("{{\"nodes\":[\"{ip}\"]}}").as_bytes()).await
}
