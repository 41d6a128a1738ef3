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

pub mod accounts;
mod clock;
pub mod codec;
mod config;
mod connection;
mod core;
mod door;
mod event;
mod filters;
mod groups;
mod handshake;
mod held;
mod hub;
mod listen;
mod lock;
mod logs;
mod message;
mod outlet;
mod parked;
mod persist;
mod probe;
mod retained;
pub mod rights;
mod router;
mod secure;
mod session;
pub mod topic;
mod watch;
mod websocket;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch as signal};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub use config::{Config, Limits, Tls};
pub use event::Event;

#[doc(hidden)]
pub use listen::Sabotage;

use accounts::{Account, Accounts};
use door::Door;
use hub::Hub;
use listen::{Port, Way};

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
    /// The certificate or its key cannot be used.
    #[error(
        "cannot use the certificate {0}: {1}\n\nhint: both files are PEM, the key is the certificate's, and both can be read"
    )]
    Certificate(PathBuf, String),
    /// The file of retained messages cannot be read.
    #[error("cannot read the retained messages in {0}: {1}\n\nhint: the file must belong to the user that runs this")]
    Retained(PathBuf, #[source] std::io::Error),
}

/// Figures for `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Open connections.
    pub connections: usize,
    /// Client ids in use, by connections and by sessions that wait for their client.
    pub sessions: usize,
    /// Retained messages.
    pub retained: usize,
    /// How often the router or a listener was replaced.
    pub restarts: u64,
    /// How often that was a listener, of any port.
    pub listener_restarts: u64,
}

/// A running broker. Dropped without [`Broker::stop`], it closes its ports and its connections at once.
pub struct Broker {
    hub: Arc<Hub>,
    addr: SocketAddr,
    tls: Option<SocketAddr>,
    websocket: Option<SocketAddr>,
    events: mpsc::Receiver<Event>,
    room: Arc<Semaphore>,
    saver: Option<JoinHandle<()>>,
    sabotage: signal::Sender<Option<Sabotage>>,
}

/// Starts the broker. When this returns, its ports are open.
pub async fn start(config: Config) -> Result<Broker, StartError> {
    let tls = config.tls.as_ref().map(secure::acceptor).transpose()?;
    let (plain, addr) = listen::bind(config.listen).await?;
    let over_tls = listen::bind_some(config.tls.as_ref().map(|t| t.listen)).await?;
    let over_http = listen::bind_some(config.websocket).await?;
    let (tx, events) = mpsc::channel(EVENTS);
    let room = Arc::new(Semaphore::new(config.limits.connections));
    let hub = Hub::start(config, tx).map_err(StartError::Router)?;
    if let Some(path) = &hub.config.retained_file {
        hub.load().map_err(|e| StartError::Retained(path.clone(), e))?;
    }
    let sabotage = signal::Sender::new(None);
    let open = |(listener, addr), way| {
        let (hub, room, sabotage) = (hub.clone(), room.clone(), sabotage.subscribe());
        tokio::spawn(watch::keep_open(Port { hub, addr, way, room, probe: Arc::default(), sabotage }, listener));
        addr
    };
    open((plain, addr), Way::Plain);
    let tls = over_tls.zip(tls).map(|(port, acceptor)| open(port, Way::Tls(acceptor)));
    let websocket = over_http.map(|port| open(port, Way::Websocket));
    let saver = hub.config.retained_file.is_some().then(|| tokio::spawn(save(hub.clone())));
    Ok(Broker { hub, addr, tls, websocket, events, room, saver, sabotage })
}

/// Writes the retained messages now and then.
async fn save(hub: Arc<Hub>) {
    let mut stop = hub.stopping.subscribe();
    let mut version = Some(0);
    loop {
        tokio::select! {
            () = sleep(hub.config.save_every) => {}
            _ = stop.wait_for(|s| *s) => return,
        }
        let saving = hub.clone();
        version = tokio::task::spawn_blocking(move || saving.save(version)).await.unwrap_or(version);
    }
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

    /// Where it listens for TLS, if it does.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// Where it listens for websockets, if it does.
    pub fn websocket_addr(&self) -> Option<SocketAddr> {
        self.websocket
    }

    /// How things stand.
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.hub.config.limits.connections.saturating_sub(self.room.available_permits()),
            sessions: self.hub.owners(),
            retained: self.hub.retained_count(),
            restarts: self.hub.restarts.load(Ordering::Relaxed),
            listener_restarts: self.hub.listener_restarts.load(Ordering::Relaxed),
        }
    }

    /// A way to check passwords that can be given away, to the web page for example.
    pub fn gate(&self) -> Gate {
        Gate { door: self.hub.door.clone(), accounts: self.hub.config.accounts.clone() }
    }

    /// Takes no more connections, lets the open ones take what is on its way (for two seconds at most), keeps the
    /// retained messages, closes.
    pub async fn stop(mut self) {
        self.hub.stop();
        let all = u32::try_from(self.hub.config.limits.connections).unwrap_or(u32::MAX);
        let _ = timeout(GRACE, self.room.acquire_many(all)).await;
        if let Some(saver) = self.saver.take() {
            let _ = saver.await;
        }
        let hub = self.hub.clone();
        let _ = tokio::task::spawn_blocking(move || hub.save(None)).await;
    }

    /// Kills the router by one of rumqttd's own faults, or lets it hang, as a test of what then happens.
    #[doc(hidden)]
    pub fn break_router(&self, hang: bool) {
        self.hub.op(crate::core::Op::Break(hang));
    }

    /// Makes every listener fail, as a test of what then happens.
    #[doc(hidden)]
    pub fn break_listeners(&self, how: Sabotage) {
        self.sabotage.send_replace(Some(how));
    }
}

/// Checks passwords against accounts, as slowly for those who guess as the broker itself does.
#[derive(Clone, Debug)]
pub struct Gate {
    door: Arc<Door>,
    accounts: Accounts,
}

impl Gate {
    /// A gate without a broker, for where another one is used.
    pub fn new(accounts: Accounts) -> Gate {
        Gate { door: Arc::default(), accounts }
    }

    /// Whether there are no accounts at all.
    pub fn is_open(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The account of this name.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// The role behind a name and its password, if they are right.
    pub async fn verify(&self, from: IpAddr, name: &str, password: &[u8]) -> Option<rights::Role> {
        self.door.verify(&self.accounts, from, name, password).await
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.hub.stop();
        self.hub.op(crate::core::Op::Stop);
    }
}
