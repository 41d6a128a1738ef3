//! Who is asking: a session's cookie, or for programs a name and password by HTTP Basic (RFC 7617).

use std::net::IpAddr;

use headers::authorization::Basic;
use headers::{Authorization, Cookie, HeaderMapExt as _};
use serde::Deserialize;
use syncslate_shared::protocol::Level;
use syncslate_shared::time::{Clocks as _, Wall};
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::Response;
use warp::{Buf, Stream};

use super::Site;
use super::answer::{Refused, text};
use super::command::{body, malformed, same_origin};
use crate::chronicle::{Happening, Kind};
use crate::lock::{Lock, SESSION, Visitor};

const COOKIE: &str = "syncslate";
/// A name, a password and an address.
const LONGEST: usize = 8 * 1024;

/// What can be seen by everybody, so that there is a page to log in by.
pub(super) fn is_public(path: &str) -> bool {
    path == "/login" || path == "/healthz" || path.starts_with("/assets/")
}

/// Who asks; `None` when that is nobody we know.
pub(super) async fn visitor(lock: &Lock, from: Option<IpAddr>, headers: &HeaderMap, now: Wall) -> Option<Visitor> {
    if lock.is_open() {
        return Some(Visitor::anybody());
    }
    let cookies = headers.typed_get::<Cookie>();
    if let Some(visitor) = cookies.and_then(|cookies| lock.visitor(cookies.get(COOKIE)?, now)) {
        return Some(visitor);
    }
    let basic = headers.typed_get::<Authorization<Basic>>()?;
    lock.enter(from?, basic.username(), basic.password()).await
}

/// For programs that nobody knows.
pub(super) fn unknown() -> Refused {
    Refused::unauthorized("this needs an account: log in at /login, or send its name and password by HTTP Basic")
}

#[derive(Deserialize)]
struct Form {
    name: String,
    password: String,
    /// Where the visitor wanted to go.
    #[serde(default)]
    next: String,
}

/// `POST /login`: the form of the login page.
pub(super) async fn enter<B: Buf>(
    site: &Site,
    from: Option<IpAddr>,
    headers: &HeaderMap,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    same_origin(headers)?;
    let bytes = body(headers, stream, LONGEST).await?;
    let form: Form = serde_urlencoded::from_bytes(&bytes)
        .map_err(|e| malformed(format!("the form has the fields name, password and next: {e}")))?;
    let next = if is_local(&form.next) { form.next.as_str() } else { "/" };
    let visitor = match from {
        Some(ip) => site.door.lock.enter(ip, &form.name, &form.password).await,
        None => None,
    };
    if visitor.is_none() {
        let from = from.map(|ip| ip.to_string());
        tracing::warn!(name = form.name, from, "a login to the page failed");
        // Without the name that was typed: it may be a password in the wrong field.
        let told = format!("a login to the page from {} failed", from.as_deref().unwrap_or("an unknown address"));
        site.door.logbook.add(site.clocks.wall(), Happening::new(Level::Warning, Kind::Login, told));
        let page = site.pages.login(next, "This name and password do not belong to an account for the page.")?;
        return Ok(text(StatusCode::UNAUTHORIZED, "text/html; charset=utf-8", page));
    }
    let session = site.door.lock.session(&form.name, site.clocks.wall());
    Ok(see_other(
        next,
        &format!("{COOKIE}={session}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict", SESSION.as_secs()),
    ))
}

/// `POST /logout`.
pub(super) fn leave(headers: &HeaderMap) -> Result<Response, Refused> {
    same_origin(headers)?;
    Ok(see_other("/", &format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")))
}

fn see_other(next: &str, cookie: &str) -> Response {
    let mut response = text(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    for (name, value) in [(header::LOCATION, next), (header::SET_COOKIE, cookie)] {
        // Both are made of characters that a header can hold.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A path on this very site: `//host` and `/\host` lead elsewhere.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next.starts_with("//") && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_this_site_alone() {
        for local in ["/", "/takes", "/takes/A01"] {
            assert!(is_local(local), "{local}");
        }
        for foreign in ["", "takes", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nX: y"] {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
