//! What this installation is: set once at the start, shown on the page `/about`.

use std::net::SocketAddr;
use std::path::PathBuf;

use syncslate_broker::rights::Role;
use syncslate_shared::time::Wall;

use crate::settings::{BrokerChoice, Settings};

/// The facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Since when it runs.
    pub started: Wall,
    /// The settings file; `None` when there is none.
    pub file: Option<PathBuf>,
    /// Who may come in, with the word of the role.
    pub accounts: Vec<(String, &'static str)>,
    /// Where the page is served.
    pub http: SocketAddr,
    /// Where MQTT is spoken, with the way: `MQTT`, `MQTT over TLS`, `MQTT over websockets`, `another broker`.
    pub mqtt: Vec<(&'static str, String)>,
    /// Before every topic; empty for none.
    pub prefix: String,
    /// Where the footage is brought.
    pub downloads: PathBuf,
    /// Where the take and the events are remembered.
    pub state: PathBuf,
}

impl About {
    /// What `settings` say.
    pub fn of(settings: &Settings, started: Wall) -> Self {
        let mqtt = match &settings.broker {
            BrokerChoice::External(address, _) => vec![("another broker", address.to_string())],
            BrokerChoice::Embedded(ports) => {
                let mut listens = vec![("MQTT", ports.mqtt.to_string())];
                listens.extend(ports.tls.as_ref().map(|tls| ("MQTT over TLS", tls.listen.to_string())));
                listens.extend(ports.websocket.map(|listen| ("MQTT over websockets", listen.to_string())));
                listens
            }
        };
        let mut accounts: Vec<_> =
            settings.accounts.iter().map(|(name, account)| (name.to_owned(), role(&account.role))).collect();
        accounts.sort();
        Self {
            started,
            file: settings.file.clone(),
            accounts,
            http: settings.http,
            mqtt,
            prefix: settings.prefix.clone(),
            downloads: settings.downloads.clone(),
            state: settings.state.clone(),
        }
    }
}

fn role(role: &Role) -> &'static str {
    match role {
        Role::Node { .. } => "node",
        Role::Operator => "operator",
        Role::Viewer => "viewer",
        Role::Controller => "controller",
    }
}

/// Bytes of memory that this program holds now; `None` where the system does not tell.
pub fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
