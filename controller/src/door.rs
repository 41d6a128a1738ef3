//! The way in for the web: the same commands as by MQTT, through the same path, and a picture of everything.

use std::path::PathBuf;
use std::sync::Arc;

use syncslate_report::Limits;
use syncslate_shared::command::{Command, CommandResult};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::about::About;
use crate::embedded::Figures;
use crate::exports::Exports;
use crate::lock::Lock;
use crate::logbook::Logbook;
use crate::snapshot::{News, Snapshot};
use crate::viewfinder::Viewfinder;

/// A command and where its answer goes.
#[derive(Debug)]
pub struct Request {
    /// The command.
    pub command: Command,
    /// The account that gives it, when there are accounts.
    pub who: Option<String>,
    /// Gets the answer; a receiver that is gone hurts nobody.
    pub answer: oneshot::Sender<CommandResult>,
}

/// What the web server holds of the controller; cheap to clone.
#[derive(Clone, Debug)]
pub struct Door {
    /// Commands in.
    pub requests: mpsc::Sender<Request>,
    /// The newest picture.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What changes, as it changes.
    pub news: broadcast::Sender<News>,
    /// Where the footage lies.
    pub downloads: PathBuf,
    /// From when on a take is amber or red.
    pub limits: Limits,
    /// The nodes' live pictures.
    pub viewfinder: Viewfinder,
    /// Who may come in.
    pub lock: Lock,
    /// What this installation is.
    pub about: Arc<About>,
    /// Takes for editors.
    pub exports: Exports,
    /// What happened.
    pub logbook: Logbook,
    /// How the embedded broker is, where there is one.
    pub broker: Option<watch::Receiver<Figures>>,
}
