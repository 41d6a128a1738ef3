//! The door: accepts connections, as many as allowed, and never waits for one of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info, warn};

use crate::StartError;

use crate::event::Event;
use crate::handshake;
use crate::hub::Hub;
use crate::websocket;

/// What is spoken on a port below MQTT.
#[derive(Clone)]
pub(crate) enum Way {
    Plain,
    Tls(TlsAcceptor),
    Websocket,
}

/// Opens a port; what is in the way is said in words.
pub(crate) async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AddrInUse => StartError::Taken(listen),
        _ => StartError::Listen(listen, e),
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}

/// The same for a port that is not always wanted.
pub(crate) async fn bind_some(listen: Option<SocketAddr>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    match listen {
        Some(listen) => bind(listen).await.map(Some),
        None => Ok(None),
    }
}

/// Accepts until the broker stops. Should accepting itself fail by a fault of ours, it begins again on the same port.
pub(crate) async fn keep_accepting(hub: Arc<Hub>, listener: TcpListener, room: Arc<Semaphore>, way: Way) {
    let listener = Arc::new(listener);
    loop {
        let task = tokio::spawn(accept(hub.clone(), listener.clone(), room.clone(), way.clone()));
        match task.await {
            Err(failed) if failed.is_panic() => {
                error!("accepting connections has failed and begins again");
                let why = "accepting connections had failed".to_owned();
                hub.event(Event::Restarted { why, took: Duration::ZERO });
            }
            _ => return,
        }
    }
}

async fn accept(hub: Arc<Hub>, listener: Arc<TcpListener>, room: Arc<Semaphore>, way: Way) {
    let mut stop = hub.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => a,
            _ = stop.wait_for(|s| *s) => return,
        };
        match accepted {
            Ok((stream, peer)) => greet(&hub, stream, peer, &room, &way),
            Err(error) => {
                // Out of file descriptors, for example: connections that end make room again.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn greet(hub: &Arc<Hub>, stream: TcpStream, peer: SocketAddr, room: &Arc<Semaphore>, way: &Way) {
    let Ok(permit) = room.clone().try_acquire_owned() else {
        warn!(%peer, limit = hub.config.limits.connections, "too many connections, this one is closed");
        return;
    };
    // rumqttd never sets it (server/broker.rs:396), and small packets wait for 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        warn!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let (hub, way) = (hub.clone(), way.clone());
    tokio::spawn(async move {
        // Handshakes are made here, in the connection's own task and in bounded time: rumqttd makes them in its accept
        // loop, where one idle connection blocks everybody (server/broker.rs:403,423).
        let limit = hub.config.limits.connect;
        match way {
            Way::Plain => handshake::serve(hub, stream, peer).await,
            Way::Tls(acceptor) => match timeout(limit, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => Box::pin(handshake::serve(hub, stream, peer)).await,
                Ok(Err(error)) => info!(%peer, %error, "no TLS"),
                Err(_) => info!(%peer, "no TLS handshake in time"),
            },
            Way::Websocket => match timeout(limit, websocket::accept(&hub.config, stream)).await {
                Ok(Ok(stream)) => Box::pin(handshake::serve(hub, stream, peer)).await,
                Ok(Err(error)) => info!(%peer, %error, "no websocket"),
                Err(_) => info!(%peer, "no websocket handshake in time"),
            },
        }
        drop(permit);
    });
}
