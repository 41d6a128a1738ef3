//! What the broker is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::accounts::Accounts;

/// What the broker needs. Made by [`Config::new`], then changed field by field.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where MQTT 3.1.1 and 5 are spoken, on one port. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Topic prefixes, for example `cmd/`: a publish with the retain flag there is not passed on but reported as
    /// [`crate::Event::RetainRefused`], and nothing of it stays.
    pub never_retained: Vec<String>,
    /// MQTT over websockets, for browsers, on a port of its own.
    pub websocket: Option<SocketAddr>,
    /// Origins of pages (`http://192.168.1.10:8080`) that may open a websocket besides pages of this very host.
    pub origins: Vec<String>,
    /// MQTT over TLS, on a port of its own.
    pub tls: Option<Tls>,
    /// Who may come in. Empty: everybody may do everything.
    pub accounts: Accounts,
    /// What stands before all topics, without a slash at its end. The rights of accounts are counted from there.
    pub prefix: String,
    /// Where retained messages are kept over restarts. `None`: nowhere.
    pub retained_file: Option<PathBuf>,
    /// How often that file is written, if something has changed.
    pub save_every: Duration,
    /// Topic prefixes, for example `status/`, that change all the time and come again by themselves: they are in the
    /// file, but a change there alone does not write it. It spares the memory card.
    pub seldom_saved: Vec<String>,
    /// How much a client may cost.
    pub limits: Limits,
}

/// TLS by a certificate of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Where MQTT over TLS is spoken. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// PEM file: the certificate, then those that vouch for it.
    pub chain: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
}

impl Config {
    /// A broker on this address, open to everybody who reaches it.
    pub fn new(listen: SocketAddr) -> Config {
        Config {
            listen,
            never_retained: Vec::new(),
            websocket: None,
            origins: Vec::new(),
            tls: None,
            accounts: Accounts::default(),
            prefix: String::new(),
            retained_file: None,
            save_every: Duration::from_secs(5),
            seldom_saved: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// How much a client may cost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at one time, and as many sessions of absent clients.
    pub connections: usize,
    /// Bytes of one packet.
    pub packet: usize,
    /// Bytes that wait for one client.
    pub session: usize,
    /// Bytes of all retained messages.
    pub retained: usize,
    /// Subscriptions of one client.
    pub subscriptions: usize,
    /// Time from the first byte to a whole CONNECT.
    pub connect: Duration,
    /// The longest keep alive of a client of version 5 that has one: who asks for more is told this. Whole seconds.
    pub keep_alive: Duration,
    /// Time without progress after which a client that reads nothing is given up.
    pub stall: Duration,
    /// The longest that a session of an absent client is kept.
    pub absent: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 4096,
            packet: 16 << 20,
            session: 48 << 20,
            retained: 64 << 20,
            subscriptions: 1000,
            connect: Duration::from_secs(5),
            keep_alive: Duration::from_secs(60),
            stall: Duration::from_secs(20),
            absent: Duration::from_secs(24 * 3600),
        }
    }
}
