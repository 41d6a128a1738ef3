//! What does the effects that the [`Desk`](crate::desk::Desk) decides on.
//!
//! Whatever takes long is done in tasks, whose outcomes come back to the loop as events.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use syncslate_shared::command::{CommandResult, ErrorCode, Refusal};
use syncslate_shared::link::Link;
use syncslate_shared::protocol::{Departed, Level, Presence, write};
use syncslate_shared::take::TakeName;
use syncslate_shared::topic::Topic;
use tokio::sync::{Mutex, broadcast, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::chronicle::{Happening, Kind, short};
use crate::desk::presence;
use crate::embedded::Embedded;
use crate::event::{Asker, Effect, Event, Remark};
use crate::homeassistant::Discovery;
use crate::inbox::Inbox;
use crate::journal::Journal;
use crate::logbook::Logbook;
use crate::marks;
use crate::part::Part;
use crate::room::Room;
use crate::rsync::Rsync;
use crate::snapshot::{News, Snapshot};
use crate::store::Store;
use crate::wishes::Wishes;

/// The disk gets this long for the journal; the cameras do not wait longer for it.
const JOURNAL_LIMIT: Duration = Duration::from_secs(2);

/// What effects are executed with.
pub(crate) struct Hands {
    pub(crate) inbox: Inbox,
    pub(crate) link: Link,
    pub(crate) store: Arc<Store>,
    /// Counts the journals, so that a late one never overwrites a later one.
    pub(crate) turn: u64,
    pub(crate) news: broadcast::Sender<News>,
    /// Who waits at the web's door, and under which account.
    pub(crate) answers: BTreeMap<u64, (oneshot::Sender<CommandResult>, Option<String>)>,
    pub(crate) tasks: JoinSet<()>,
    /// The parts that are being fetched, by take and node.
    pub(crate) transfers: BTreeMap<(TakeName, Ipv4Addr), AbortHandle>,
    pub(crate) rsync: Rsync,
    pub(crate) room: Room,
    pub(crate) downloads: PathBuf,
    /// Lists of marks are changed one after the other, in the order of the wishes.
    pub(crate) remarks: Arc<Mutex<()>>,
    pub(crate) logbook: Logbook,
}

impl Hands {
    /// Does one thing that the desk decided. What takes long runs on its own.
    pub(crate) fn act(&mut self, effect: Effect) {
        // Tasks that ended leave nothing behind.
        while self.tasks.try_join_next().is_some() {}
        match effect {
            Effect::Keep(_) | Effect::KeepCameras(_) => {}
            Effect::KeepQueue(pending) => {
                self.turn += 1;
                let (store, turn) = (Arc::clone(&self.store), self.turn);
                self.tasks.spawn_blocking(move || {
                    if let Err(why) = store.keep_queue(turn, &pending) {
                        tracing::warn!("{why}");
                    }
                });
            }
            Effect::Remark(wanted) => self.remark(*wanted),
            Effect::KeepMarks { folder, marks } => {
                let (downloads, turns) = (self.downloads.clone(), Arc::clone(&self.remarks));
                self.tasks.spawn(async move {
                    let _turn = turns.lock().await;
                    let work = tokio::task::spawn_blocking(move || marks::keep(&downloads, &folder, &marks));
                    if let Ok(Err(why)) = work.await {
                        tracing::warn!("{why}");
                    }
                });
            }
            Effect::Say { topic, payload } => {
                self.tell(topic.to_string(), String::from_utf8_lossy(&payload).into_owned());
                self.link.say(&topic, payload);
            }
            Effect::Depart { ip } => {
                let (topic, gone) = (Topic::Status(ip), write(&Departed::of(ip)));
                self.tell(topic.to_string(), String::from_utf8_lossy(&gone).into_owned());
                self.link.correct(&topic, gone);
            }
            Effect::Clear { topic } => self.link.clear(&topic),
            Effect::Answer { asker, result } => self.answer(asker, *result),
            Effect::News { topic, json } => self.tell(topic, json),
            Effect::List { nodes } => self.list(nodes),
            Effect::Fetch(errand) => {
                let (rsync, room, downloads) = (self.rsync.clone(), self.room.clone(), self.downloads.clone());
                self.fetch(Part { rsync, room, downloads, errand });
            }
            Effect::Abort { take, ip } => {
                // rsync dies with the task; what it has got stays for the next one.
                self.transfers.remove(&(take, ip)).iter().for_each(AbortHandle::abort);
            }
            Effect::Note(line) => tracing::info!("{line}"),
            Effect::Warn(line) => tracing::warn!("{line}"),
        }
    }

    /// Waits until the journal is on the disk; says why it is not.
    pub(crate) async fn keep(&mut self, journal: Journal) -> Result<(), String> {
        self.turn += 1;
        let (store, turn) = (Arc::clone(&self.store), self.turn);
        in_time("the journal", tokio::task::spawn_blocking(move || store.keep(turn, &journal))).await
    }

    /// The same for the cameras' settings.
    pub(crate) async fn keep_cameras(&mut self, kept: Wishes) -> Result<(), String> {
        self.turn += 1;
        let (store, turn) = (Arc::clone(&self.store), self.turn);
        in_time("the cameras' settings", tokio::task::spawn_blocking(move || store.keep_cameras(turn, &kept))).await
    }

    fn answer(&mut self, asker: Asker, result: CommandResult) {
        let payload = write(&result);
        self.tell(Topic::Result.to_string(), String::from_utf8_lossy(&payload).into_owned());
        self.link.say(&Topic::Result, payload);
        let waiting = match asker {
            Asker::Door(ticket) => self.answers.remove(&ticket),
            Asker::Mqtt => None,
        };
        let from = match (&asker, &waiting) {
            (_, Some((_, Some(who)))) => format!("by {}", short(who)),
            (Asker::Door(_), _) => "from the page".to_owned(),
            (Asker::Mqtt, _) => "by MQTT".to_owned(),
        };
        if let Some(refused) = Happening::refused(&result, &from) {
            self.logbook.add(self.inbox.now().wall, refused);
        }
        if let Some((answer, _)) = waiting {
            let _ = answer.send(result);
        }
    }

    fn tell(&self, topic: String, json: String) {
        // Nobody may be looking at a page.
        let _ = self.news.send(News { topic, json });
    }

    fn list(&mut self, nodes: Vec<Ipv4Addr>) {
        let (inbox, rsync) = (self.inbox.clone(), self.rsync.clone());
        self.tasks.spawn(async move {
            let list = async |ip| (ip, rsync.list(ip).await.map_err(|broken| broken.why));
            let listings = join_all(nodes.into_iter().map(list)).await;
            inbox.put(Event::Listed(listings.into_iter().collect())).await;
        });
    }

    fn fetch(&mut self, part: Part) {
        let inbox = self.inbox.clone();
        let (take, ip) = (part.errand.take.clone(), part.errand.ip);
        let key = (take.clone(), ip);
        let handle = self.tasks.spawn(async move {
            let outcome = part.run(|progress| inbox.hint(Event::Progress { take: take.clone(), ip, progress })).await;
            inbox.put(Event::Fetched { take, ip, outcome }).await;
        });
        self.transfers.retain(|_, transfer| !transfer.is_finished());
        self.transfers.insert(key, handle);
    }

    /// Tells Home Assistant what there is.
    pub(crate) fn discover(&mut self, discovery: &mut Discovery, snapshot: &Snapshot) {
        let before = discovery.topics();
        for (topic, payload) in discovery.look(snapshot, self.inbox.now().mono) {
            self.link.keep_at(topic, payload);
        }
        let topics = discovery.topics();
        if topics != before {
            self.turn += 1;
            let (store, turn) = (Arc::clone(&self.store), self.turn);
            self.tasks.spawn_blocking(move || {
                if let Err(why) = store.keep_discovery(turn, &topics) {
                    tracing::warn!("{why}");
                }
            });
        }
    }

    fn remark(&mut self, wanted: Remark) {
        let (inbox, downloads, turns) = (self.inbox.clone(), self.downloads.clone(), Arc::clone(&self.remarks));
        self.tasks.spawn(async move {
            let _turn = turns.lock().await;
            let Remark { asker, command, id, n, .. } = wanted.clone();
            let work = tokio::task::spawn_blocking(move || marks::remark(&downloads, &wanted));
            let outcome = work.await.unwrap_or_else(|e| Err(Refusal::new(ErrorCode::Internal, e.to_string())));
            inbox.put(Event::Remarked { asker, command, id, n, outcome }).await;
        });
    }

    /// Ends everything that was begun, and says goodbye.
    pub(crate) async fn leave(mut self, broker: Option<Embedded>) {
        self.tasks.abort_all();
        let ends = Happening::new(Level::Info, Kind::Controller, "the controller ends");
        self.logbook.add(self.inbox.now().wall, ends);
        self.logbook.flush().await;
        self.link.say(&Topic::Controller, write(&presence(Presence::Offline, self.inbox.now().wall)));
        self.link.close().await;
        if let Some(broker) = broker {
            broker.stop().await;
        }
    }
}

/// Waits for the disk, but not for ever.
async fn in_time(what: &str, work: JoinHandle<Result<(), String>>) -> Result<(), String> {
    match tokio::time::timeout(JOURNAL_LIMIT, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(e)) => Err(format!("{what} cannot be written: {e}")),
        Err(_) => {
            let limit = JOURNAL_LIMIT.as_secs();
            Err(format!("{what}: not on the disk within {limit} s, which is failing or overloaded"))
        }
    }
}
