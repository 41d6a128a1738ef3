//! The broker inside the controller, as the loop sees it: where it is, how one gets in, what it had to say.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use syncslate_broker::accounts::{Account, Accounts, hash};
use syncslate_broker::rights::{Role, Wish};
use syncslate_broker::{Broker, Config, Event, Gate, StartError, Stats};
use syncslate_shared::access::{Access, Login};
use syncslate_shared::report::Failure;
use syncslate_shared::settings::BrokerAddress;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::accounts::OWN;
use crate::secret;
use crate::settings::Ports;

/// How often its figures are read.
const LOOK: Duration = Duration::from_secs(1);
/// Lines about one kind of trouble in a minute; a client that floods us does not flood the log.
const LINES: u32 = 10;
const MINUTE: u32 = 60;

/// What the broker needs of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Where it listens.
    pub ports: &'a Ports,
    /// Who may come in.
    pub accounts: &'a Accounts,
    /// Put before every topic; empty for none.
    pub prefix: &'a str,
    /// The folder for what it remembers.
    pub state: &'a Path,
}

/// What the loop should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A command with the retain flag was turned away: topic without the prefix, payload.
    Retained(String, Bytes),
    /// Something the operator should see.
    Notice(String),
}

/// Figures for `/metrics`, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// As the broker counts.
    pub stats: Option<Stats>,
    /// Publishes and subscriptions that an account may not do.
    pub denied: u64,
    /// Clients that were not let in.
    pub refused: u64,
    /// Times that a client did not keep up.
    pub slow: u64,
}

/// The broker that runs.
#[derive(Debug)]
pub struct Embedded {
    address: SocketAddr,
    access: Access,
    gate: Gate,
    said: Option<mpsc::Receiver<Said>>,
    figures: watch::Receiver<Figures>,
    breaks: mpsc::Sender<bool>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Embedded {
    /// Starts it; no command may be retained below the prefix.
    ///
    /// # Errors
    /// A port is taken, an address is not this machine's, a certificate or the state folder cannot be used.
    pub async fn start(plan: Plan<'_>) -> Result<Self, Failure> {
        let before = if plan.prefix.is_empty() { String::new() } else { format!("{}/", plan.prefix) };
        let (accounts, access) = own_account(plan.accounts, plan.state)?;
        let mut config = Config::new(plan.ports.mqtt);
        config.never_retained = vec![format!("{before}cmd/")];
        config.seldom_saved = vec![format!("{before}status/")];
        config.retained_file = Some(plan.state.join("retained"));
        config.prefix = plan.prefix.to_owned();
        config.tls = plan.ports.tls.clone();
        config.websocket = plan.ports.websocket;
        config.origins = plan.ports.origins.clone();
        config.accounts = accounts;
        let broker = syncslate_broker::start(config).await.map_err(|e| failure(&e))?;
        for (what, address) in [("TLS", broker.tls_addr()), ("websockets", broker.websocket_addr())] {
            if let Some(address) = address {
                tracing::info!("MQTT over {what} at {address}");
            }
        }
        let (address, gate) = (broker.addr(), broker.gate());
        let (tell, said) = mpsc::channel(256);
        let (show, figures) = watch::channel(Figures::default());
        let (stop, stopped) = oneshot::channel();
        let (breaks, broken) = mpsc::channel(1);
        let ear = Ear { before, tell, show, lines: [0; 3] };
        let task = tokio::spawn(serve(broker, ear, broken, stopped));
        Ok(Self { address, access, gate, said: Some(said), figures, breaks, stop, task })
    }

    /// How it is reached from here.
    pub fn address(&self) -> BrokerAddress {
        reached(self.address)
    }

    /// How it lets the controller in.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Checks passwords for the page.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// What it has to say; once.
    pub fn said(&mut self) -> Option<mpsc::Receiver<Said>> {
        self.said.take()
    }

    /// How it is.
    pub fn figures(&self) -> watch::Receiver<Figures> {
        self.figures.clone()
    }

    /// Breaks its router, as a test of what then happens.
    #[doc(hidden)]
    pub fn breaks(&self) -> mpsc::Sender<bool> {
        self.breaks.clone()
    }

    /// Ends it.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// How a broker that listens there is reached from this machine: one on all addresses is reached on loopback.
pub fn reached(listen: SocketAddr) -> BrokerAddress {
    let host = match listen.ip() {
        ip if !ip.is_unspecified() => ip.to_string(),
        IpAddr::V4(_) => "127.0.0.1".into(),
        IpAddr::V6(_) => "::1".into(),
    };
    BrokerAddress::plain(host, listen.port())
}

/// Where the password of our own account lies while the controller runs.
fn key(state: &Path) -> PathBuf {
    state.join("console.key")
}

/// How the commands of this program get in to the broker of the controller that runs here, if it wants accounts.
///
/// # Errors
/// The controller's key is not there for us.
pub fn console_access(accounts: &Accounts, state: &Path) -> Result<Access, Failure> {
    if accounts.is_empty() {
        return Ok(Access::default());
    }
    let password = std::fs::read_to_string(key(state)).map_err(|e| {
        Failure::new(format!("cannot read the running controller's key {}: {e}", key(state).display()))
            .hint("run this as the user that syncslate-controller runs as, with the same settings")
    })?;
    Ok(Access { login: Some(Login { user: OWN.into(), password }), trusted: None })
}

/// With accounts the controller needs one too, with a new password at each start.
fn own_account(accounts: &Accounts, state: &Path) -> Result<(Accounts, Access), Failure> {
    if accounts.is_empty() {
        return Ok((Accounts::default(), Access::default()));
    }
    let password = secret::hex(&secret::random()?);
    secret::write(&key(state), password.as_bytes())?;
    let hash = hash(password.as_bytes()).map_err(|e| Failure::new(format!("cannot make a hash: {e}")))?;
    let mut accounts = accounts.clone();
    accounts.add(OWN, Account { hash, role: Role::Controller }).map_err(|e| Failure::new(e.to_string()))?;
    Ok((accounts, Access { login: Some(Login { user: OWN.into(), password }), trusted: None }))
}

async fn serve(mut broker: Broker, mut ear: Ear, mut broken: mpsc::Receiver<bool>, mut stopped: oneshot::Receiver<()>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut seconds: u32 = 0;
    let mut open = true;
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(hang) = broken.recv() => broker.break_router(hang),
            event = broker.events().recv(), if open => match event {
                Some(event) => ear.hear(event),
                // Its events ended: it still runs until it is told to stop.
                None => open = false,
            },
            _ = looks.tick() => {
                seconds = seconds.wrapping_add(1);
                if seconds.is_multiple_of(MINUTE) {
                    ear.lines = [0; 3];
                }
                let stats = broker.stats();
                ear.show.send_if_modified(|shown| shown.stats.replace(stats) != Some(stats));
            }
        }
    }
    broker.stop().await;
}

/// Tells what happens in the broker: the log, the loop, the figures.
struct Ear {
    before: String,
    tell: mpsc::Sender<Said>,
    show: watch::Sender<Figures>,
    /// Lines of this minute, per kind.
    lines: [u32; 3],
}

impl Ear {
    fn hear(&mut self, event: Event) {
        match event {
            Event::RetainRefused { client, topic, payload } => {
                tracing::warn!(client, topic, "the broker turned a retained command away");
                let topic = topic.strip_prefix(&self.before).unwrap_or(&topic).to_owned();
                let _ = self.tell.try_send(Said::Retained(topic, payload));
            }
            Event::Connected { client, user, peer } => {
                tracing::debug!(client, user, %peer, "a client was let in by the broker");
            }
            Event::Disconnected { client, why } => tracing::debug!(client, why, "a client left the broker"),
            Event::Refused { client, user, peer } => {
                self.show.send_modify(|f| f.refused += 1);
                let user = user.unwrap_or_default();
                self.line(0, || tracing::warn!(client, user, %peer, "the broker did not let a client in: wrong name or password"));
            }
            Event::Denied { client, user, wish, what } => {
                self.show.send_modify(|f| f.denied += 1);
                let wish = match wish {
                    Wish::Publish => "publish",
                    Wish::Subscribe => "subscribe",
                };
                self.line(1, || tracing::warn!(client, user, topic = what, "an account may not {wish} there"));
            }
            Event::Slow { client, closed } => {
                self.show.send_modify(|f| f.slow += 1);
                self.line(2, || tracing::warn!(client, closed, "a client does not keep up with its messages"));
            }
            Event::Restarted { why, took } => {
                let notice =
                    format!("the broker was renewed within {} ms, because {why}; no client noticed", took.as_millis());
                tracing::error!("{notice}");
                let _ = self.tell.try_send(Said::Notice(notice));
            }
            event => tracing::warn!(?event, "the broker"),
        }
    }

    /// Writes a line to the log, as long as there are not too many of its kind.
    fn line(&mut self, kind: usize, write: impl FnOnce()) {
        let Some(lines) = self.lines.get_mut(kind) else { return };
        *lines = lines.saturating_add(1);
        if *lines <= LINES {
            write();
        } else if *lines == LINES + 1 {
            tracing::warn!("more of this in the same minute is counted on /metrics alone");
        }
    }
}

/// The broker's messages bear their hints already.
fn failure(error: &StartError) -> Failure {
    Failure::new(error.to_string())
}
