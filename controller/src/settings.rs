//! The command line and the settings file. Flags win over the file; everything is checked before anything is started.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use serde::Deserialize;
use syncslate_broker::Tls;
use syncslate_broker::accounts::Accounts;
use syncslate_shared::access::{Access, Keys};
use syncslate_shared::report::Failure;
use syncslate_shared::settings::{BrokerAddress, read};
use syncslate_shared::take::{Stamp, TakeName};

use crate::accounts::{self, AccountSection};
use crate::export_settings::ExportSection;
use crate::report_settings::{ReportSection, ReportSettings};
use crate::rsync::{Rsync, Source};
use crate::size::Size;

/// Rolls, cuts and marks all cameras at once, and brings their footage home: the controller of Syncslate.
///
/// It runs the MQTT broker that the nodes connect to, and serves the operator's page. Each flag wins over the settings
/// file. The log's detail is set by the variable SYNCSLATE_LOG (error, warn, info, debug).
#[allow(rustdoc::broken_intra_doc_links, reason = "the comments are the help texts, with defaults in brackets")]
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "syncslate-controller", version, max_term_width = 100)]
pub struct Args {
    /// Something else than to run.
    #[command(subcommand)]
    pub job: Option<Job>,
    /// Settings file (TOML); none is read without this flag
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the broker listens [default: 127.0.0.1:1883, with accounts 0.0.0.0:1883, which lets other machines in]
    #[arg(long, global = true, value_name = "ADDR")]
    pub mqtt: Option<SocketAddr>,
    /// Where the page is served [default: 127.0.0.1:8080, with accounts 0.0.0.0:8080, which lets other machines in]
    #[arg(long, global = true, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Where footage is brought, as TAKE/IP/FILE [default: video_downloads]
    #[arg(long, global = true, value_name = "DIR")]
    pub downloads: Option<PathBuf>,
    /// Where the take is remembered over restarts [default: $STATE_DIRECTORY, else $XDG_STATE_HOME/syncslate, else
    /// ~/.local/state/syncslate]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// What rsync pulls a node's footage from, with {ip}; a local path works too [default: pi@{ip}:videos/]
    #[arg(long, global = true, value_name = "TEMPLATE")]
    pub source: Option<Source>,
    /// Length of a take's segments in seconds, 1 to 3600 [default: 60]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub segment_s: Option<u32>,
}

/// What can be asked for besides running.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Job {
    /// Read what is here again and say what is not as it was proven; exit code 1 when something differs
    Check {
        /// Only this take
        take: Option<TakeName>,
    },
    /// Have the running controller fetch a take, and show how far it is
    Download {
        /// The take
        take: TakeName,
        /// Of several takes of that name only this one, 20251023_140210
        #[arg(long, value_parser = stamp)]
        stamp: Option<Stamp>,
        /// Then delete the nodes' copies, of what is proven equal
        #[arg(long)]
        delete_after_verify: bool,
        /// Break the download off; what has arrived stays
        #[arg(long, conflicts_with_all = ["stamp", "delete_after_verify"])]
        cancel: bool,
    },
    /// Make a take's sync report anew and say how well its cameras were in step; exit code 1 when the verdict is red
    Report {
        /// The take
        take: TakeName,
        /// Of several takes of that name only this one, 20251023_140210
        #[arg(long, value_parser = stamp)]
        stamp: Option<Stamp>,
    },
    /// Find the slate in a take's footage and say how far each camera's stamps are from its light; exit code 1 when they
    /// differ, or when no slate is found
    Verify {
        /// The take
        take: TakeName,
        /// Of several takes of that name only this one, 20251023_140210
        #[arg(long, value_parser = stamp)]
        stamp: Option<Stamp>,
        /// Search the whole take, not only its first and last minute
        #[arg(long)]
        all: bool,
    },
    /// Make films, timelines and markers for editors of a take that is here; what is finished is not made again
    Export {
        /// The take
        take: TakeName,
        /// Of several takes of that name only this one, 20251023_140210
        #[arg(long, value_parser = stamp)]
        stamp: Option<Stamp>,
        /// The folder to write into [default: `editor` beside the footage]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Films of a constant rate and of as many frames on all cameras as well, encoded anew; timelines then show these
        #[arg(long)]
        conform: bool,
        /// Light films as well, which the page plays where the cameras' own are too heavy
        #[arg(long)]
        proxies: bool,
    },
    /// List what deleting proven footage on the nodes would free, and what stays there and why
    Cleanup {
        /// Only this take
        take: Option<TakeName>,
        /// Of several takes of one name only this one, 20251023_140210
        #[arg(long, value_parser = stamp)]
        stamp: Option<Stamp>,
        /// Have the running controller delete it there
        #[arg(long)]
        yes: bool,
    },
    /// Read a password from the standard input and print the hash that stands for it in the settings
    HashPassword,
}

fn stamp(text: &str) -> Result<Stamp, String> {
    Stamp::try_from(text.to_owned())
}

/// The settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileSettings {
    /// The broker.
    pub mqtt: Mqtt,
    /// The page.
    pub http: Http,
    /// Who may come in, by name; without any everybody may do everything.
    pub accounts: BTreeMap<String, AccountSection>,
    /// Takes.
    pub takes: TakesSection,
    /// Downloads.
    pub download: DownloadSection,
    /// Sync reports.
    pub report: ReportSection,
    /// Takes for editors.
    pub export: ExportSection,
    /// What is remembered.
    pub state: StateSection,
    /// Home Assistant.
    pub home_assistant: HomeAssistantSection,
}

/// `[home_assistant]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HomeAssistantSection {
    /// Whether it finds the buttons and nodes by itself; not when it is left out.
    pub enabled: bool,
    /// Where it listens, `homeassistant`, which is also the default.
    pub prefix: Option<String>,
}

/// `[mqtt]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtt {
    /// Where the embedded broker listens.
    pub listen: Option<SocketAddr>,
    /// Where it speaks TLS.
    pub tls: Option<TlsSection>,
    /// Where it speaks MQTT over websockets.
    pub websocket: Option<SocketAddr>,
    /// Pages elsewhere whose scripts may open such a websocket.
    pub origins: Vec<String>,
    /// Another broker to use instead of the embedded one, `mqtt://host:1883`.
    pub external: Option<BrokerAddress>,
    /// The controller's account there.
    pub user: Option<String>,
    /// The file with its password.
    pub password_file: Option<PathBuf>,
    /// The certificate that vouches for it.
    pub ca: Option<PathBuf>,
    /// Put before every topic, with a `/` between.
    pub prefix: Option<String>,
}

/// `[mqtt.tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// Where TLS is spoken.
    pub listen: SocketAddr,
    /// The broker's certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// `[http]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where the page is served.
    pub listen: Option<SocketAddr>,
}

/// `[takes]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TakesSection {
    /// The length of segments in seconds.
    pub segment_s: Option<u32>,
    /// Nodes that belong to the set: one that is not there is missed.
    pub roster: Vec<Ipv4Addr>,
    /// Whether START is refused while something speaks against it; else it only warns.
    pub require_ready: bool,
}

/// `[download]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DownloadSection {
    /// Where footage is brought.
    pub dir: Option<PathBuf>,
    /// What rsync pulls from, with `{ip}`.
    pub source: Option<Source>,
    /// How many nodes may send at once, 1 to 64; 4 when it is left out.
    pub parallel: Option<usize>,
    /// The most that all downloads together may take of the network, in bytes a second: `20M`.
    pub limit: Option<Size>,
    /// Arguments for ssh, `["-i", "/etc/syncslate/key", "-p", "2222"]`.
    pub ssh: Option<Vec<String>>,
    /// A transfer on which nothing comes for so many seconds is broken off and tried again, 3 to 3600; 30 when it is
    /// left out.
    pub silence_s: Option<u32>,
    /// A transfer that got nowhere for so many seconds is given up, until it is asked for again; 900 when it is left out.
    pub retry_s: Option<u32>,
    /// What stays free on the disk of the downloads: `500M`, which is also the default.
    pub reserve: Option<Size>,
    /// Fetch a take's closed files while it rolls; not when it is left out.
    pub while_rolling: Option<bool>,
    /// The most that may be taken of the network meanwhile, in bytes a second: `8M`, which is also the default.
    pub while_rolling_limit: Option<Size>,
    /// The program on the nodes, `nice -n 19 ionice -c 3 rsync`.
    pub remote_rsync: Option<String>,
}

/// A machine whose disk is full to the last byte does not work any more.
const RESERVE: Size = Size(500_000_000);
/// For four nodes twice what each records at the built-in bit rate: it keeps up, and no more.
const WHILE_ROLLING: Size = Size(8_000_000);
/// A limit below this is a typing error.
const SLOWEST: u64 = 10_000;

/// `[state]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSection {
    /// Where the take is remembered.
    pub dir: Option<PathBuf>,
}

/// Which broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerChoice {
    /// Our own, listening here.
    Embedded(Ports),
    /// Another one, reached there.
    External(BrokerAddress, Access),
}

/// Where our own broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// MQTT.
    pub mqtt: SocketAddr,
    /// MQTT over TLS.
    pub tls: Option<Tls>,
    /// MQTT over websockets.
    pub websocket: Option<SocketAddr>,
    /// Pages elsewhere whose scripts may open a websocket.
    pub origins: Vec<String>,
}

impl Ports {
    /// MQTT alone.
    pub fn plain(mqtt: SocketAddr) -> Self {
        Self { mqtt, tls: None, websocket: None, origins: Vec::new() }
    }
}

/// Everything that is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The file that they come from; `None` when there is none.
    pub file: Option<PathBuf>,
    /// The broker.
    pub broker: BrokerChoice,
    /// Who may come in; everybody when there is none.
    pub accounts: Accounts,
    /// Put before every topic; empty for none.
    pub prefix: String,
    /// Where the page is served.
    pub http: SocketAddr,
    /// Where footage is brought.
    pub downloads: PathBuf,
    /// Where the take is remembered.
    pub state: PathBuf,
    /// How sync reports are made.
    pub report: ReportSettings,
    /// How takes are made for editors.
    pub export: ExportSection,
    /// How footage is fetched.
    pub rsync: Rsync,
    /// What stays free on the disk of the downloads.
    pub reserve: Size,
    /// A part of a download that has got nowhere for so long is given up.
    pub patience: Duration,
    /// The length of segments in seconds.
    pub segment_s: u32,
    /// Nodes that belong to the set.
    pub roster: Vec<Ipv4Addr>,
    /// Whether START is refused while something speaks against it.
    pub require_ready: bool,
    /// How many nodes may send at once.
    pub parallel: usize,
    /// Fetch a take's closed files while it rolls.
    pub while_rolling: bool,
    /// Where Home Assistant is told what there is; `None` for nowhere.
    pub home_assistant: Option<String>,
}

impl Settings {
    /// Puts the command line, the file it names and the environment together.
    ///
    /// # Errors
    /// Exit code 2: what is wrong and where.
    pub fn load(args: Args, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let file = args.config.as_deref().map(read::<FileSettings>).transpose()?.unwrap_or_default();
        Self::resolve(args, file, environment)
    }

    fn resolve(args: Args, file: FileSettings, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let FileSettings { mut mqtt, http, accounts, takes, download, report, export, state, home_assistant } = file;
        let accounts = accounts::read(accounts)?;
        // Whom everybody may command is not for everybody to reach.
        let own = if accounts.is_empty() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let default = |port| SocketAddr::new(IpAddr::V4(own), port);
        let prefix = prefix(mqtt.prefix.take().unwrap_or_default())?;
        let broker = broker(args.mqtt, mqtt, default(1883))?;
        let segment_s = args.segment_s.or(takes.segment_s).unwrap_or(60);
        if !(1..=3600).contains(&segment_s) {
            return Err(Failure::usage(format!("`takes.segment_s` is {segment_s}: a segment lasts 1 to 3600 s")));
        }
        let parallel = download.parallel.unwrap_or(4);
        if !(1..=64).contains(&parallel) {
            return Err(Failure::usage(format!("`download.parallel` is {parallel}: 1 to 64 nodes can send at once")));
        }
        let patience = Duration::from_secs(download.retry_s.unwrap_or(900).into());
        let reserve = download.reserve.unwrap_or(RESERVE);
        let report = report.read()?;
        let rsync = transport(args.source, &download, parallel)?;
        Ok(Self {
            file: args.config,
            broker,
            accounts,
            prefix,
            http: args.http.or(http.listen).unwrap_or(default(8080)),
            downloads: args.downloads.or(download.dir).unwrap_or_else(|| "video_downloads".into()),
            state: args.state.or(state.dir).map_or_else(|| state_folder(environment), Ok)?,
            report,
            export,
            rsync,
            reserve,
            patience,
            segment_s,
            roster: takes.roster,
            require_ready: takes.require_ready,
            parallel,
            while_rolling: download.while_rolling.unwrap_or(false),
            home_assistant: discovery(home_assistant)?,
        })
    }

    /// What the operator should know about doors that are open to everybody.
    pub fn open_doors(&self) -> Vec<String> {
        let mut doors = vec![("the page", self.http)];
        if let BrokerChoice::Embedded(Ports { mqtt, tls, websocket, .. }) = &self.broker {
            doors.push(("MQTT", *mqtt));
            doors.extend(tls.as_ref().map(|tls| ("MQTT over TLS", tls.listen)));
            doors.extend(websocket.map(|listen| ("MQTT over websockets", listen)));
        }
        doors
            .into_iter()
            .filter(|_| self.accounts.is_empty())
            .filter(|(_, listen)| !listen.ip().is_loopback())
            .map(|(what, listen)| {
                format!("{what} is open on {listen} without accounts: everybody on this network can start, stop and see takes")
            })
            .collect()
    }
}

fn broker(flag: Option<SocketAddr>, mqtt: Mqtt, default: SocketAddr) -> Result<BrokerChoice, Failure> {
    let Mqtt { listen, tls, websocket, origins, external, user, password_file, ca, prefix: _ } = mqtt;
    let keys = Keys { user, password_file, ca };
    let Some(external) = external else {
        if keys.user.is_some() || keys.password_file.is_some() || keys.ca.is_some() {
            return Err(Failure::usage(
                "`mqtt.user`, `mqtt.password_file` and `mqtt.ca` are for another broker: `mqtt.external` is not set",
            )
            .hint("who may come in to the broker here stands in `[accounts]`, its certificate in `[mqtt.tls]`"));
        }
        let tls = tls.map(|TlsSection { listen, certificate, key }| Tls { listen, chain: certificate, key });
        return Ok(BrokerChoice::Embedded(Ports { mqtt: flag.or(listen).unwrap_or(default), tls, websocket, origins }));
    };
    if flag.is_some() || listen.is_some() || tls.is_some() || websocket.is_some() || !origins.is_empty() {
        return Err(Failure::usage(
            "`mqtt.external` names another broker, so there is none to listen by --mqtt, `mqtt.listen`, `mqtt.tls` or `mqtt.websocket`",
        )
        .hint("leave one of them out"));
    }
    let access = Access::read(&external, keys)?;
    Ok(BrokerChoice::External(external, access))
}

fn transport(source: Option<Source>, download: &DownloadSection, parallel: usize) -> Result<Rsync, Failure> {
    let source = match source.or(download.source.clone()) {
        Some(source) => source,
        None => "pi@{ip}:videos/".parse().map_err(Failure::new)?,
    };
    let silence_s = download.silence_s.unwrap_or(30);
    if !(3..=3600).contains(&silence_s) {
        return Err(Failure::usage(format!("`download.silence_s` is {silence_s}: it is 3 to 3600 s")));
    }
    let ssh = download.ssh.clone().unwrap_or_default();
    if let Some(word) = ssh.iter().find(|word| word.is_empty() || word.chars().any(char::is_control)) {
        return Err(Failure::usage(format!("`download.ssh` holds `{}`, which is no argument", word.escape_debug())));
    }
    let share = |name: &str, all: Size| match all {
        Size(all) if all < SLOWEST => {
            Err(Failure::usage(format!("`download.{name}` is {all}: at least 10k bytes a second")))
        }
        Size(all) => Ok(Size(all / parallel as u64)),
    };
    let limit = download.limit.map(|all| share("limit", all)).transpose()?;
    let gentle_limit = share("while_rolling_limit", download.while_rolling_limit.unwrap_or(WHILE_ROLLING))?;
    let remote = download.remote_rsync.clone();
    if let Some(text) = remote.iter().find(|text| !text.ends_with("rsync") || text.chars().any(char::is_control)) {
        return Err(Failure::usage(format!(
            "`download.remote_rsync` is `{}`: it is a command that ends in rsync, such as nice -n 19 rsync",
            text.escape_debug()
        )));
    }
    let silence = Duration::from_secs(silence_s.into());
    Ok(Rsync { source, ssh, remote, limit, gentle_limit, gentle: false, aes: false, silence })
}

fn discovery(section: HomeAssistantSection) -> Result<Option<String>, Failure> {
    let at = section.prefix.unwrap_or_else(|| "homeassistant".into());
    let safe = |level: &str| !level.is_empty() && level.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if !at.split('/').all(safe) {
        return Err(Failure::usage(format!(
            "`home_assistant.prefix` is `{}`: it is the discovery prefix of Home Assistant, such as homeassistant",
            at.escape_debug()
        )));
    }
    Ok(section.enabled.then_some(at))
}

fn prefix(text: String) -> Result<String, Failure> {
    let bad = text.contains(['#', '+']) || text.chars().any(char::is_control) || text.starts_with('$');
    if bad || (!text.is_empty() && text.split('/').any(str::is_empty)) {
        return Err(Failure::usage(format!(
            "`mqtt.prefix` is `{}`: it is a topic without `+`, `#`, a `$` in front or empty levels, such as stage/left",
            text.escape_debug()
        )));
    }
    Ok(text)
}

fn state_folder(environment: impl Fn(&str) -> Option<String>) -> Result<PathBuf, Failure> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    // systemd gives a list, separated by colons, when a unit has several.
    let unit = set("STATE_DIRECTORY").and_then(|list| list.split(':').next().map(PathBuf::from));
    let user = || set("XDG_STATE_HOME").map(|home| PathBuf::from(home).join("syncslate"));
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".local/state/syncslate"));
    unit.or_else(user).or_else(home).ok_or_else(|| {
        Failure::usage(
            "there is no folder to remember the take in: none of STATE_DIRECTORY, XDG_STATE_HOME and HOME is set",
        )
        .hint("give one with --state DIR")
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
