//! Answers: JSON, pages, refusals in their one shape, and the headers that all of them bear.

use serde::Serialize;
use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::protocol;
use warp::http::header::{self, HeaderName, HeaderValue};
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

/// Why a request is not answered as it was meant: a status, and a word and a sentence in the contract's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    code: &'static str,
    pub(super) message: String,
}

#[derive(Serialize)]
struct Shape<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
}

impl Refused {
    /// With a status of its own, where the code alone does not tell it.
    pub(super) fn with(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, code: code.as_str(), message: message.into() }
    }

    /// There is nothing at this address.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "not_found", message: message.into() }
    }

    /// Something is there, but it is asked for in another way.
    pub(super) fn method(allowed: &str) -> Self {
        let message = format!("this address is asked by {allowed}");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, code: "method_not_allowed", message }
    }

    /// Nobody we know asks.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, code: "unauthorized", message: message.into() }
    }

    /// A page of another site asks, or somebody who may only look.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code: "forbidden", message: message.into() }
    }

    /// For programs.
    pub(super) fn json(&self) -> Response {
        json(self.status, &Shape { error: Body { code: self.code, message: &self.message } })
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::with(status(refusal.code), refusal.code, refusal.message)
    }
}

/// The HTTP status of a refusal.
pub(super) fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Malformed | ErrorCode::Retained | ErrorCode::InvalidTakeName => StatusCode::BAD_REQUEST,
        ErrorCode::UnknownTake => StatusCode::NOT_FOUND,
        ErrorCode::AlreadyRolling | ErrorCode::NotRolling | ErrorCode::TooLate | ErrorCode::Busy => {
            StatusCode::CONFLICT
        }
        ErrorCode::NoNodes | ErrorCode::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A JSON answer, never to be kept by a cache.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    text(status, "application/json", protocol::write(value))
}

/// An answer of some text type, never to be kept by a cache.
pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<warp::hyper::body::Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    set(response.headers_mut(), header::CONTENT_TYPE, kind);
    set(response.headers_mut(), header::CACHE_CONTROL, "no-store");
    response
}

/// Sets a header whose value may come from elsewhere; what no header can hold is left out.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: impl AsRef<str>) {
    if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
        headers.insert(name, value);
    }
}

/// What every answer bears: nothing from elsewhere is loaded, nobody may frame the page or guess a file's type. Without
/// any referrer browsers would also say nothing of where a form comes from, and the login wants to know.
pub(super) fn secured(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in HEADERS {
        // The sync report has a policy of its own, a stricter one.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
