//! The MQTT broker inside the controller: rumqttd behind a guard.
//!
//! The guard speaks MQTT 3.1.1 and 5 on one port, owns sessions, last wills and retained messages, and lets nothing
//! unsound through to rumqttd, which routes. See `design/broker.md`.
//!
//! ```no_run
//! # async fn example() -> Result<(), syncslate_broker::StartError> {
//! let config = syncslate_broker::Config::new(([127, 0, 0, 1], 0).into());
//! let broker = syncslate_broker::start(config).await?;
//! let address = broker.addr();
//! broker.stop().await;
//! # Ok(()) }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod clock;
pub mod codec;
mod config;
mod connection;
mod core;
mod event;
mod filters;
mod hub;
mod listen;
mod message;
mod outlet;
mod parked;
mod retained;
mod router;
mod session;
pub mod topic;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

pub use config::{Config, Limits};
pub use event::Event;

use hub::Hub;

/// Events that wait for the controller.
const EVENTS: usize = 1024;
/// Time for clients to take what is still to be sent when the broker stops.
const GRACE: Duration = Duration::from_secs(2);

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Somebody else has the port.
    #[error(
        "cannot listen for MQTT on {0}: address already in use\n\nhint: another broker (mosquitto?) is running; stop it, \
         or choose another port with --mqtt"
    )]
    Taken(SocketAddr),
    /// The port cannot be opened for another reason.
    #[error("cannot listen for MQTT on {0}: {1}\n\nhint: the address must be one of this machine's")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The router cannot be started.
    #[error("cannot start the broker's router: {0}\n\nhint: the machine may be out of memory or threads")]
    Router(#[source] std::io::Error),
}

/// A running broker. Dropped without [`Broker::stop`], it closes its port and its connections at once.
pub struct Broker {
    hub: Arc<Hub>,
    addr: SocketAddr,
    events: mpsc::Receiver<Event>,
    room: Arc<Semaphore>,
}

/// Starts the broker. When this returns, its port is open.
pub async fn start(config: Config) -> Result<Broker, StartError> {
    let listener = listen::bind(config.listen).await?;
    let addr = listener.local_addr().map_err(|e| StartError::Listen(config.listen, e))?;
    let (tx, events) = mpsc::channel(EVENTS);
    let room = Arc::new(Semaphore::new(config.limits.connections));
    let hub = Hub::start(config, tx).map_err(StartError::Router)?;
    tokio::spawn(listen::accept(hub.clone(), listener, room.clone()));
    Ok(Broker { hub, addr, events, room })
}

impl Broker {
    /// Where it listens; the port is never 0.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What the controller should know, as it happens.
    pub fn events(&mut self) -> &mut mpsc::Receiver<Event> {
        &mut self.events
    }

    /// Takes no more connections, lets the open ones take what is on its way (for two seconds at most), closes.
    pub async fn stop(self) {
        self.hub.stopping.send_replace(true);
        let all = u32::try_from(self.hub.config.limits.connections).unwrap_or(u32::MAX);
        let _ = timeout(GRACE, self.room.acquire_many(all)).await;
    }

    /// Kills the router by one of rumqttd's own faults, as a test of what then happens.
    #[doc(hidden)]
    pub fn break_router(&self) {
        connection::break_router(&self.hub);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.hub.stopping.send_replace(true);
        self.hub.op(crate::core::Op::Stop);
    }
}
