//! What a client is subscribed to, what waits for it, and what it has not acknowledged.
//!
//! Pure: no socket, no clock, no router. A session outlives its connection if the client asked for that. rumqttd's own
//! sessions are not used: it ends connections whose acknowledgements come in another order (`router/iobufs.rs:167`),
//! lets only 100 messages be on their way (`:18`) and knows no receive maximum.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::BytesMut;

use crate::codec::{self, Delivery, Filter, Version};
use crate::filters::Slot;
use crate::message::Message;

/// Output is taken from the queue until this many bytes wait for the socket.
const HIGH_WATER: usize = 64 << 10;
/// A message in the queue costs this many bytes besides its payload.
const OVERHEAD: usize = 200;
/// How many messages of QoS 1 and 2 are on their way to a client that names no receive maximum.
pub(crate) const WINDOW: u16 = 256;

/// One subscription.
#[derive(Debug, Clone)]
pub(crate) struct Sub {
    pub(crate) filter: Filter,
    pub(crate) id: Option<u32>,
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
    subs: HashMap<Slot, Sub>,
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
    /// Packet ids of QoS 2 that came in and are not released yet.
    incoming: HashSet<u16>,
}

impl Session {
    /// A new session that may hold back `max_bytes`.
    pub(crate) fn new(number: u64, max_bytes: usize) -> Session {
        Session {
            number,
            subs: HashMap::new(),
            slots: HashMap::new(),
            read: HashMap::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            max_bytes,
            inflight: VecDeque::new(),
            last_pkid: 0,
            window: usize::from(WINDOW),
            max_packet: usize::MAX,
            incoming: HashSet::new(),
        }
    }

    /// A connection begins: its limits hold, and what it had not acknowledged is sent again.
    pub(crate) fn connected(&mut self, version: Version, window: u16, max_packet: Option<u32>, out: &mut BytesMut) {
        self.window = usize::from(window);
        self.max_packet = max_packet.map_or(usize::MAX, |n| n as usize);
        for flight in &mut self.inflight {
            match &mut flight.delivery {
                Some(delivery) => {
                    delivery.dup = true;
                    codec::put_publish(out, version, delivery);
                }
                None => codec::put_ack(out, version, 6, flight.pkid, 0),
            }
        }
    }

    /// The filters subscribed to.
    pub(crate) fn filters(&self) -> impl Iterator<Item = &String> {
        self.slots.keys()
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
        self.subs.insert(slot, sub);
    }

    /// Changes an existing subscription's options.
    pub(crate) fn change(&mut self, sub: Sub) {
        if let Some(slot) = self.slots.get(&sub.filter.path) {
            self.subs.insert(*slot, sub);
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
        self.read.insert(slot, place).is_some_and(|last| place > last + 1)
    }

    /// A new router counts from the beginning.
    pub(crate) fn renewed(&mut self) {
        self.read.clear();
    }

    /// Whether this subscription's messages must arrive.
    pub(crate) fn promised(&self, slot: Slot) -> bool {
        self.subs.get(&slot).is_some_and(|s| s.filter.qos > 0)
    }

    /// A message that came by a filter's slot.
    pub(crate) fn offer(&mut self, slot: Slot, message: &Message, now_ms: u64) -> Offer {
        let Some(sub) = self.subs.get(&slot) else {
            return Offer::Taken;
        };
        if sub.filter.no_local && message.sender == self.number {
            return Offer::Taken;
        }
        let retain = message.retain && sub.filter.retain_as_published;
        let (qos, id) = (sub.filter.qos.min(message.qos), sub.id);
        self.enqueue(message, qos, retain, id, now_ms)
    }

    /// A retained message for a subscription just made.
    pub(crate) fn offer_retained(&mut self, sub: &Sub, message: &Message, now_ms: u64) -> Offer {
        self.enqueue(message, sub.filter.qos.min(message.qos), true, sub.id, now_ms)
    }

    fn enqueue(&mut self, message: &Message, qos: u8, retain: bool, id: Option<u32>, now_ms: u64) -> Offer {
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
            subscription_id: id,
            forward: message.forward.clone(),
            payload: message.payload.clone(),
        };
        let until_ms = left.map(|s| now_ms + u64::from(s) * 1000);
        self.queue.push_back(Queued { delivery, until_ms });
        Offer::Taken
    }

    /// Moves messages from the queue to the socket's buffer, as far as the client's window and the buffer allow.
    pub(crate) fn fill(&mut self, version: Version, out: &mut BytesMut, now_ms: u64) {
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
            // A message that the client cannot take is treated as if it had been sent (MQTT 5, 3.1.2.11.4).
            if codec::publish_size(version, &delivery) > self.max_packet {
                continue;
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
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(qos: u8, payload: &'static str) -> Message {
        Message {
            topic: "a".into(),
            payload: Bytes::from_static(payload.as_bytes()),
            qos,
            retain: false,
            sender: 7,
            at_ms: 0,
            expiry: None,
            forward: Bytes::new(),
        }
    }

    fn sub(qos: u8) -> Sub {
        let filter =
            Filter { path: "a".to_owned(), qos, no_local: false, retain_as_published: false, retain_handling: 0 };
        Sub { filter, id: None }
    }

    fn filled(session: &mut Session) -> usize {
        let mut out = BytesMut::new();
        session.fill(Version::V4, &mut out, 0);
        let mut n = 0;
        while let Ok(Some(_)) = codec::frame(&mut out, 1 << 20) {
            n += 1;
        }
        n
    }

    #[test]
    fn the_window_holds_back_and_opens_in_any_order() {
        let mut s = Session::new(1, 1 << 20);
        s.window = 2;
        s.subscribe(0, sub(1));
        for _ in 0..5 {
            assert_eq!(s.offer(0, &message(2, "x"), 0), Offer::Taken);
        }
        assert_eq!(filled(&mut s), 2);
        s.acknowledged(2);
        assert_eq!(filled(&mut s), 1);
        s.acknowledged(1);
        s.acknowledged(3);
        assert_eq!(filled(&mut s), 2);
    }

    #[test]
    fn unacknowledged_ones_come_again_marked_as_such() {
        let mut s = Session::new(1, 1 << 20);
        s.subscribe(0, sub(2));
        s.offer(0, &message(1, "x"), 0);
        s.offer(0, &message(2, "y"), 0);
        assert_eq!(filled(&mut s), 2);
        assert!(s.received(2) && !s.received(9));
        let mut out = BytesMut::new();
        s.connected(Version::V4, WINDOW, None, &mut out);
        assert_eq!(out[0], 0x3a, "PUBLISH, QoS 1, DUP");
        assert_eq!(out[out.len() - 4..], [0x62, 2, 0, 2], "PUBREL");
    }

    #[test]
    fn a_full_queue_drops_or_tells() {
        let mut s = Session::new(1, 3 * (OVERHEAD + 1));
        s.subscribe(0, sub(1));
        for _ in 0..3 {
            assert_eq!(s.offer(0, &message(0, "x"), 0), Offer::Taken);
        }
        assert_eq!(s.offer(0, &message(0, "x"), 0), Offer::Dropped);
        assert_eq!(s.offer(0, &message(1, "x"), 0), Offer::Overflow);
        assert_eq!(filled(&mut s), 3);
        assert_eq!(s.queued_bytes, 0);
    }

    #[test]
    fn own_messages_are_not_sent_back_with_no_local() {
        let mut s = Session::new(7, 1 << 20);
        let mut mine = sub(0);
        mine.filter.no_local = true;
        s.subscribe(0, mine);
        s.offer(0, &message(0, "x"), 0);
        assert_eq!(filled(&mut s), 0);
    }

    #[test]
    fn expired_in_the_queue_is_not_sent() {
        let mut s = Session::new(1, 1 << 20);
        s.subscribe(0, sub(0));
        let mut m = message(0, "x");
        m.expiry = Some(3);
        s.offer(0, &m, 1000);
        let mut out = BytesMut::new();
        s.fill(Version::V5, &mut out, 3000);
        assert!(out.is_empty());
    }

    #[test]
    fn qos_2_is_taken_once() {
        let mut s = Session::new(1, 1 << 20);
        assert!(s.incoming(5) && !s.incoming(5));
        assert!(s.release(5) && !s.release(5) && s.incoming(5));
    }
}
