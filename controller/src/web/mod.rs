//! The web door: the operator's page, the HTTP interface, footage by range, metrics.
//!
//! It owns nothing of the shoot. Everything it shows comes from the newest [`Snapshot`](crate::snapshot::Snapshot),
//! every wish leaves as a [`Request`](crate::door::Request) and is answered by the loop that owns the state.
//! Reading order: `routes` says which address does what, `api` and `view` (both pure) make the data that
//! programs and people get, `live` keeps both up to date.

mod answer;
mod api;
mod archive;
mod assets;
mod command;
mod custody;
mod discard;
mod events;
mod export;
mod footage;
mod format;
mod known;
mod light;
mod live;
mod login;
mod marks;
mod media;
mod metrics;
mod pages;
mod preview;
mod range;
mod routes;
mod sync;
mod tar;
mod view;
mod zip;

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use syncslate_shared::report::Failure;
use syncslate_shared::time::SystemClocks;
use tokio::net::TcpListener;
use tokio::sync::watch;
use warp::Filter as _;

use crate::door::Door;
use crate::embedded::Figures;

/// How long open connections may go on after the shutdown was asked for.
const GRACE: Duration = Duration::from_secs(2);

/// What every request is answered from.
#[derive(Debug)]
struct Site {
    door: Door,
    pages: pages::Pages,
    assets: assets::Assets,
    /// The shared clock, by which the page counts take time: a snapshot may be seconds old when it is sent.
    clocks: SystemClocks,
    /// Which take is searched for the slate.
    search: light::Search,
    /// Becomes true at the shutdown: the endless streams end themselves, else no connection would ever close.
    closing: watch::Receiver<bool>,
}

impl Site {
    /// How the embedded broker is, where there is one.
    fn figures(&self) -> Option<Figures> {
        self.door.broker.as_ref().map(|figures| *figures.borrow())
    }
}

/// Binds `listen` and gives the address that was bound (port 0 is any free one) and the server itself, which runs as
/// long as it is polled, until `shutdown` comes and open connections have ended or the grace period is over.
///
/// # Errors
/// The address cannot be listened on, with a hint.
pub async fn serve(
    listen: SocketAddr,
    door: Door,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(SocketAddr, impl Future<Output = ()> + Send), Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|e| cannot_listen(listen, &e))?;
    let bound = listener.local_addr().map_err(|e| cannot_listen(listen, &e))?;
    let assets = assets::Assets::embedded();
    let pages = pages::Pages::embedded(assets.hash())?;
    let (close, closing) = watch::channel(false);
    let site = Arc::new(Site {
        door,
        pages,
        assets,
        clocks: SystemClocks,
        search: light::Search::default(),
        closing: closing.clone(),
    });

    let routes = warp::method()
        .and(warp::path::full())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::addr::remote())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, path, query, from: Option<SocketAddr>, headers, body| {
            let asked = routes::Asked { method, path, query, from: from.map(|peer| peer.ip()), headers };
            routes::answer(Arc::clone(&site), asked, body)
        });
    let server = warp::serve(routes).incoming(listener).graceful(async move {
        shutdown.await;
        let _ = close.send(true);
    });
    let bounded = async move {
        tokio::select! {
            () = server.run() => {}
            () = over(closing) => {}
        }
    };
    Ok((bound, bounded))
}

/// The end of the grace period.
async fn over(mut closing: watch::Receiver<bool>) {
    // An error means that the server has dropped its end: it has shut down already.
    let _ = closing.wait_for(|closing| *closing).await;
    tokio::time::sleep(GRACE).await;
}

fn cannot_listen(listen: SocketAddr, error: &std::io::Error) -> Failure {
    let (why, hint) = match error.kind() {
        ErrorKind::AddrInUse => (
            format!("port {} is taken", listen.port()),
            "stop the other program (perhaps another syncslate-controller), or choose another address by `--http`",
        ),
        ErrorKind::AddrNotAvailable => (
            "this machine does not have that address".to_owned(),
            "`ip addr` lists the addresses of this machine; 0.0.0.0 stands for all of them",
        ),
        ErrorKind::PermissionDenied => {
            (error.to_string(), "ports below 1024 are for root alone: choose a higher one by `--http`")
        }
        _ => (error.to_string(), "choose another address by `--http`"),
    };
    Failure::new(format!("cannot serve the page on {listen}: {why}")).hint(hint)
}
