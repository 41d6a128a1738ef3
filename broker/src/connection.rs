//! One client's connection: what it sends, what it gets, when it ends.
//!
//! One task does all of it and never waits for one thing alone, so a client that stops reading, stops sending or sends
//! too fast costs nothing but itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::codec::{self, Bad, Connect, Packet, Publish, Version, Will};
use crate::core::{Done, Op};
use crate::event::Event;
use crate::hub::{Held, Hub, Note, Routed, Takeover};
use crate::message::Message;
use crate::outlet::{self, Outcome};
use crate::parked;
use crate::rights::{self, Role, Wish};
use crate::session::{Offer, Sub, WINDOW};

/// Unconfirmed publishes of one client, in messages and bytes; above it is not read from.
const UNCONFIRMED: usize = 1024;
const UNCONFIRMED_BYTES: usize = 8 << 20;
/// Unsent bytes above which a client is not read from.
const UNSENT: usize = 256 << 10;
/// Topic aliases that a client may set.
pub(crate) const ALIASES: u16 = 64;
/// QoS 2 messages that a client may leave unreleased, and the receive maximum it is told.
pub(crate) const RECEIVE_MAX: u16 = 1024;

/// Why a connection ends.
enum End {
    /// The peer is gone, or the network.
    Lost,
    /// DISCONNECT: whether the will is wanted, and another session expiry.
    Asked(bool, Option<u32>),
    /// It broke the protocol.
    Bad(Bad),
    /// Another reason of ours, as version 5 calls it.
    Ours(u8, &'static str),
    /// Another connection has the same client id.
    Taken(Takeover),
    /// The broker stops.
    Stopping,
}

/// What the handshake found out.
pub(crate) struct Client<S> {
    pub(crate) hub: Arc<Hub>,
    pub(crate) name: String,
    /// What its session is owned by: account and client id.
    pub(crate) key: String,
    pub(crate) number: u64,
    pub(crate) read: ReadHalf<S>,
    pub(crate) write: WriteHalf<S>,
    /// Came after CONNECT already.
    pub(crate) input: BytesMut,
    /// CONNACK.
    pub(crate) output: BytesMut,
    pub(crate) held: Held,
    pub(crate) notes: mpsc::UnboundedReceiver<Note>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Name and role; `None` when there are no accounts.
    pub(crate) account: Option<(String, Role)>,
    /// Seconds that the session outlives this connection.
    pub(crate) expiry: u32,
    pub(crate) connect: Connect,
}

/// A client whose CONNECT was accepted.
struct Connection<S> {
    hub: Arc<Hub>,
    client: String,
    key: String,
    number: u64,
    version: Version,
    read: ReadHalf<S>,
    write: WriteHalf<S>,
    input: BytesMut,
    output: BytesMut,
    /// Written but not flushed.
    unflushed: bool,
    held: Held,
    notes: mpsc::UnboundedReceiver<Note>,
    own_notes: mpsc::UnboundedSender<Note>,
    stop: watch::Receiver<bool>,
    will: Option<Will>,
    /// Name and role; `None` when there are no accounts.
    account: Option<(String, Role)>,
    /// Seconds that the session outlives this connection.
    expiry: u32,
    keep_alive: Option<Duration>,
    aliases: HashMap<u16, Arc<str>>,
    unconfirmed: usize,
    unconfirmed_bytes: usize,
    heard: Instant,
    progress: Instant,
    slow_told: bool,
}

/// Serves a client to its last byte.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Send + Unpin>(client: Client<S>) {
    Connection::new(client).run().await;
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection<S> {
    fn new(client: Client<S>) -> Connection<S> {
        let Client {
            hub,
            name,
            key,
            number,
            read,
            write,
            input,
            mut output,
            mut held,
            notes,
            stop,
            account,
            expiry,
            connect,
        } = client;
        let version = connect.version;
        let window = connect.props.receive_max.unwrap_or(WINDOW).min(WINDOW);
        held.session.connected(version, window, connect.props.max_packet, &mut output);
        Connection {
            own_notes: hub.notes(&key, number).unwrap_or_else(|| mpsc::unbounded_channel().0),
            client: name,
            key,
            number,
            version,
            read,
            write,
            input,
            output,
            unflushed: false,
            held,
            notes,
            stop,
            will: connect.will,
            account,
            expiry,
            keep_alive: (connect.keep_alive > 0).then(|| Duration::from_secs(u64::from(connect.keep_alive)) * 3 / 2),
            aliases: HashMap::new(),
            unconfirmed: 0,
            unconfirmed_bytes: 0,
            heard: crate::clock::timer(),
            progress: crate::clock::timer(),
            slow_told: false,
            hub,
        }
    }

    async fn run(mut self) {
        let end = loop {
            match self.turn().await {
                Ok(()) => {}
                Err(end) => break end,
            }
        };
        self.finish(end).await;
    }

    /// Handles what is there, then waits for one more thing to happen.
    async fn turn(&mut self) -> Result<(), End> {
        while self.may_read() {
            match codec::frame(&mut self.input, self.hub.config.limits.packet).map_err(End::Bad)? {
                Some(frame) => {
                    let packet = codec::decode(frame, self.version).map_err(End::Bad)?;
                    self.heard = crate::clock::timer();
                    self.packet(packet).await?;
                }
                None => break,
            }
        }
        if self.input.is_empty() && self.input.capacity() > 2 * UNSENT {
            self.input = BytesMut::new();
        }
        self.held.session.fill(self.version, &mut self.output, self.hub.now_ms());
        let readable = self.may_read();
        let writable = !self.output.is_empty() || self.unflushed;
        let deadline = self.deadline();
        tokio::select! {
            n = read_some(&mut self.read, &mut self.input), if readable => {
                if n.map_err(|_| End::Lost)? == 0 {
                    return Err(End::Lost);
                }
            }
            n = write_some(&mut self.write, &mut self.output, &mut self.unflushed), if writable => {
                n.map_err(|_| End::Lost)?;
                self.progress = crate::clock::timer();
                if self.output.is_empty() && self.output.capacity() > 2 * UNSENT {
                    self.output = BytesMut::new();
                }
            }
            outcome = outlet::next(&self.hub, &mut self.held) => self.outcome(outcome)?,
            note = self.notes.recv() => match note {
                Some(Note::Routed(routed)) => self.routed(routed),
                Some(Note::Takeover(takeover)) => return Err(End::Taken(takeover)),
                None => return Err(End::Stopping),
            },
            () = stopped(&mut self.stop) => return Err(End::Stopping),
            () = sleep_until(deadline) => self.check_time()?,
        }
        Ok(())
    }

    fn may_read(&self) -> bool {
        self.unconfirmed < UNCONFIRMED && self.unconfirmed_bytes < UNCONFIRMED_BYTES && self.output.len() < UNSENT
    }

    fn deadline(&self) -> Instant {
        let stall = self.progress + self.hub.config.limits.stall;
        let day = crate::clock::timer() + Duration::from_secs(24 * 3600);
        let quiet = self.keep_alive.map_or(day, |k| self.heard + k);
        if self.output.is_empty() { quiet } else { quiet.min(stall.max(crate::clock::timer())) }
    }

    /// The keep alive counts what the client sends, so a half-open connection dies also while messages flow to it.
    fn check_time(&mut self) -> Result<(), End> {
        let now = crate::clock::timer();
        // A client that is not read from because of us is not silent.
        if self.keep_alive.is_some_and(|k| now >= self.heard + k) {
            if self.may_read() {
                return Err(End::Ours(0x8d, "keep alive timeout"));
            }
            self.heard = now;
        }
        if !self.output.is_empty() && now >= self.progress + self.hub.config.limits.stall {
            return Err(End::Ours(0x97, "reads nothing"));
        }
        Ok(())
    }

    fn outcome(&mut self, outcome: Outcome) -> Result<(), End> {
        let offer = match outcome {
            Outcome::Nothing => return Ok(()),
            Outcome::Message(offer) => offer,
        };
        if self.output.is_empty() {
            self.progress = crate::clock::timer();
        }
        match offer {
            Offer::Taken => Ok(()),
            Offer::Dropped => {
                if !std::mem::replace(&mut self.slow_told, true) {
                    self.hub.event(Event::Slow { client: self.client.clone(), closed: false });
                }
                Ok(())
            }
            Offer::Overflow => {
                self.hub.event(Event::Slow { client: self.client.clone(), closed: true });
                Err(End::Ours(0x97, "does not keep up"))
            }
        }
    }

    async fn packet(&mut self, packet: Packet) -> Result<(), End> {
        match packet {
            Packet::Connect(_) => return Err(End::Bad(Bad::Protocol("a second CONNECT"))),
            Packet::Publish(publish) => self.publish(publish)?,
            Packet::PubAck(id) | Packet::PubComp(id) => self.held.session.acknowledged(id),
            Packet::PubRec(id, true) => {
                let known = self.held.session.received(id);
                codec::put_ack(&mut self.output, self.version, 6, id, if known { 0 } else { 0x92 });
            }
            Packet::PubRec(id, false) => self.held.session.acknowledged(id),
            Packet::PubRel(id) => {
                let known = self.held.session.release(id);
                codec::put_ack(&mut self.output, self.version, 7, id, if known { 0 } else { 0x92 });
            }
            Packet::Subscribe(subscribe) => self.subscribe(subscribe).await?,
            Packet::Unsubscribe(u) => {
                let codes: Vec<u8> = u.filters.iter().map(|f| self.unsubscribe(f)).collect();
                codec::put_suback(&mut self.output, self.version, 11, u.pkid, &codes);
            }
            Packet::PingReq => codec::put_pingresp(&mut self.output),
            Packet::Disconnect(d) => {
                if self.expiry == 0 && d.props.session_expiry.is_some_and(|s| s > 0) {
                    return Err(End::Bad(Bad::Protocol("session expiry after a session without")));
                }
                return Err(End::Asked(d.reason == 4, d.props.session_expiry));
            }
        }
        Ok(())
    }

    fn publish(&mut self, p: Publish) -> Result<(), End> {
        let topic = self.topic(p.topic, p.props.topic_alias)?;
        let size = p.payload.len() + topic.len();
        if p.qos == 2 {
            if !self.held.session.incoming(p.pkid) {
                codec::put_ack(&mut self.output, self.version, 5, p.pkid, 0);
                return Ok(());
            }
            if self.held.session.unreleased() > usize::from(RECEIVE_MAX) {
                return Err(End::Ours(0x93, "more unreleased messages than the receive maximum"));
            }
        }
        let denied = !self.may(Wish::Publish, &topic);
        self.unconfirmed += 1;
        self.unconfirmed_bytes += size;
        // 3.1.1 knows no refusal of a publish: it is acknowledged and goes nowhere, as with Mosquitto.
        let code = if denied { 0x87 } else { 0 };
        let note = Note::Routed(Routed { pkid: p.pkid, qos: p.qos, bytes: size, code });
        let done = Done { to: self.own_notes.clone(), note };
        if denied {
            if p.qos == 2 && self.version == Version::V5 {
                self.held.session.release(p.pkid);
            }
            self.hub.op(Op::Pass(done));
            return Ok(());
        }
        let message = Message {
            topic,
            payload: p.payload,
            qos: p.qos,
            retain: p.retain,
            sender: self.held.session.number,
            at_ms: self.hub.now_ms(),
            expiry: p.props.message_expiry,
            forward: p.props.forward,
        };
        self.hub.publish(&self.client, message, Some(done));
        Ok(())
    }

    fn topic(&mut self, topic: String, alias: Option<u16>) -> Result<Arc<str>, End> {
        let Some(alias) = alias else {
            return Ok(topic.into());
        };
        if alias > ALIASES {
            return Err(End::Ours(0x94, "topic alias above the maximum"));
        }
        if topic.is_empty() {
            return self.aliases.get(&alias).cloned().ok_or(End::Bad(Bad::Protocol("unknown topic alias")));
        }
        let topic: Arc<str> = topic.into();
        self.aliases.insert(alias, topic.clone());
        Ok(topic)
    }

    fn routed(&mut self, r: Routed) {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        self.unconfirmed_bytes = self.unconfirmed_bytes.saturating_sub(r.bytes);
        match r.qos {
            1 => codec::put_ack(&mut self.output, self.version, 4, r.pkid, r.code),
            2 => codec::put_ack(&mut self.output, self.version, 5, r.pkid, r.code),
            _ => {}
        }
    }

    /// Whether this client's account may do that; if not, the controller is told.
    fn may(&self, wish: Wish, what: &str) -> bool {
        let Some((user, role)) = &self.account else { return true };
        let allowed = rights::allows(role, &self.hub.config.prefix, wish, what);
        if !allowed {
            warn!(client = self.client, user, ?wish, what, "denied");
            let (client, user, what) = (self.client.clone(), user.clone(), what.to_owned());
            self.hub.event(Event::Denied { client, user, wish, what });
        }
        allowed
    }

    async fn subscribe(&mut self, s: codec::Subscribe) -> Result<(), End> {
        if self.held.link.is_none() {
            self.held.link = Some(self.hub.link().await.ok_or(End::Ours(0x97, "no link to the router"))?);
        }
        let mut codes = Vec::new();
        let mut made = Vec::new();
        for filter in s.filters {
            let sub = Sub { filter, id: s.props.subscription_id };
            match self.subscribe_one(sub.clone()) {
                Ok(new) => {
                    codes.push(sub.filter.qos);
                    made.push((sub, new));
                }
                Err(code) => codes.push(if self.version == Version::V4 { 0x80 } else { code }),
            }
        }
        codec::put_suback(&mut self.output, self.version, 9, s.pkid, &codes);
        for (sub, new) in made {
            if sub.filter.retain_handling == 0 || (sub.filter.retain_handling == 1 && new) {
                let now = self.hub.now_ms();
                for message in self.hub.retained(&sub.filter.path) {
                    let offer = self.held.session.offer_retained(&sub, &message, now);
                    self.outcome(Outcome::Message(offer))?;
                }
            }
        }
        Ok(())
    }

    /// True if there was none with this filter; else the reason code of a refusal.
    fn subscribe_one(&mut self, sub: Sub) -> Result<bool, u8> {
        let filter = &sub.filter.path;
        crate::topic::check_filter(filter).map_err(|_| 0x8f)?;
        if filter.starts_with("$share/") {
            return Err(0x9e);
        }
        if !self.may(Wish::Subscribe, filter) {
            return Err(0x87);
        }
        let session = &mut self.held.session;
        if session.has(filter) {
            session.change(sub);
            return Ok(false);
        }
        if session.subscriptions() >= self.hub.config.limits.subscriptions {
            return Err(0x97);
        }
        let Some(link) = &self.held.link else {
            return Err(0x80);
        };
        let slot = self.hub.add_filter(link, filter);
        session.subscribe(slot, sub);
        Ok(true)
    }

    fn unsubscribe(&mut self, filter: &str) -> u8 {
        match (self.held.session.unsubscribe(filter), &self.held.link) {
            (Some(slot), Some(link)) => {
                self.hub.remove_filter(link, filter, slot);
                0
            }
            // rumqttd leaves the UNSUBSCRIBE of an unknown filter unanswered (router/routing.rs:720).
            _ => 0x11,
        }
    }

    async fn finish(mut self, end: End) {
        let (reason, why) = match &end {
            End::Lost => (None, "connection lost"),
            End::Asked(..) => (None, "disconnected"),
            End::Bad(bad) => {
                info!(client = self.client, %bad, "a client is disconnected");
                (Some(bad.code()), "protocol")
            }
            End::Ours(code, why) => (Some(*code), *why),
            End::Taken(_) => (Some(0x8e), "taken over"),
            End::Stopping => (Some(0x8b), "the broker stops"),
        };
        info!(client = self.client, why, "disconnected");
        self.hub.event(Event::Disconnected { client: self.client.clone(), why });
        let mut expiry = self.expiry;
        let mut will = self.will.take();
        match &end {
            End::Asked(wanted, other) => {
                expiry = other.unwrap_or(expiry);
                if !wanted {
                    will = None;
                }
            }
            // The controller stops with all it has: nobody has gone offline.
            End::Stopping => will = None,
            _ => {}
        }
        let (held, notes) = (self.held, self.notes);
        let absent =
            parked::Absent { hub: self.hub.clone(), client: self.client, key: self.key, number: self.number, notes };
        match end {
            End::Taken(takeover) => absent.hand_over(held, will, expiry, takeover),
            End::Stopping => absent.hub.detach(&absent.key, absent.number),
            _ => absent.begin(held, will, expiry),
        }
        if let Some(code) = reason {
            codec::put_disconnect(&mut self.output, self.version, code);
        }
        // Drained, but not for ever. A client that reads nothing is closed as it is.
        let _ = timeout(Duration::from_secs(1), async {
            self.write.write_all(&self.output).await?;
            self.write.flush().await?;
            self.write.shutdown().await
        })
        .await;
        debug!("closed");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|s| *s).await;
}

async fn read_some<S: AsyncRead>(read: &mut ReadHalf<S>, input: &mut BytesMut) -> std::io::Result<usize> {
    // Memory for the first bytes only; a large packet gets more as its bytes come, never as they are announced.
    let room = input.len().clamp(2048, 1 << 20);
    if input.capacity() - input.len() < room / 4 {
        input.reserve(room);
    }
    read.read_buf(input).await
}

/// One write, or one flush when all is written. Either may be cut off at any time.
async fn write_some<S: AsyncWrite>(
    write: &mut WriteHalf<S>,
    output: &mut BytesMut,
    unflushed: &mut bool,
) -> std::io::Result<()> {
    if output.is_empty() {
        write.flush().await?;
        *unflushed = false;
    } else {
        if write.write_buf(output).await? == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        *unflushed = true;
    }
    Ok(())
}

/// The message that a will becomes.
pub(crate) fn will_message(hub: &Hub, will: Will, sender: u64) -> Message {
    Message {
        topic: will.topic.into(),
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        sender,
        at_ms: hub.now_ms(),
        expiry: will.props.message_expiry,
        forward: will.props.forward,
    }
}

impl From<Bad> for End {
    fn from(bad: Bad) -> End {
        End::Bad(bad)
    }
}
