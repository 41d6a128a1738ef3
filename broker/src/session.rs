//! What a client is subscribed to, what waits for it, and what it has not acknowledged.
//!
//! Pure: no socket, no clock, no router. A session outlives its connection if the client asked for that. rumqttd's own
//! sessions are not used: it ends connections whose acknowledgements come in another order (`router/iobufs.rs:167`),
//! lets only 100 messages be on their way (`:18`) and knows no receive maximum.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;

use crate::codec::{self, Alias, Delivery, Filter, Props, Version};
use crate::filters::Slot;
use crate::message::Message;
use crate::topic;

/// Output is taken from the queue until this many bytes wait for the socket.
const HIGH_WATER: usize = 64 << 10;
/// A message in the queue costs this many bytes besides its payload.
const OVERHEAD: usize = 200;
/// How many messages of QoS 1 and 2 are on their way to a client that names no receive maximum.
pub(crate) const WINDOW: u16 = 256;
/// Topics that get a number of their own, if the client takes so many.
const ALIASES: u16 = 64;

/// One subscription.
#[derive(Debug, Clone)]
pub(crate) struct Sub {
    pub(crate) filter: Filter,
    pub(crate) id: Option<u32>,
}

#[derive(Debug)]
struct Entry {
    sub: Sub,
    /// Counts up: the oldest subscription has the smallest.
    age: u64,
}

#[derive(Debug)]
struct Queued {
    delivery: Delivery,
    /// When it becomes worthless, in milliseconds since the broker's start.
    until_ms: Option<u64>,
}

#[derive(Debug)]
struct Inflight {
    pkid: u16,
    /// Kept to be sent again; `None` once the client has it (PUBREC came).
    delivery: Option<Delivery>,
}

/// What became of a message that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Queued, or not meant for this client.
    Taken,
    /// No room, and nobody was promised that it arrives.
    Dropped,
    /// No room for a message of QoS 1 or 2.
    Overflow,
}

/// A client's session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Never used twice; what no-local goes by.
    pub(crate) number: u64,
    subs: HashMap<Slot, Entry>,
    ages: u64,
    slots: HashMap<String, Slot>,
    /// Place in each filter's log of the last message that came.
    read: HashMap<Slot, u64>,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    max_bytes: usize,
    inflight: VecDeque<Inflight>,
    last_pkid: u16,
    /// Of the current connection.
    window: usize,
    max_packet: usize,
    /// Topics that the current connection knows by a number, and how many it may.
    aliases: HashMap<Arc<str>, u16>,
    max_aliases: usize,
    /// Packet ids of QoS 2 that came in and are not released yet.
    incoming: HashSet<u16>,
}

impl Session {
    /// A new session that may hold back `max_bytes`.
    pub(crate) fn new(number: u64, max_bytes: usize) -> Session {
        Session {
            number,
            subs: HashMap::new(),
            ages: 0,
            slots: HashMap::new(),
            read: HashMap::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            max_bytes,
            inflight: VecDeque::new(),
            last_pkid: 0,
            window: usize::from(WINDOW),
            max_packet: usize::MAX,
            aliases: HashMap::new(),
            max_aliases: 0,
            incoming: HashSet::new(),
        }
    }

    /// A connection begins: its limits hold, and what it had not acknowledged is sent again.
    pub(crate) fn connected(&mut self, version: Version, props: &Props, out: &mut BytesMut) {
        self.window = usize::from(props.receive_max.unwrap_or(WINDOW).min(WINDOW));
        self.max_packet = props.max_packet.map_or(usize::MAX, |n| n as usize);
        self.max_aliases = usize::from(props.topic_alias_max.unwrap_or(0).min(ALIASES));
        self.aliases = HashMap::new();
        for flight in &mut self.inflight {
            match &mut flight.delivery {
                Some(delivery) => {
                    delivery.dup = true;
                    delivery.alias = None;
                    codec::put_publish(out, version, delivery);
                }
                None => codec::put_ack(out, version, 6, flight.pkid, 0),
            }
        }
    }

    /// The filters subscribed to, with their numbers.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (&String, Slot)> {
        self.slots.iter().map(|(filter, slot)| (filter, *slot))
    }

    /// Whether it shares a subscription with others.
    pub(crate) fn shares(&self) -> bool {
        self.slots.keys().any(|filter| topic::shared(filter).is_some())
    }

    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.subs.len()
    }

    /// Whether there is a subscription with exactly this filter.
    pub(crate) fn has(&self, filter: &str) -> bool {
        self.slots.contains_key(filter)
    }

    /// Enters a subscription, or changes the one with the same filter.
    pub(crate) fn subscribe(&mut self, slot: Slot, sub: Sub) {
        self.slots.insert(sub.filter.path.clone(), slot);
        self.ages += 1;
        self.subs.insert(slot, Entry { sub, age: self.ages });
    }

    /// Changes an existing subscription's options.
    pub(crate) fn change(&mut self, sub: Sub) {
        if let Some(entry) = self.slots.get(&sub.filter.path).and_then(|slot| self.subs.get_mut(slot)) {
            entry.sub = sub;
        }
    }

    /// Takes a subscription out.
    pub(crate) fn unsubscribe(&mut self, filter: &str) -> Option<Slot> {
        let slot = self.slots.remove(filter)?;
        self.subs.remove(&slot);
        self.read.remove(&slot);
        Some(slot)
    }

    /// Whether messages were skipped before this place in a filter's log: rumqttd drops the oldest of a full log and
    /// tells nobody (`router/routing.rs:1512`).
    pub(crate) fn gap(&mut self, slot: Slot, place: u64) -> bool {
        // What still comes by a filter that was given up must not stand there when the number comes back.
        self.subs.contains_key(&slot) && self.read.insert(slot, place).is_some_and(|last| place > last + 1)
    }

    /// A new router counts from the beginning.
    pub(crate) fn renewed(&mut self) {
        self.read.clear();
    }

    /// Whether this subscription's messages must arrive.
    pub(crate) fn promised(&self, slot: Slot) -> bool {
        self.subs.get(&slot).is_some_and(|e| e.sub.filter.qos > 0)
    }

    /// A message that came by a filter's slot. If it comes by `others` too, the client gets it once, by its oldest
    /// subscription, with the highest QoS and the identifiers of all.
    ///
    /// The oldest, because it certainly was there when the message was routed if a younger one was.
    pub(crate) fn offer(&mut self, slot: Slot, others: &[Slot], message: &Message, now_ms: u64) -> Offer {
        let wanted = |entry: &&Entry| !entry.sub.filter.no_local || message.sender != self.number;
        let Some(mine) = self.subs.get(&slot).filter(wanted) else {
            return Offer::Taken;
        };
        let (mut qos, mut keeps) = (mine.sub.filter.qos, mine.sub.filter.retain_as_published);
        let mut ids: Vec<u32> = mine.sub.id.into_iter().collect();
        if self.subs.len() > 1 && others.contains(&slot) {
            for other in others.iter().filter(|s| **s != slot).filter_map(|s| self.subs.get(s)).filter(wanted) {
                if other.age < mine.age {
                    return Offer::Taken;
                }
                qos = qos.max(other.sub.filter.qos);
                keeps |= other.sub.filter.retain_as_published;
                ids.extend(other.sub.id);
            }
        }
        self.enqueue(message, qos.min(message.qos), message.retain && keeps, ids, now_ms)
    }

    /// A retained message for a subscription just made.
    pub(crate) fn offer_retained(&mut self, sub: &Sub, message: &Message, now_ms: u64) -> Offer {
        self.enqueue(message, sub.filter.qos.min(message.qos), true, sub.id.into_iter().collect(), now_ms)
    }

    fn enqueue(&mut self, message: &Message, qos: u8, retain: bool, ids: Vec<u32>, now_ms: u64) -> Offer {
        let Ok(left) = message.left(now_ms) else {
            return Offer::Taken;
        };
        let cost = message.payload.len() + OVERHEAD;
        if self.queued_bytes + cost > self.max_bytes {
            return if qos == 0 { Offer::Dropped } else { Offer::Overflow };
        }
        self.queued_bytes += cost;
        let delivery = Delivery {
            dup: false,
            qos,
            retain,
            topic: message.topic.clone(),
            pkid: 0,
            expiry: left,
            subscription_ids: ids,
            alias: None,
            forward: message.forward.clone(),
            payload: message.payload.clone(),
        };
        let until_ms = left.map(|s| now_ms + u64::from(s) * 1000);
        self.queue.push_back(Queued { delivery, until_ms });
        Offer::Taken
    }

    /// Moves messages from the queue to the socket's buffer, as far as the client's window and the buffer allow.
    pub(crate) fn fill(&mut self, version: Version, out: &mut BytesMut, now_ms: u64) {
        if out.is_empty() {
            out.reserve(self.queued_bytes.min(HIGH_WATER));
        }
        while out.len() < HIGH_WATER {
            match self.queue.front() {
                Some(q) if q.delivery.qos == 0 || self.inflight.len() < self.window => {}
                _ => return,
            }
            let Some(Queued { mut delivery, until_ms }) = self.queue.pop_front() else {
                return;
            };
            self.queued_bytes -= delivery.payload.len() + OVERHEAD;
            if let Some(until) = until_ms {
                match until.saturating_sub(now_ms).div_ceil(1000) {
                    0 => continue,
                    left => delivery.expiry = Some(u32::try_from(left).unwrap_or(u32::MAX)),
                }
            }
            delivery.alias = self.alias(&delivery.topic);
            // A message that the client cannot take is treated as if it had been sent (MQTT 5, 3.1.2.11.4).
            if codec::publish_size(version, &delivery) > self.max_packet {
                continue;
            }
            if let Some(Alias { number, known: false }) = delivery.alias {
                self.aliases.insert(delivery.topic.clone(), number);
            }
            if delivery.qos > 0 {
                delivery.pkid = self.next_pkid();
                codec::put_publish(out, version, &delivery);
                self.inflight.push_back(Inflight { pkid: delivery.pkid, delivery: Some(delivery) });
            } else {
                codec::put_publish(out, version, &delivery);
            }
        }
        if self.queue.is_empty() && self.queue.capacity() > 1024 {
            self.queue = VecDeque::new();
        }
    }

    /// The number that stands for a topic: the first ones get one, as many as the client allows.
    fn alias(&self, topic: &Arc<str>) -> Option<Alias> {
        match self.aliases.get(topic) {
            Some(number) => Some(Alias { number: *number, known: true }),
            None if self.aliases.len() < self.max_aliases => {
                Some(Alias { number: u16::try_from(self.aliases.len() + 1).ok()?, known: false })
            }
            None => None,
        }
    }

    fn next_pkid(&mut self) -> u16 {
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if !self.inflight.iter().any(|f| f.pkid == self.last_pkid) {
                return self.last_pkid;
            }
        }
    }

    /// PUBACK or PUBCOMP: done.
    pub(crate) fn acknowledged(&mut self, pkid: u16) {
        if let Some(i) = self.inflight.iter().position(|f| f.pkid == pkid) {
            self.inflight.remove(i);
        }
    }

    /// PUBREC: the client has it. False: this id is not on its way.
    pub(crate) fn received(&mut self, pkid: u16) -> bool {
        match self.inflight.iter_mut().find(|f| f.pkid == pkid) {
            Some(flight) => {
                flight.delivery = None;
                true
            }
            None => false,
        }
    }

    /// PUBLISH of QoS 2 came in. False: it was there already (rumqttd would deliver it twice).
    pub(crate) fn incoming(&mut self, pkid: u16) -> bool {
        self.incoming.insert(pkid)
    }

    /// How many QoS 2 messages came in and were not released.
    pub(crate) fn unreleased(&self) -> usize {
        self.incoming.len()
    }

    /// PUBREL came in. False: nothing of that id was there.
    pub(crate) fn release(&mut self, pkid: u16) -> bool {
        self.incoming.remove(&pkid)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
