//! Styles, scripts and the icon, embedded in the binary. Their address bears a hash of all of them, so that a browser
//! may keep them for ever and still never mixes two versions.

use sha2::{Digest as _, Sha256};
use warp::http::{StatusCode, header};
use warp::reply::Response;

use super::answer::{Refused, set, text};

macro_rules! asset {
    ($name:literal, $kind:literal) => {
        ($name, $kind, include_str!(concat!("../../assets/", $name)))
    };
}

const FILES: [(&str, &str, &str); 36] = [
    asset!("style.css", "text/css; charset=utf-8"),
    asset!("light.css", "text/css; charset=utf-8"),
    asset!("contrast.css", "text/css; charset=utf-8"),
    asset!("theme.js", "text/javascript; charset=utf-8"),
    asset!("about.js", "text/javascript; charset=utf-8"),
    asset!("cameras.css", "text/css; charset=utf-8"),
    asset!("page.js", "text/javascript; charset=utf-8"),
    asset!("cameras.js", "text/javascript; charset=utf-8"),
    asset!("live.js", "text/javascript; charset=utf-8"),
    asset!("bind.js", "text/javascript; charset=utf-8"),
    asset!("clock.js", "text/javascript; charset=utf-8"),
    asset!("controls.js", "text/javascript; charset=utf-8"),
    asset!("marking.js", "text/javascript; charset=utf-8"),
    asset!("marks.js", "text/javascript; charset=utf-8"),
    asset!("events.js", "text/javascript; charset=utf-8"),
    asset!("awake.js", "text/javascript; charset=utf-8"),
    asset!("cues.js", "text/javascript; charset=utf-8"),
    asset!("kept.js", "text/javascript; charset=utf-8"),
    asset!("confirm.js", "text/javascript; charset=utf-8"),
    asset!("keeping.js", "text/javascript; charset=utf-8"),
    asset!("names.js", "text/javascript; charset=utf-8"),
    asset!("previews.js", "text/javascript; charset=utf-8"),
    asset!("picture.js", "text/javascript; charset=utf-8"),
    asset!("node.js", "text/javascript; charset=utf-8"),
    asset!("light.js", "text/javascript; charset=utf-8"),
    asset!("slate.css", "text/css; charset=utf-8"),
    asset!("slate.js", "text/javascript; charset=utf-8"),
    asset!("slatecode.js", "text/javascript; charset=utf-8"),
    asset!("slatetable.js", "text/javascript; charset=utf-8"),
    asset!("verify.js", "text/javascript; charset=utf-8"),
    asset!("post.js", "text/javascript; charset=utf-8"),
    asset!("editor.css", "text/css; charset=utf-8"),
    asset!("editor.js", "text/javascript; charset=utf-8"),
    asset!("play.js", "text/javascript; charset=utf-8"),
    asset!("texts.js", "text/javascript; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
];

/// The embedded files.
#[derive(Debug)]
pub(super) struct Assets {
    hash: String,
}

impl Assets {
    /// All of them, hashed.
    pub(super) fn embedded() -> Self {
        let mut hasher = Sha256::new();
        for (name, _, body) in FILES {
            hasher.update(name);
            hasher.update(body);
        }
        Self { hash: hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect() }
    }

    /// The hash in their addresses.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// The file `name`, when `hash` is of this version.
    pub(super) fn send(&self, hash: &str, name: &str) -> Result<Response, Refused> {
        let (_, kind, body) = FILES
            .into_iter()
            .find(|(file, ..)| *file == name && hash == self.hash)
            .ok_or_else(|| Refused::not_found("there is no such file in this version"))?;
        let mut response = text(StatusCode::OK, kind, body);
        set(response.headers_mut(), header::CACHE_CONTROL, "public, max-age=31536000, immutable");
        Ok(response)
    }
}
