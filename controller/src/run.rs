//! The one loop that owns the controller's state: what the [`Desk`] decides goes to its `Hands`.
//!
//! Whatever happens is stamped with both clocks where it arrives and comes through one queue; long work (listing,
//! fetching, watching the folder) runs in tasks and comes back through it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syncslate_broker::Gate;
use syncslate_shared::access::Access;
use syncslate_shared::link::{Link, LinkEvent, LinkSettings};
use syncslate_shared::preview::LeaseMessage;
use syncslate_shared::protocol::{Presence, write};
use syncslate_shared::report::Failure;
use syncslate_shared::settings::BrokerAddress;
use syncslate_shared::systemd::Systemd;
use syncslate_shared::time::{Clocks, Mono};
use syncslate_shared::topic::Topic;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::about::About;
use crate::chronicle::Chronicler;
use crate::desk::{Desk, DeskSettings, presence};
use crate::door::{Door, Request};
use crate::embedded::{Embedded, Plan, Said};
use crate::event::{Asker, Effect, Event, Now};
use crate::exports::Exports;
use crate::hands::Hands;
use crate::homeassistant::Discovery;
use crate::inbox::Inbox;
use crate::lock::Lock;
use crate::logbook::Logbook;
use crate::reports;
use crate::room::Room;
use crate::secret;
use crate::settings::{BrokerChoice, Settings};
use crate::snapshot::{Snapshot, TakeSummary};
use crate::store::Store;
use crate::trash;
use crate::viewfinder::Viewfinder;

const TICK: Duration = Duration::from_millis(250);
/// Where nobody waits for an answer, pictures of everything follow each other no faster: hundreds of nodes speak at once.
const PICTURE: Duration = Duration::from_millis(20);
const HOUR: Duration = Duration::from_secs(3600);
/// Events that wait; who makes more waits with them.
const QUEUE: usize = 1024;

/// A controller that runs.
#[derive(Debug)]
pub struct Controller {
    door: Door,
    mqtt: BrokerAddress,
    http: SocketAddr,
    breaks: Option<mpsc::Sender<bool>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Controller {
    /// Starts everything that `settings` name, save the page.
    ///
    /// # Errors
    /// What could not be started: the journal's folder, the broker.
    pub async fn start(settings: Settings, clocks: Arc<dyn Clocks>) -> Result<Self, Failure> {
        let (store, journal, damage) = Store::open(&settings.state)?;
        let (cameras, damaged) = store.cameras();
        let mut notices = settings.open_doors();
        notices.extend(damage.into_iter().chain(damaged));
        for notice in &notices {
            tracing::warn!("{notice}");
        }
        let (queue, events) = mpsc::channel(QUEUE);
        let inbox = Inbox { clocks, queue };
        let mut tasks = JoinSet::new();
        let Opened { broker, mqtt, access, lock } = open_broker(&settings, &inbox, &mut tasks).await?;
        let (viewfinder, leases) = Viewfinder::new(Arc::clone(&inbox.clocks));
        let way = Way { broker: mqtt.clone(), access, viewfinder: viewfinder.clone() };
        let link = open_link(&settings, way, &inbox, &mut tasks);
        let lists = watch_shelf(settings.downloads.clone(), &inbox, &mut tasks);
        if settings.report.automatic {
            tasks.spawn(reports::keep(settings.downloads.clone(), settings.report.limits, lists));
        }
        tasks.spawn(empty_trash(settings.downloads.clone(), inbox.clone()));
        let desk_settings = DeskSettings {
            segment_s: settings.segment_s,
            parallel: settings.parallel,
            patience: settings.patience,
            while_rolling: settings.while_rolling,
            pending: store.queue(),
            roster: settings.roster.clone(),
            require_ready: settings.require_ready,
            cameras,
            notices,
        };
        let desk = Desk::new(journal, desk_settings);
        let (snapshots, snapshot) = watch::channel(Arc::new(desk.snapshot(inbox.now().wall)));
        let logbook = Logbook::open(&settings.state);
        logbook.add(inbox.now().wall, desk.started());
        let (news, _) = broadcast::channel(256);
        let (requests, asked) = mpsc::channel(64);
        let door = Door {
            requests,
            snapshot,
            news: news.clone(),
            downloads: settings.downloads.clone(),
            limits: settings.report.limits,
            viewfinder: viewfinder.clone(),
            lock,
            broker: broker.as_ref().map(Embedded::figures),
            about: Arc::new(About::of(&settings, inbox.now().wall)),
            exports: Exports::new(settings.downloads.clone(), settings.export),
            logbook: logbook.clone(),
        };
        let discovery = Discovery::new(settings.home_assistant, &settings.prefix, store.discovery(), inbox.now().mono);
        let hands = Hands {
            inbox,
            link,
            store: Arc::new(store),
            turn: 0,
            news,
            answers: BTreeMap::new(),
            tasks,
            transfers: BTreeMap::new(),
            rsync: settings.rsync,
            room: Room::new(settings.reserve),
            downloads: settings.downloads,
            remarks: Arc::default(),
            logbook,
        };
        let (stop, stopped) = oneshot::channel();
        let breaks = broker.as_ref().map(Embedded::breaks);
        let task = tokio::spawn(
            Loop {
                desk,
                hands,
                chronicler: Chronicler::default(),
                discovery,
                snapshots,
                viewfinder,
                leases,
                systemd: Systemd::from_env(),
                pictured: None,
                stale: false,
            }
            .run(events, asked, stopped, broker),
        );
        Ok(Self { door, mqtt, http: settings.http, breaks, stop, task })
    }

    /// The way in for the web.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Where the broker is.
    pub fn mqtt(&self) -> &BrokerAddress {
        &self.mqtt
    }

    /// Where the page is to be served.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Kills the embedded broker's router, or lets it hang, as a test of what then happens.
    #[doc(hidden)]
    pub async fn break_router(&self, hang: bool) {
        if let Some(breaks) = &self.breaks {
            let _ = breaks.send(hang).await;
        }
    }

    /// Ends it: downloads are broken off (what has arrived stays), the broker says goodbye. A take that rolls goes on:
    /// the nodes do not need the controller for it.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// The broker that is used, and how one gets in.
struct Opened {
    broker: Option<Embedded>,
    mqtt: BrokerAddress,
    access: Access,
    /// For the page.
    lock: Lock,
}

async fn open_broker(settings: &Settings, inbox: &Inbox, tasks: &mut JoinSet<()>) -> Result<Opened, Failure> {
    let key = secret::kept(&settings.state.join("session.key"))?;
    match &settings.broker {
        BrokerChoice::External(address, access) => {
            let lock = Lock::new(Gate::new(settings.accounts.clone()), key);
            Ok(Opened { broker: None, mqtt: address.clone(), access: access.clone(), lock })
        }
        BrokerChoice::Embedded(ports) => {
            let Settings { accounts, prefix, state, .. } = settings;
            let mut broker = Embedded::start(Plan { ports, accounts, prefix, state }).await?;
            let (mqtt, access, lock) = (broker.address(), broker.access().clone(), Lock::new(broker.gate(), key));
            if let Some(mut said) = broker.said() {
                let inbox = inbox.clone();
                tasks.spawn(async move {
                    while let Some(said) = said.recv().await {
                        inbox
                            .put(match said {
                                Said::Retained(topic, payload) => Event::RetainRefused { topic, payload },
                                Said::Notice(notice) => Event::Broker { notice },
                            })
                            .await;
                    }
                });
            }
            Ok(Opened { broker: Some(broker), mqtt, access, lock })
        }
    }
}

/// The way to the nodes.
struct Way {
    broker: BrokerAddress,
    access: Access,
    /// Where their pictures go.
    viewfinder: Viewfinder,
}

fn open_link(settings: &Settings, way: Way, inbox: &Inbox, tasks: &mut JoinSet<()>) -> Link {
    let Way { broker, access, viewfinder } = way;
    let gone = presence(Presence::Offline, inbox.now().wall);
    let (link, mut events) = Link::open(LinkSettings {
        broker,
        access,
        client: "syncslate-controller".into(),
        prefix: settings.prefix.clone(),
        subscriptions: ["cmd/#", "status/+", "answer/+", "preview/+", "controller"].map(String::from).to_vec(),
        will: Some((Topic::Controller, write(&gone))),
    });
    let inbox = inbox.clone();
    tasks.spawn(async move {
        while let Some(event) = events.recv().await {
            if let LinkEvent::Message { topic, payload, .. } = &event
                && let Some(Topic::Preview(ip)) = Topic::parse(topic)
            {
                viewfinder.show(ip, payload.clone());
                continue;
            }
            inbox.put(Event::Link(event)).await;
        }
    });
    link
}

/// Gives the lists also to whom else wants them.
fn watch_shelf(folder: PathBuf, inbox: &Inbox, tasks: &mut JoinSet<()>) -> watch::Receiver<Vec<TakeSummary>> {
    let inbox = inbox.clone();
    let (told, mut lists) = mpsc::unbounded_channel();
    tasks.spawn(crate::shelf::watch(folder, move |list| {
        let _ = told.send(list);
    }));
    let (show, shown) = watch::channel(Vec::new());
    tasks.spawn(async move {
        while let Some(list) = lists.recv().await {
            show.send_replace(list.clone());
            inbox.put(Event::Library(list)).await;
        }
    });
    shown
}

/// Deletes for good what has lain in the trash long enough, for ever.
async fn empty_trash(downloads: PathBuf, inbox: Inbox) {
    let mut hours = tokio::time::interval(HOUR);
    loop {
        hours.tick().await;
        let (downloads, now) = (downloads.clone(), inbox.now().wall);
        let work = tokio::task::spawn_blocking(move || trash::empty(&downloads, now, trash::KEEP));
        for outcome in work.await.unwrap_or_default() {
            match outcome {
                Ok(gone) => tracing::info!("{} has lain in the trash for a week and is deleted", gone.display()),
                Err(why) => tracing::warn!("{why}"),
            }
        }
    }
}

struct Loop {
    desk: Desk,
    hands: Hands,
    chronicler: Chronicler,
    discovery: Discovery,
    snapshots: watch::Sender<Arc<Snapshot>>,
    viewfinder: Viewfinder,
    /// What those who look ask of the nodes.
    leases: mpsc::Receiver<LeaseMessage>,
    systemd: Systemd,
    /// When the last picture was made.
    pictured: Option<Mono>,
    /// Something has happened since.
    stale: bool,
}

impl Loop {
    async fn run(
        mut self,
        mut events: mpsc::Receiver<(Now, Event)>,
        mut asked: mpsc::Receiver<Request>,
        mut stopped: oneshot::Receiver<()>,
        broker: Option<Embedded>,
    ) {
        let begin = self.desk.begin(self.hands.inbox.now());
        self.act(begin).await;
        self.show(self.hands.inbox.now());
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut tickets = 0;
        loop {
            let (now, event) = tokio::select! {
                biased;
                _ = &mut stopped => break,
                () = tokio::time::sleep(self.wait()), if self.stale => {
                    self.show(self.hands.inbox.now());
                    continue;
                }
                Some(event) = events.recv() => event,
                Some(request) = asked.recv() => {
                    tickets += 1;
                    self.hands.answers.insert(tickets, (request.answer, request.who));
                    (self.hands.inbox.now(), Event::Asked { command: request.command, asker: Asker::Door(tickets) })
                }
                Some(lease) = self.leases.recv() => {
                    self.hands.link.say(&Topic::PreviewLease, write(&lease));
                    continue;
                }
                _ = ticks.tick() => {
                    self.viewfinder.tick();
                    (self.hands.inbox.now(), Event::Tick)
                }
            };
            self.systemd.alive(now.mono);
            let quiet = matches!(event, Event::Tick);
            let effects = self.desk.on(now, event);
            self.stale |= !quiet || !effects.is_empty();
            // Before the effects: whoever gets an answer finds a picture that agrees with it.
            let answers = effects.iter().any(|effect| matches!(effect, Effect::Answer { .. }));
            if self.stale && (answers || self.wait().is_zero()) {
                self.show(now);
            }
            self.act(effects).await;
            // A refusal, or a login that failed, is in no picture.
            self.stale |= self.hands.logbook.latest() != self.snapshots.borrow().latest_event;
        }
        self.hands.leave(broker).await;
    }

    /// How long the next picture waits.
    fn wait(&self) -> Duration {
        let since = self.pictured.map(|then| self.hands.inbox.now().mono.since(then));
        since.map_or(Duration::ZERO, |since| PICTURE.saturating_sub(since))
    }

    /// Makes the picture of everything anew, and writes down what has happened since the last one.
    fn show(&mut self, now: Now) {
        (self.pictured, self.stale) = (Some(now.mono), false);
        let mut snapshot = self.desk.snapshot(now.wall);
        for happening in self.chronicler.look(&snapshot) {
            self.hands.logbook.add(now.wall, happening);
        }
        self.hands.discover(&mut self.discovery, &snapshot);
        snapshot.latest_event = self.hands.logbook.latest();
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    async fn act(&mut self, effects: Vec<Effect>) {
        let mut todo = VecDeque::from(effects);
        while let Some(effect) = todo.pop_front() {
            if let Effect::Keep(journal) = effect {
                let outcome = self.hands.keep(*journal).await;
                let now = self.hands.inbox.now();
                todo.extend(self.desk.on(now, Event::Kept(outcome)));
                self.show(now);
            } else if let Effect::KeepCameras(kept) = effect {
                if let Err(why) = self.hands.keep_cameras(*kept).await {
                    todo.extend(self.desk.on(self.hands.inbox.now(), Event::NotKept(why)));
                }
            } else {
                self.hands.act(effect);
            }
        }
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
