//! The door: accepts connections, as many as allowed, and never waits for one of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::StartError;
use crate::connection;
use crate::hub::Hub;

/// Opens a port; what is in the way is said in words.
pub(crate) async fn bind(listen: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(listen).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => StartError::Taken(listen),
        _ => StartError::Listen(listen, e),
    })
}

/// Accepts until the broker stops.
pub(crate) async fn accept(hub: Arc<Hub>, listener: TcpListener, room: Arc<Semaphore>) {
    let mut stop = hub.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => a,
            _ = stop.wait_for(|s| *s) => return,
        };
        match accepted {
            Ok((stream, peer)) => greet(&hub, stream, peer, &room),
            Err(error) => {
                // Out of file descriptors, for example: connections that end make room again.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn greet(hub: &Arc<Hub>, stream: TcpStream, peer: SocketAddr, room: &Arc<Semaphore>) {
    let Ok(permit) = room.clone().try_acquire_owned() else {
        warn!(%peer, limit = hub.config.limits.connections, "too many connections, this one is closed");
        return;
    };
    // rumqttd never sets it (server/broker.rs:396), and small packets wait for 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        warn!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let hub = hub.clone();
    tokio::spawn(async move {
        connection::serve(hub, stream, peer.to_string()).await;
        drop(permit);
    });
}
