//! What all connections share: who is there, what is retained, the way into the router.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, error, info, warn};

use crate::config::Config;
use crate::core::{self, Done, Op, Restart};
use crate::door::Door;
use crate::event::Event;
use crate::filters::{Filters, Slot};
use crate::held::{Held, Link, Note, Takeover};
use crate::lock::lock;
use crate::message::Message;
use crate::persist;
use crate::retained::Retained;
use crate::session::Session;

struct Owner {
    number: u64,
    notes: mpsc::UnboundedSender<Note>,
}

/// The shared state.
pub(crate) struct Hub {
    pub(crate) config: Config,
    core: Sender<Op>,
    filters: Arc<RwLock<Filters>>,
    retained: Mutex<Retained>,
    owners: Mutex<HashMap<String, Owner>>,
    events: mpsc::Sender<Event>,
    pub(crate) door: Arc<Door>,
    pub(crate) restarts: Arc<AtomicU64>,
    pub(crate) listener_restarts: AtomicU64,
    numbers: AtomicU64,
    started: Instant,
    /// True when the broker stops.
    pub(crate) stopping: watch::Sender<bool>,
}

impl Hub {
    /// Starts the router.
    pub(crate) fn start(config: Config, events: mpsc::Sender<Event>) -> std::io::Result<Arc<Hub>> {
        let filters = Arc::new(RwLock::new(Filters::default()));
        let told = events.clone();
        let restarts = Arc::new(AtomicU64::new(0));
        let counted = restarts.clone();
        let restarted = move |restart: Restart| {
            let event = Event::Restarted { why: restart.why.why().to_owned(), took: restart.took };
            counted.fetch_add(1, Ordering::Relaxed);
            tell(&told, event);
        };
        // Every session may have a link: of connected clients, of absent ones (twice as many, at their most), and a few
        // for tests. A router that is asked for more than it has room for would look like a dead one.
        let max_links = config.limits.connections * 3 + 64;
        let core = core::start(filters.clone(), max_links, Box::new(restarted))?;
        Ok(Arc::new(Hub {
            config,
            core,
            filters,
            retained: Mutex::default(),
            owners: Mutex::default(),
            events,
            door: Arc::default(),
            restarts,
            listener_restarts: AtomicU64::new(0),
            numbers: AtomicU64::new(1),
            started: crate::clock::now(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Milliseconds since the start.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A number that is never given twice.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Tells the controller.
    pub(crate) fn event(&self, event: Event) {
        tell(&self.events, event);
    }

    /// Keeps what is to be retained and routes the message. `done` is told in any case.
    pub(crate) fn publish(&self, client: &str, message: Message, done: Option<Done>) {
        if message.retain {
            if self.config.never_retained.iter().any(|prefix| message.topic.starts_with(prefix.as_str())) {
                let (topic, payload) = (message.topic.to_string(), message.payload);
                self.event(Event::RetainRefused { client: client.to_owned(), topic, payload });
                if let Some(done) = done {
                    self.op(Op::Pass(done));
                }
                return;
            }
            // Before it is routed: who subscribes now gets it from the store or from the router, or twice, never not.
            let weighty = !self.config.seldom_saved.iter().any(|prefix| message.topic.starts_with(prefix.as_str()));
            if !lock(&self.retained).set(&message, self.config.limits.retained, weighty) {
                warn!(client, topic = %message.topic, "no room to retain this message, it is only passed on");
            }
        }
        self.op(Op::Publish(message, done));
    }

    /// How many messages are retained.
    pub(crate) fn retained_count(&self) -> usize {
        lock(&self.retained).len()
    }

    /// Reads the retained messages that were kept over a restart.
    pub(crate) fn load(&self) -> std::io::Result<()> {
        let Some(path) = &self.config.retained_file else { return Ok(()) };
        match persist::load(path)? {
            Ok(messages) => {
                let mut retained = lock(&self.retained);
                for message in messages {
                    retained.set(&message, self.config.limits.retained, false);
                }
                info!(path = %path.display(), messages = retained.len(), "retained messages read");
            }
            Err(aside) => {
                error!(path = %path.display(), aside = %aside.display(), "the file of retained messages is damaged");
            }
        }
        Ok(())
    }

    /// Writes them, if they have changed since `version` (`None`: in any case); the new version. Blocks on the disk.
    pub(crate) fn save(&self, version: Option<u64>) -> Option<u64> {
        let path = self.config.retained_file.as_ref()?;
        let (bytes, now) = {
            let mut retained = lock(&self.retained);
            retained.expire(self.now_ms());
            if version == Some(retained.version()) {
                return version;
            }
            (persist::encode(retained.all(), self.now_ms()), retained.version())
        };
        match persist::save(path, &bytes) {
            Ok(()) => Some(now),
            Err(error) => {
                error!(path = %path.display(), %error, "cannot write the retained messages, trying again");
                version
            }
        }
    }

    /// The retained messages that belong to a filter.
    pub(crate) fn retained(&self, filter: &str) -> Vec<Message> {
        lock(&self.retained).matching(filter, self.now_ms())
    }

    /// One more subscriber of a filter. It gets nothing until its link is told the number.
    pub(crate) fn add_filter(&self, filter: &str) -> Slot {
        self.filters.write().unwrap_or_else(PoisonError::into_inner).add(filter)
    }

    /// From now on this link gets what belongs to a filter.
    pub(crate) fn subscribe(&self, link: &Link, slot: Slot) {
        self.op(Op::Subscribe(link.number, slot));
    }

    /// One subscriber less. Out of the router first, so that the slot cannot be another filter's meanwhile.
    pub(crate) fn remove_filter(&self, link: &Link, filter: &str, slot: Slot) {
        self.op(Op::Unsubscribe(link.number, slot));
        self.filters.write().unwrap_or_else(PoisonError::into_inner).remove(filter, slot);
    }

    /// A way out of the router, subscribed to these filters. They count from the moment of the call, not from the
    /// moment that the link is there.
    pub(crate) async fn link(&self, slots: Vec<Slot>) -> Option<Link> {
        let (reply, link) = oneshot::channel();
        self.op(Op::Open(slots, reply));
        link.await.ok()
    }

    /// Takes a client id (with its account). What was its owner before gives up its session, or ends it if `clean`.
    pub(crate) async fn attach(
        &self,
        key: &str,
        clean: bool,
    ) -> (Option<Box<Held>>, u64, mpsc::UnboundedReceiver<Note>) {
        let (tx, notes) = mpsc::unbounded_channel();
        let number = self.number();
        let owner = Owner { number, notes: tx };
        let before = {
            let mut owners = lock(&self.owners);
            // Whoever comes later than this is not told by `stop`.
            if *self.stopping.borrow() {
                let _ = owner.notes.send(Note::Stop);
            }
            owners.insert(key.to_owned(), owner)
        };
        let Some(before) = before else {
            return (None, number, notes);
        };
        debug!(key, "another connection with the same client id takes over");
        let (reply, held) = oneshot::channel();
        if before.notes.send(Note::Takeover(Takeover { clean, reply })).is_err() {
            return (None, number, notes);
        }
        let held = tokio::time::timeout(Duration::from_secs(5), held).await;
        (held.ok().and_then(Result::ok), number, notes)
    }

    /// Tells everybody that the broker stops.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
        for owner in lock(&self.owners).values() {
            let _ = owner.notes.send(Note::Stop);
        }
    }

    /// A sender of notes to the owner of a client id, for messages that it publishes.
    pub(crate) fn notes(&self, key: &str, number: u64) -> Option<mpsc::UnboundedSender<Note>> {
        lock(&self.owners).get(key).filter(|o| o.number == number).map(|o| o.notes.clone())
    }

    /// Gives a client id free, unless another connection has it already.
    pub(crate) fn detach(&self, key: &str, number: u64) {
        let mut owners = lock(&self.owners);
        if owners.get(key).is_some_and(|o| o.number == number) {
            owners.remove(key);
        }
    }

    /// How many client ids are in use, by connections and by kept sessions.
    pub(crate) fn owners(&self) -> usize {
        lock(&self.owners).len()
    }

    /// Ends a session.
    pub(crate) fn end(&self, held: Held) {
        if let Some(link) = held.link {
            // Nobody takes anything from it any more, so nobody waits for that either.
            link.turned.store(u64::MAX, Ordering::Relaxed);
            self.op(Op::Release(link));
        }
        let mut filters = self.filters.write().unwrap_or_else(PoisonError::into_inner);
        for (filter, slot) in held.session.filters() {
            filters.remove(filter, slot);
        }
    }

    /// The client of a session is gone, or has come back: others of its groups get what it would get.
    pub(crate) fn away(&self, session: &Session, away: bool) {
        if !session.shares() {
            return;
        }
        let mut filters = self.filters.write().unwrap_or_else(PoisonError::into_inner);
        for (filter, slot) in session.filters() {
            filters.away(filter, slot, away);
        }
    }

    /// Something for the router. Its thread lives as long as the hub, so this cannot fail.
    pub(crate) fn op(&self, op: Op) {
        let _ = self.core.send(op);
    }
}

fn tell(events: &mpsc::Sender<Event>, event: Event) {
    if let Err(e) = events.try_send(event) {
        debug!(event = ?e.into_inner(), "nobody takes the broker's events");
    }
}
