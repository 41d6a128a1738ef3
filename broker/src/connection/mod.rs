//! One client's connection: what it sends, what it gets, when it ends.
//!
//! One task does all of it and never waits for one thing alone, so a client that stops reading, stops sending or sends
//! too fast costs nothing but itself.

mod ending;
mod incoming;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::codec::{self, Connect, Version, Will};
use crate::event::Event;
use crate::held::{Held, Note};
use crate::hub::Hub;
use crate::outlet::{self, Outcome};
use crate::rights::Role;
use crate::session::Offer;

pub(crate) use ending::listen_to_the_end;

use ending::End;

/// Unconfirmed publishes of one client, in messages and bytes; above it is not read from.
const UNCONFIRMED: usize = 1024;
const UNCONFIRMED_BYTES: usize = 8 << 20;
/// Unsent bytes above which a client is not read from.
const UNSENT: usize = 256 << 10;
/// Messages that are taken out of the router at one time.
const BURST: usize = 64;
/// Longer than any connection waits for anything.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Topic aliases that a client may set.
pub(crate) const ALIASES: u16 = 64;
/// QoS 2 messages that a client may leave unreleased, and the receive maximum it is told.
pub(crate) const RECEIVE_MAX: u16 = 1024;

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
    /// Since when the socket takes nothing although there is something to send.
    blocked: Option<Instant>,
    /// Rings at the deadline or before it. It is set anew only to an earlier one: that happens rarely, and each time costs
    /// a lock that all connections share.
    alarm: Pin<Box<Sleep>>,
    slow_told: bool,
}

/// Serves a client to its last byte.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Send + Unpin>(client: Client<S>) {
    let mut connection = Connection::new(client);
    let end = loop {
        if let Err(end) = connection.turn().await {
            break end;
        }
    };
    Box::pin(connection.finish(end)).await;
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
            account,
            expiry,
            connect,
        } = client;
        let version = connect.version;
        held.session.connected(version, &connect.props, &mut output);
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
            will: connect.will,
            account,
            expiry,
            keep_alive: (connect.keep_alive > 0).then(|| Duration::from_secs(u64::from(connect.keep_alive)) * 3 / 2),
            aliases: HashMap::new(),
            unconfirmed: 0,
            unconfirmed_bytes: 0,
            heard: crate::clock::timer(),
            blocked: None,
            alarm: Box::pin(sleep_until(crate::clock::timer() + DAY)),
            slow_told: false,
            hub,
        }
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
        self.write_now()?;
        let readable = self.may_read();
        let writable = !self.output.is_empty() || self.unflushed;
        let deadline = self.deadline();
        if deadline < self.alarm.deadline() {
            self.alarm.as_mut().reset(deadline);
        }
        tokio::select! {
            n = read_some(&mut self.read, &mut self.input), if readable => {
                if n.map_err(|_| End::Lost)? == 0 {
                    return Err(End::Lost);
                }
            }
            n = write_some(&mut self.write, &mut self.output, &mut self.unflushed), if writable => {
                n.map_err(|_| End::Lost)?;
                self.written();
            }
            outcome = outlet::next(&self.hub, &mut self.held) => self.outcomes(outcome)?,
            note = self.notes.recv() => match note {
                Some(Note::Routed(routed)) => self.routed(routed),
                Some(Note::Takeover(takeover)) => return Err(End::Taken(takeover)),
                Some(Note::Stop) | None => return Err(End::Stopping),
            },
            () = self.alarm.as_mut() => {
                self.check_time()?;
                let deadline = self.deadline();
                self.alarm.as_mut().reset(deadline);
            }
        }
        Ok(())
    }

    /// Writes as much of what waits as the socket takes without waiting. Most of what is sent goes this way.
    fn write_now(&mut self) -> Result<(), End> {
        loop {
            self.held.session.fill(self.version, &mut self.output, self.hub.now_ms());
            if self.output.is_empty() && !self.unflushed {
                return Ok(());
            }
            match write_some(&mut self.write, &mut self.output, &mut self.unflushed).now_or_never() {
                Some(result) => result.map_err(|_| End::Lost)?,
                None => {
                    self.blocked.get_or_insert_with(crate::clock::timer);
                    return Ok(());
                }
            }
            self.written();
        }
    }

    fn written(&mut self) {
        self.blocked = None;
        if self.output.is_empty() {
            // Hundreds of clients get a take of kilobytes, and then nothing for minutes.
            self.output = BytesMut::new();
        }
    }

    /// Takes what comes out of the router, and what is right behind it: it goes out in one write.
    fn outcomes(&mut self, first: Outcome) -> Result<(), End> {
        self.outcome(first)?;
        for _ in 1..BURST {
            match outlet::next(&self.hub, &mut self.held).now_or_never() {
                Some(outcome) => self.outcome(outcome)?,
                None => break,
            }
        }
        Ok(())
    }

    fn may_read(&self) -> bool {
        self.unconfirmed < UNCONFIRMED && self.unconfirmed_bytes < UNCONFIRMED_BYTES && self.output.len() < UNSENT
    }

    fn deadline(&self) -> Instant {
        let quiet = self.keep_alive.map_or_else(|| crate::clock::timer() + DAY, |k| self.heard + k);
        self.blocked.map_or(quiet, |since| quiet.min(since + self.hub.config.limits.stall))
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
        if self.blocked.is_some_and(|since| now >= since + self.hub.config.limits.stall) {
            return Err(End::Ours(0x97, "reads nothing"));
        }
        Ok(())
    }

    fn outcome(&mut self, outcome: Outcome) -> Result<(), End> {
        let offer = match outcome {
            Outcome::Nothing => return Ok(()),
            Outcome::Message(offer) => offer,
        };
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
