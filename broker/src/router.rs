//! One running rumqttd router and the only code that talks to it.
//!
//! The router runs in its own thread and is reached by in-process links: no server of rumqttd's is started, so there is
//! no loopback port, and what panics or blocks in its accept loop (`server/broker.rs:403,423,544`) is not there at all.
//! What is left is kept harmless by what is never done here:
//!
//! - no topic or filter but `f/<number>` goes in (`protocol/mod.rs:658` panics on others);
//! - no DISCONNECT goes in: a link that is no longer needed is used again. A `Ready` that arrives after a DISCONNECT
//!   panics the router (`router/scheduler.rs:63`);
//! - no call waits for ever: a router that does not answer in [`PATIENCE`] is given up.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rumqttd::local::{LinkBuilder, LinkRx, LinkTx};
use rumqttd::protocol::{
    Filter, Packet, PingReq, Publish, PublishProperties, QoS, RetainForwardRule, Subscribe, Unsubscribe,
};
use rumqttd::{Notification, RouterConfig};

use crate::filters::Slot;

/// How long the router may take to answer.
const PATIENCE: Duration = Duration::from_millis(800);

/// The log of one filter: at most this many segments of this size. As few as rumqttd works with: each one that was ever
/// begun keeps a table of 1,024 entries, of which a page of memory at least is touched, and there are three logs for each
/// node. What is not read is not dropped for that: see [`crate::logs`].
pub(crate) const SEGMENTS: usize = 2;
pub(crate) const SEGMENT_BYTES: usize = 128 << 10;

/// Why a router is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Its thread has ended.
    Dead,
    /// It did not answer in time.
    Stuck,
}

impl Gone {
    pub(crate) fn why(self) -> &'static str {
        match self {
            Gone::Dead => "the router's thread has ended",
            Gone::Stuck => "the router did not answer in time",
        }
    }
}

type Opened = Option<(LinkTx, LinkRx)>;

/// A router, the link that publishes for everybody, and a helper that opens links.
pub(crate) struct Router {
    ingress: (LinkTx, LinkRx),
    /// Something was pushed to the ingress and not yet announced.
    dirty: bool,
    /// What fills a segment. Nobody reads it, so it takes no memory.
    blank: Bytes,
    opener: mpsc::Sender<String>,
    opened: mpsc::Receiver<Opened>,
    links: u64,
}

impl Router {
    /// Starts a router for at most `max_links` links.
    pub(crate) fn start(max_links: usize) -> Result<Router, Gone> {
        let config = RouterConfig {
            max_connections: max_links + 1,
            max_outgoing_packet_count: 200,
            max_segment_size: SEGMENT_BYTES,
            max_segment_count: SEGMENTS,
            ..RouterConfig::default()
        };
        let (opener, wishes) = mpsc::channel::<String>();
        let (reply, opened) = mpsc::channel();
        // LinkBuilder::build waits for the router without a limit (`link/local.rs:127`), so it is done aside.
        let helper = thread::Builder::new().name("mqtt-links".to_owned());
        helper
            .spawn(move || {
                let router = rumqttd::Router::new(0, config).spawn();
                while let Ok(id) = wishes.recv() {
                    let link = LinkBuilder::new(&id, router.clone()).build().ok().map(|(tx, rx, _)| (tx, rx));
                    if reply.send(link).is_err() {
                        return;
                    }
                }
            })
            .map_err(|_| Gone::Dead)?;
        let ingress = open(&opener, &opened, "ingress".to_owned())?;
        let blank = Bytes::from(vec![0; SEGMENT_BYTES]);
        Ok(Router { ingress, dirty: false, blank, opener, opened, links: 0 })
    }

    /// A link of its own for one session.
    pub(crate) fn open(&mut self) -> Result<(LinkTx, LinkRx), Gone> {
        self.links += 1;
        open(&self.opener, &self.opened, format!("link-{}", self.links))
    }

    /// Puts a message on a filter's log. It is on its way after the next [`Router::flush`].
    pub(crate) fn publish(&mut self, slot: Slot, header: Option<Bytes>, payload: Bytes) {
        let publish = Publish::new(Bytes::from(inner_topic(slot)), payload, false);
        let props = header.map(|h| PublishProperties { correlation_data: Some(h), ..PublishProperties::default() });
        self.ingress.0.buffer().push_back(Packet::Publish(publish, props));
        self.dirty = true;
    }

    /// Fills a log's newest segment with a message that costs nothing and that no session takes for one; with the next
    /// message the oldest segment is dropped. A log cannot be dropped or emptied otherwise.
    pub(crate) fn turn(&mut self, slot: Slot, number: u64) {
        self.publish(slot, Some(Bytes::copy_from_slice(&number.to_be_bytes())), self.blank.clone());
    }

    /// Announces what was published, if anything.
    pub(crate) fn flush(&mut self) -> Result<(), Gone> {
        if self.dirty {
            self.dirty = false;
            kick(&mut self.ingress.0)?;
        }
        Ok(())
    }

    /// From now on this link gets what is put on this filter's log.
    pub(crate) fn subscribe(&mut self, link: &mut LinkTx, slot: Slot) -> Result<(), Gone> {
        let filter = Filter {
            path: inner_topic(slot),
            qos: QoS::AtMostOnce,
            nolocal: false,
            preserve_retain: false,
            retain_forward_rule: RetainForwardRule::Never,
        };
        self.push(link, Packet::Subscribe(Subscribe { pkid: 1, filters: vec![filter] }, None))
    }

    /// And from now on no more.
    pub(crate) fn unsubscribe(&mut self, link: &mut LinkTx, slot: Slot) -> Result<(), Gone> {
        self.push(link, Packet::Unsubscribe(Unsubscribe { pkid: 1, filters: vec![inner_topic(slot)] }, None))
    }

    /// Sends a mark through a link: its answer comes out behind everything that is on that link now.
    pub(crate) fn mark(&mut self, link: &mut LinkTx) -> Result<(), Gone> {
        self.push(link, Packet::PingReq(PingReq))
    }

    fn push(&mut self, link: &mut LinkTx, packet: Packet) -> Result<(), Gone> {
        self.flush()?;
        link.buffer().push_back(packet);
        kick(link)
    }

    /// Waits until the router has taken all that was given to it.
    pub(crate) fn fence(&mut self) -> Result<(), Gone> {
        self.ingress.0.buffer().push_back(Packet::PingReq(PingReq));
        self.dirty = true;
        self.flush()?;
        let deadline = crate::clock::now() + PATIENCE;
        loop {
            match self.ingress.1.recv_deadline(deadline) {
                Ok(Some(Notification::DeviceAck(_))) => return Ok(()),
                Ok(Some(Notification::Unschedule)) => self.ingress.1.ready().map_err(|_| Gone::Dead)?,
                Ok(_) => {}
                Err(_) if crate::clock::now() >= deadline => return Err(Gone::Stuck),
                Err(_) => return Err(Gone::Dead),
            }
        }
    }

    /// Ends the router's thread by rumqttd's own fault: a topic that starts with a non-ASCII character. For tests.
    pub(crate) fn break_it(&mut self) {
        let publish = Publish::new(Bytes::from_static("é".as_bytes()), Bytes::from_static(b"x"), false);
        self.ingress.0.buffer().push_back(Packet::Publish(publish, None));
        let _ = kick(&mut self.ingress.0);
    }
}

impl Router {
    /// Makes the router wait for ever, for tests: kept busy for a moment with one link's packets, it then finds the
    /// buffer of another link locked.
    pub(crate) fn stick(&mut self) {
        let Ok((mut busy, _rx)) = self.open() else { return };
        let Ok((mut locked, _rx)) = self.open() else { return };
        let packet = || Publish::new(Bytes::from_static(b"f/0"), Bytes::new(), false);
        busy.buffer().extend((0..200_000).map(|_| Packet::Publish(packet(), None)));
        let _ = kick(&mut busy);
        let _ = kick(&mut locked);
        std::mem::forget(locked.buffer());
    }
}

fn open(opener: &mpsc::Sender<String>, opened: &mpsc::Receiver<Opened>, id: String) -> Result<(LinkTx, LinkRx), Gone> {
    opener.send(id).map_err(|_| Gone::Dead)?;
    match opened.recv_timeout(PATIENCE) {
        Ok(Some(link)) => Ok(link),
        Ok(None) | Err(mpsc::RecvTimeoutError::Disconnected) => Err(Gone::Dead),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Gone::Stuck),
    }
}

/// Tells the router that a link's buffer holds something.
///
/// A link has no such call in public that cannot block (`link/local.rs:206`), so an UNSUBSCRIBE of a filter that nobody
/// has goes last: the router takes the whole buffer and answers this one with nothing (`router/routing.rs:720`).
fn kick(link: &mut LinkTx) -> Result<(), Gone> {
    let deadline = crate::clock::now() + PATIENCE;
    loop {
        match link.try_unsubscribe("") {
            Ok(_) => return Ok(()),
            Err(rumqttd::local::LinkError::TrySend(e)) if e.to_string().contains("full") => {
                if crate::clock::now() >= deadline {
                    return Err(Gone::Stuck);
                }
                thread::sleep(Duration::from_millis(1));
            }
            Err(_) => return Err(Gone::Dead),
        }
    }
}

fn inner_topic(slot: Slot) -> String {
    format!("f/{slot}")
}

/// The number of a turn, from the header of what came out of the router. A message's header is never so short.
pub(crate) fn turn_of(header: &[u8]) -> Option<u64> {
    header.try_into().ok().map(u64::from_be_bytes)
}

/// The filter's number that a message out of the router came by.
pub(crate) fn slot_of(topic: &[u8]) -> Option<Slot> {
    std::str::from_utf8(topic).ok()?.strip_prefix("f/")?.parse().ok()
}
