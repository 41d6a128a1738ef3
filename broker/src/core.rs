//! The thread through which everything goes into the router, in one order for all.
//!
//! It knows what every session is subscribed to, so when a router dies or does not answer, a new one gets the same
//! links and subscriptions and the messages that the old one had not confirmed, and no client notices.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rumqttd::local::{LinkRx, LinkTx};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use crate::filters::{Filters, Slot};
use crate::held::{Link, Note};
use crate::logs::Logs;
use crate::message::Message;
use crate::router::{Gone, Router};

/// The router is asked for a sign of life this often when nothing else goes through it.
const PROBE: Duration = Duration::from_millis(150);
/// Operations between two confirmations.
const BATCH: usize = 512;
/// How long sessions are waited for that have not taken what is on a full log. They do within a millisecond; what is
/// longer is one that is just being handed to another connection, or a machine that does nothing else either.
const CATCH_UP: Duration = Duration::from_millis(100);

/// What the thread is asked to do.
pub(crate) enum Op {
    /// Route a message; tell when that is done.
    Publish(Message, Option<Done>),
    /// Route nothing, but tell in the order of the others.
    Pass(Done),
    /// Open a link for a session, subscribed to these filters.
    Open(Vec<Slot>, oneshot::Sender<Link>),
    /// Link, filter.
    Subscribe(usize, Slot),
    /// Link, filter.
    Unsubscribe(usize, Slot),
    /// The session has ended.
    Release(Link),
    /// Kill the router (or let it hang), to show that nobody notices.
    Break(bool),
    /// End the thread.
    Stop,
}

/// Whom to tell that a message has been routed.
pub(crate) struct Done {
    pub(crate) to: mpsc::UnboundedSender<Note>,
    pub(crate) note: Note,
}

/// A restart of the router.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restart {
    pub(crate) why: Gone,
    /// From noticing to routing again.
    pub(crate) took: Duration,
}

struct Entry {
    tx: LinkTx,
    slots: BTreeSet<Slot>,
    turned: Arc<AtomicU64>,
    fresh: mpsc::UnboundedSender<LinkRx>,
}

struct Core {
    filters: Arc<RwLock<Filters>>,
    max_links: usize,
    router: Router,
    entries: Vec<Entry>,
    pool: Vec<Link>,
    logs: Logs,
    /// How often a log was turned.
    turns: u64,
    /// Published since the last confirmation.
    batch: Vec<(Option<Message>, Option<Done>)>,
    restarted: Box<dyn Fn(Restart) + Send>,
}

/// Starts the thread. `restarted` is called after each restart of the router.
pub(crate) fn start(
    filters: Arc<RwLock<Filters>>,
    max_links: usize,
    restarted: Box<dyn Fn(Restart) + Send>,
) -> std::io::Result<Sender<Op>> {
    let router = Router::start(max_links).map_err(|gone| std::io::Error::other(gone.why()))?;
    let (tx, rx) = std::sync::mpsc::channel();
    let core = Core {
        filters,
        max_links,
        router,
        entries: Vec::new(),
        pool: Vec::new(),
        logs: Logs::default(),
        turns: 0,
        batch: Vec::new(),
        restarted,
    };
    std::thread::Builder::new().name("mqtt-core".to_owned()).spawn(move || core.run(&rx))?;
    Ok(tx)
}

impl Core {
    fn run(mut self, ops: &Receiver<Op>) {
        loop {
            let mut next = match ops.recv_timeout(PROBE) {
                Ok(op) => Some(op),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut n = 0;
            while let Some(op) = next.take() {
                if matches!(op, Op::Stop) {
                    return;
                }
                self.apply(op);
                n += 1;
                if n < BATCH {
                    next = ops.try_recv().ok();
                }
            }
            while let Some(slot) = self.logs.due(crate::clock::now()) {
                self.turn(slot);
            }
            self.confirm();
        }
    }

    /// Does one operation. What the table says is done first, so that a restart in the middle does the rest.
    fn apply(&mut self, op: Op) {
        let result = match op {
            Op::Publish(message, done) => {
                let routed = self.route(&message);
                self.batch.push((Some(message), done));
                routed
            }
            Op::Pass(done) => {
                self.batch.push((None, Some(done)));
                Ok(())
            }
            Op::Open(slots, reply) => {
                self.open(slots, reply);
                Ok(())
            }
            Op::Subscribe(link, slot) => self.subscribe(link, slot),
            Op::Unsubscribe(link, slot) => self.unsubscribe(link, slot),
            Op::Release(link) => self.release(link),
            Op::Break(hang) => {
                if hang {
                    self.router.stick();
                } else {
                    self.router.break_it();
                }
                Ok(())
            }
            Op::Stop => Ok(()),
        };
        if let Err(gone) = result {
            self.restart(gone);
        }
    }

    fn route(&mut self, message: &Message) -> Result<(), Gone> {
        let now = crate::clock::now();
        let found = self.filters.read().unwrap_or_else(PoisonError::into_inner).matching(&message.topic);
        for (slots, together) in [(&found.all, &found.all[..]), (&found.one, &[])] {
            if slots.is_empty() {
                continue;
            }
            let (header, payload) = message.packed(together);
            for slot in slots {
                self.router.publish(*slot, header.clone(), payload.clone());
                if self.logs.grown(*slot, payload.len(), now) {
                    self.relieve(*slot)?;
                }
            }
        }
        Ok(())
    }

    fn turn(&mut self, slot: Slot) {
        self.turns += 1;
        self.router.turn(slot, self.turns);
    }

    /// Turns a full log and waits until its sessions have taken what is on it, so that nothing is dropped unread however
    /// much comes at once. Who sends waits with it.
    fn relieve(&mut self, slot: Slot) -> Result<(), Gone> {
        self.turn(slot);
        self.router.flush()?;
        let deadline = crate::clock::now() + CATCH_UP;
        for entry in self.entries.iter().filter(|entry| entry.slots.contains(&slot)) {
            while entry.turned.load(Ordering::Relaxed) < self.turns && crate::clock::now() < deadline {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        Ok(())
    }

    fn subscribe(&mut self, link: usize, slot: Slot) -> Result<(), Gone> {
        self.entries.get_mut(link).map_or(Ok(()), |entry| {
            entry.slots.insert(slot);
            self.router.subscribe(&mut entry.tx, slot)
        })
    }

    fn unsubscribe(&mut self, link: usize, slot: Slot) -> Result<(), Gone> {
        let Some(entry) = self.entries.get_mut(link) else { return Ok(()) };
        entry.slots.remove(&slot);
        self.router.unsubscribe(&mut entry.tx, slot)
    }

    fn open(&mut self, slots: Vec<Slot>, reply: oneshot::Sender<Link>) {
        // A restart gives every pooled link its new receiver, so after it the same is simply tried again; a link that
        // cannot be had at all lets `reply` fall, and the session ends.
        for _ in 0..3 {
            match self.link() {
                Ok(link) => {
                    let number = link.number;
                    for slot in slots {
                        if let Err(gone) = self.subscribe(number, slot) {
                            self.restart(gone);
                        }
                    }
                    if let Err(link) = reply.send(link)
                        && let Err(gone) = self.release(link)
                    {
                        self.restart(gone);
                    }
                    return;
                }
                Err(gone) => self.restart(gone),
            }
        }
    }

    /// A pooled link behind a mark, or a new one.
    fn link(&mut self) -> Result<Link, Gone> {
        if let Some(link) = self.pool.last_mut()
            && let Some(entry) = self.entries.get_mut(link.number)
        {
            self.router.mark(&mut entry.tx)?;
            link.marks += 1;
        }
        if let Some(link) = self.pool.pop() {
            link.turned.store(0, Ordering::Relaxed);
            return Ok(link);
        }
        let (tx, rx) = self.router.open()?;
        let (fresh_tx, fresh) = mpsc::unbounded_channel();
        let turned = Arc::new(AtomicU64::new(0));
        self.entries.push(Entry { tx, slots: BTreeSet::new(), turned: turned.clone(), fresh: fresh_tx });
        Ok(Link { number: self.entries.len() - 1, rx, marks: 0, asleep: false, turned, fresh })
    }

    fn release(&mut self, mut link: Link) -> Result<(), Gone> {
        if let Ok(rx) = link.fresh.try_recv() {
            link.rx = rx;
            link.marks = 0;
            link.asleep = false;
        }
        let number = link.number;
        self.pool.push(link);
        let Some(entry) = self.entries.get_mut(number) else {
            return Ok(());
        };
        for slot in std::mem::take(&mut entry.slots) {
            self.router.unsubscribe(&mut entry.tx, slot)?;
        }
        Ok(())
    }

    /// Waits until the router has everything, then tells the senders.
    fn confirm(&mut self) {
        while let Err(gone) = self.router.fence() {
            self.restart(gone);
        }
        for (_, done) in self.batch.drain(..) {
            if let Some(done) = done {
                let _ = done.to.send(done.note);
            }
        }
    }

    /// A new router with the same links, subscriptions and unconfirmed messages.
    fn restart(&mut self, gone: Gone) {
        let from = crate::clock::now();
        error!(why = gone.why(), "the broker's router is replaced");
        while let Err(again) = self.rebuild() {
            error!(why = again.why(), "the new router failed too, once more");
            std::thread::sleep(Duration::from_millis(50));
        }
        let restart = Restart { why: gone, took: from.elapsed() };
        info!(took_ms = restart.took.as_millis(), links = self.entries.len(), "the broker routes again");
        (self.restarted)(restart);
    }

    fn rebuild(&mut self) -> Result<(), Gone> {
        self.router = Router::start(self.max_links)?;
        self.logs.renewed();
        for (number, entry) in self.entries.iter_mut().enumerate() {
            let (tx, rx) = self.router.open()?;
            entry.tx = tx;
            for slot in &entry.slots {
                self.router.subscribe(&mut entry.tx, *slot)?;
            }
            match self.pool.iter_mut().find(|l| l.number == number) {
                Some(pooled) => {
                    pooled.rx = rx;
                    pooled.marks = 0;
                    pooled.asleep = false;
                }
                None => drop(entry.fresh.send(rx)),
            }
        }
        let batch = std::mem::take(&mut self.batch);
        let routed = batch.iter().filter_map(|(message, _)| message.as_ref()).try_for_each(|m| self.route(m));
        self.batch = batch;
        routed.and_then(|()| self.router.flush())
    }
}
