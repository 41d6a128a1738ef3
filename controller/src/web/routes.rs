//! Which address does what: the one table of routes.

use std::net::IpAddr;
use std::sync::Arc;

use syncslate_export::names::FOLDER;
use syncslate_report::names::Form;
use syncslate_shared::time::Clocks as _;
use warp::filters::path::FullPath;
use warp::http::{HeaderMap, Method, StatusCode, header};
use warp::reply::Response;
use warp::{Buf, Reply as _, Stream};

use super::answer::{Refused, json, secured, set, text};
use super::command::malformed;
use super::events::{self, Wanted};
use super::view::{AboutPage, Events, Health, Sought, TakePage};
use super::{
    Site, api, archive, command, custody, export, known, light, live, login, marks, media, metrics, preview, sync, view,
};
use crate::about::memory;
use crate::lock::Visitor;
use crate::room::free;

/// What the programs are made of, as `.ci/dependencies` writes it.
const LICENCES: &str = include_str!("../../assets/licences.txt");

/// A request but for its body.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: FullPath,
    /// What stands behind a `?`; empty without one.
    pub(super) query: String,
    /// Who asks.
    pub(super) from: Option<IpAddr>,
    pub(super) headers: HeaderMap,
}

/// Answers a request; a refusal becomes a page for browsers and JSON for programs.
pub(super) async fn answer<B: Buf>(
    site: Arc<Site>,
    asked: Asked,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Response {
    let outcome = admit(&site, &asked, body).await;
    let refuse = |refused| refusal(&site, asked.path.as_str(), &asked.headers, &refused);
    secured(outcome.unwrap_or_else(refuse))
}

/// The one place where it is decided who may do what.
async fn admit<B: Buf>(
    site: &Arc<Site>,
    asked: &Asked,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    let Asked { method, path, query, from, headers } = asked;
    let path = path.as_str();
    let (reads, changes) = (method == Method::GET || method == Method::HEAD, method == Method::POST);
    if changes && path == "/login" {
        return login::enter(site, *from, headers, body).await;
    }
    let visitor = login::visitor(&site.door.lock, *from, headers, site.clocks.wall()).await;
    let visitor = match visitor {
        Some(visitor) => visitor,
        None if reads && login::is_public(path) => Visitor { name: None, commands: false },
        None => return Err(login::unknown()),
    };
    if changes && path == "/logout" {
        login::leave(headers)
    } else if changes && !visitor.commands {
        Err(Refused::forbidden("this account looks on: it gives no commands"))
    } else if changes {
        post(site, path, &visitor, headers, body).await
    } else if reads {
        // hyper leaves the body out of the answer to HEAD.
        get(site, (path, query), headers, &visitor).await
    } else {
        Err(Refused::method("GET or POST"))
    }
}

async fn get(
    site: &Arc<Site>,
    (path, query): (&str, &str),
    headers: &HeaderMap,
    visitor: &Visitor,
) -> Result<Response, Refused> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let snapshot = Arc::clone(&site.door.snapshot.borrow());
    let now = site.clocks.wall();
    match segments.as_slice() {
        [""] => html(site.pages.operator(visitor, &snapshot, now)?),
        ["slate"] => html(site.pages.slate(visitor, &snapshot, now)?),
        ["login"] => html(site.pages.login("/", "")?),
        ["takes"] => html(site.pages.takes(visitor, &snapshot, &sought(query)?)?),
        ["takes", take] => {
            let take = known::take(&snapshot.takes, take)?;
            let freeable = custody::look(site, vec![take.clone()]).await;
            let marks = marks::look(site, &snapshot, take.take.as_str()).await?;
            let lights = light::found(site, take).await;
            html(site.pages.take(visitor, &snapshot, TakePage::of(take, &snapshot, &freeable, &marks, &lights))?)
        }
        ["takes", take, "play"] => html(site.pages.play(visitor, &snapshot, known::take(&snapshot.takes, take)?)?),
        ["takes", take, "sync", stamp @ ..] if stamp.len() < 2 => {
            sync::send(&site.door.downloads, known::take(&snapshot.takes, take)?, stamp.first().copied(), Form::Html)
                .await
        }
        ["api", "takes", take, "sync", stamp @ ..] if stamp.len() < 2 => {
            sync::send(&site.door.downloads, known::take(&snapshot.takes, take)?, stamp.first().copied(), Form::Json)
                .await
        }
        ["api", "takes", take, "light", stamp @ ..] if stamp.len() < 2 => {
            light::told(site, known::take(&snapshot.takes, take)?, stamp.first().copied()).await
        }
        ["nodes", ip] => html(site.pages.node(visitor, &snapshot, known::node(&snapshot, ip)?)?),
        ["nodes", ip, "preview.jpg"] => preview::send(site, known::node(&snapshot, ip)?, query, headers),
        ["live"] => Ok(live::view(site, Box::new(view::live))),
        ["live", ip] => {
            let ip = known::node(&snapshot, ip)?.ip;
            Ok(live::view(site, Box::new(move |snapshot, assets| view::live_node(snapshot, ip, assets))))
        }
        ["cameras"] => html(site.pages.cameras(visitor, &snapshot)?),
        ["cameras", "live"] => Ok(live::view(site, Box::new(view::cameras_live))),
        ["about"] => {
            let health = Health { broker: site.figures(), memory: memory(), free: free(&site.door.downloads) };
            html(site.pages.about(visitor, &snapshot, AboutPage::of(&site.door.about, health, &snapshot, now))?)
        }
        ["licences.txt"] => Ok(text(StatusCode::OK, "text/plain; charset=utf-8", LICENCES)),
        ["events"] => {
            let wanted = Wanted::read(query)?;
            let (entries, more) = wanted.shown(site)?;
            html(site.pages.events(visitor, &snapshot, Events::of(&entries, more, wanted.node()?, &snapshot))?)
        }
        ["events.jsonl"] => events::file(site, &Wanted::read(query)?),
        ["events.csv"] => events::sheet(site, &Wanted::read(query)?),
        ["api", "events", "log"] => events::log(site, &Wanted::read(query)?),
        ["api", "events", "lines"] => events::lines(site, &Wanted::read(query)?),
        ["api", "state"] => Ok(json(StatusCode::OK, &api::State::of(&snapshot, now))),
        ["api", "takes"] => Ok(json(StatusCode::OK, &api::Library::of(&snapshot))),
        ["api", "takes", take] => Ok(json(StatusCode::OK, known::take(&snapshot.takes, take)?)),
        ["api", "events"] => Ok(live::events(site)),
        ["api", "cleanup"] => Ok(custody::cleanup(site, &snapshot, None).await),
        ["api", "takes", take, "cleanup"] => {
            Ok(custody::cleanup(site, &snapshot, Some(known::take(&snapshot.takes, take)?)).await)
        }
        ["api", word] if is_command(word) => Err(Refused::method("POST")),
        ["api", "nodes", _, "identify"] => Err(Refused::method("POST")),
        ["api", "takes", take, "marks"] => Ok(marks::listed(&marks::look(site, &snapshot, take).await?)),
        ["api", "takes", take, "marks.csv"] => Ok(marks::sheet(&marks::look(site, &snapshot, take).await?, take)),
        ["api", rest @ ..] if custody::is_post(rest) => Err(Refused::method("POST")),
        ["api", "takes", take, "export"] => Ok(export::told(site, known::take(&snapshot.takes, take)?).await),
        ["media", take, FOLDER, file] => export::send(&site.door.downloads, [take, file], headers).await,
        ["media", take, ip, file] => media::send(&site.door.downloads, [take, ip, file], headers).await,
        ["media", file] => {
            let name = archive::wanted(file).ok_or_else(nothing_there)?;
            archive::send(&site.door.downloads, known::take(&snapshot.takes, name.as_str())?, file).await
        }
        ["healthz"] => Ok(text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")),
        ["metrics"] => Ok(text(StatusCode::OK, metrics::TYPE, metrics::text(&snapshot, now, site.figures()))),
        ["assets", hash, name] => site.assets.send(hash, name),
        _ => Err(nothing_there()),
    }
}

async fn post<B: Buf>(
    site: &Site,
    path: &str,
    visitor: &Visitor,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refused> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    if let ["api", rest @ ..] = segments.as_slice()
        && custody::is_post(rest)
    {
        return custody::post(site, rest, visitor, headers, body).await;
    }
    if let ["api", "nodes", ip, "identify"] = segments.as_slice() {
        return preview::identify(site, ip, visitor, headers, body).await;
    }
    if let ["api", "takes", take, "export", cancel @ ..] = segments.as_slice()
        && matches!(cancel, [] | ["cancel"])
    {
        let snapshot = Arc::clone(&site.door.snapshot.borrow());
        return export::ask(site, known::take(&snapshot.takes, take)?, !cancel.is_empty(), headers, body).await;
    }
    match path.strip_prefix("/api/") {
        Some(word) if is_command(word) => command::obey(site, word, visitor, headers, body).await,
        Some("state" | "takes" | "events" | "cleanup") => Err(Refused::method("GET")),
        _ => Err(nothing_there()),
    }
}

/// The words that are commands by MQTT too.
fn is_command(word: &str) -> bool {
    matches!(word, "start" | "stop" | "mark" | "download" | "camera" | "shutdown" | "reboot" | "identify")
}

fn html(page: String) -> Result<Response, Refused> {
    Ok(text(StatusCode::OK, "text/html; charset=utf-8", page))
}

fn nothing_there() -> Refused {
    Refused::not_found("there is nothing at this address")
}

fn sought(query: &str) -> Result<Sought, Refused> {
    let wrong = |e| malformed(format!("the address has `name` and `page` alone behind its `?`: {e}"));
    serde_urlencoded::from_str(query).map_err(wrong)
}

fn refusal(site: &Site, path: &str, headers: &HeaderMap, refused: &Refused) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let browser = accepts.contains("text/html") && !path.starts_with("/api/");
    let page = match refused.status {
        StatusCode::UNAUTHORIZED => site.pages.login(path, ""),
        _ => site.pages.refused(refused),
    };
    let mut response = match page {
        Ok(page) if browser => text(refused.status, "text/html; charset=utf-8", page).into_response(),
        _ => refused.json(),
    };
    if refused.status == StatusCode::METHOD_NOT_ALLOWED {
        let allow = if refused.message.ends_with("POST") { "POST" } else { "GET, HEAD" };
        set(response.headers_mut(), header::ALLOW, allow);
    }
    response
}
