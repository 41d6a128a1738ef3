//! The door: accepts connections, as many as allowed, and never waits for one of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::StartError;
use crate::handshake;
use crate::hub::Hub;
use crate::probe::{self, Probe};
use crate::websocket;

/// What is spoken on a port below MQTT.
#[derive(Clone)]
pub(crate) enum Way {
    Plain,
    Tls(TlsAcceptor),
    Websocket,
}

impl Way {
    fn name(&self) -> &'static str {
        match self {
            Way::Plain => "MQTT",
            Way::Tls(_) => "MQTT over TLS",
            Way::Websocket => "MQTT over websockets",
        }
    }
}

/// How a listener can be made to fail, to show that it does not matter.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Its task ends.
    Die,
    /// Its task waits for ever.
    Hang,
    /// Its task keeps its thread for two seconds.
    Block,
    /// Its socket is no longer listened on.
    Close,
}

/// One port: all that is needed to accept on it, and to begin again.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) hub: Arc<Hub>,
    pub(crate) addr: SocketAddr,
    pub(crate) way: Way,
    /// A permit for each connection that may be open.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) sabotage: watch::Receiver<Option<Sabotage>>,
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.way.name(), self.addr)
    }
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

/// Accepts until the broker stops.
pub(crate) async fn accept(mut port: Port, listener: Arc<TcpListener>) {
    let mut stop = port.hub.stopping.subscribe();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => Some(a),
            _ = stop.wait_for(|s| *s) => return,
            Ok(()) = port.sabotage.changed() => None,
        };
        match accepted {
            None => {
                if port.suffer(&listener).await {
                    return;
                }
            }
            Some(Ok((stream, peer))) => {
                failing = false;
                port.greet(stream, peer);
            }
            Some(Err(error)) => {
                // Out of file descriptors, for example: connections that end make room again.
                if !std::mem::replace(&mut failing, true) {
                    warn!(%port, %error, "cannot accept a connection, trying again");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Port {
    fn greet(&self, stream: TcpStream, peer: SocketAddr) {
        if self.probe.expects(peer) {
            tokio::spawn(probe::answer(stream));
            return;
        }
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            warn!(%peer, limit = self.hub.config.limits.connections, "too many connections, this one is closed");
            return;
        };
        // rumqttd never sets it (server/broker.rs:396), and small packets wait for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let (hub, way) = (self.hub.clone(), self.way.clone());
        tokio::spawn(async move {
            serve(hub, way, stream, peer).await;
            drop(permit);
        });
    }

    /// Does what a test asks for. True: the task is to end.
    async fn suffer(&mut self, listener: &TcpListener) -> bool {
        let sabotage = *self.sabotage.borrow_and_update();
        match sabotage {
            Some(Sabotage::Die) => return true,
            Some(Sabotage::Hang) => std::future::pending().await,
            Some(Sabotage::Block) => std::thread::sleep(Duration::from_secs(2)),
            Some(Sabotage::Close) => {
                use std::os::fd::AsFd;
                if let Ok(same) = listener.as_fd().try_clone_to_owned() {
                    let _ = std::net::TcpStream::from(same).shutdown(std::net::Shutdown::Both);
                }
            }
            None => {}
        }
        false
    }
}

/// Handshakes are made here, in the connection's own task and in bounded time: rumqttd makes them in its accept loop,
/// where one idle connection blocks everybody (`server/broker.rs:403,423`).
async fn serve(hub: Arc<Hub>, way: Way, stream: TcpStream, peer: SocketAddr) {
    let limit = hub.config.limits.connect;
    match way {
        Way::Plain => handshake::serve(hub, stream, peer).await,
        Way::Tls(acceptor) => match timeout(limit, Box::pin(acceptor.accept(stream))).await {
            Ok(Ok(stream)) => handshake::serve(hub, stream, peer).await,
            Ok(Err(error)) => info!(%peer, %error, "no TLS"),
            Err(_) => info!(%peer, "no TLS handshake in time"),
        },
        Way::Websocket => match timeout(limit, Box::pin(websocket::accept(&hub.config, stream))).await {
            Ok(Ok(stream)) => handshake::serve(hub, stream, peer).await,
            Ok(Err(error)) => info!(%peer, %error, "no websocket"),
            Err(_) => info!(%peer, "no websocket handshake in time"),
        },
    }
}
