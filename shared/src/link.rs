//! The connection to the broker that never gives up.
//!
//! rumqttc neither subscribes again nor keeps what was said while the connection was down, so each connection here
//! is a new client: on every CONNACK it subscribes, and says again every retained thing that was said before.
//! A new client id each time, so that no broker mistakes a reconnect for a takeover. The old connection's last will
//! can arrive after the new one's state: [`Link`] hears its own will's topic and contradicts it, for as long as a broker
//! may take to miss the old connection. Longer would bring it every word of its own again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS,
    SubscribeFilter, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::access::Access;
use crate::settings::BrokerAddress;
use crate::topic::{Qos, Topic};
use crate::tunnel::Tunnel;

/// The largest message that is taken in, in bytes: one that is larger ends the connection, so it lies above what a broker passes on.
const MAX_PACKET: usize = 17 * 1024 * 1024;
/// A silent peer is given up after one to two of these.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long an old connection's last will may still come: a broker misses a client after one and a half times its keep
/// alive (MQTT 3.1.1, 3.1.2.10). Twice as long, to be sure.
const DOUBT: Duration = Duration::from_secs(3 * KEEP_ALIVE.as_secs());
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(2);
/// Messages that are not retained and wait for a connection; the oldest go first when there are more.
const MAX_WAITING: usize = 256;
/// Messages that may be lost and are under way in a connection: on a slow network what is newer does not wait behind
/// pictures.
const MAX_LIGHT: usize = 2;
/// Messages under way inside one connection.
const IN_FLIGHT: usize = 4096;
const GOODBYE: Duration = Duration::from_secs(1);
/// The broker closes a connection that was said goodbye to; it has taken the goodbye then, and leaves the last will.
const FAREWELL: Duration = Duration::from_millis(500);

/// Whom to talk to, as whom, about what.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// The broker.
    pub broker: BrokerAddress,
    /// How it lets us in.
    pub access: Access,
    /// What the client ids begin with.
    pub client: String,
    /// Put before every topic, with a `/` between; empty for none.
    pub prefix: String,
    /// Filters to subscribe to. The last will's topic need not be among them.
    pub subscriptions: Vec<String>,
    /// What the broker says of us when we are gone.
    pub will: Option<(Topic, Vec<u8>)>,
}

/// What the link tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// Connected, subscribed, everything retained said again.
    Up,
    /// The connection is gone; the link tries again by itself.
    Down {
        /// Why.
        why: String,
    },
    /// A message.
    Message {
        /// Its topic without the prefix.
        topic: String,
        /// What it carries.
        payload: Bytes,
        /// Whether the broker had kept it for us.
        retain: bool,
    },
}

/// A handle to say things with; cheap to clone.
#[derive(Clone, Debug)]
pub struct Link {
    shared: Arc<Mutex<Shared>>,
    task: Arc<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    prefix: String,
    client: Option<AsyncClient>,
    /// The last word on each retained topic, said again on every connect.
    retained: BTreeMap<String, Vec<u8>>,
    waiting: VecDeque<(String, Qos, Vec<u8>)>,
    /// Messages that may be lost and were given to the connection, but not to the network yet.
    light: usize,
    closing: bool,
}

impl Link {
    /// Opens the link and keeps it open; events come in order from the receiver. Within a tokio runtime.
    pub fn open(settings: LinkSettings) -> (Self, mpsc::Receiver<LinkEvent>) {
        let (events, receiver) = mpsc::channel(1024);
        let prefix = if settings.prefix.is_empty() { String::new() } else { format!("{}/", settings.prefix) };
        let shared = Arc::new(Mutex::new(Shared { prefix, ..Shared::default() }));
        let task = tokio::spawn(run(settings, Arc::clone(&shared), events));
        (Self { shared, task: Arc::new(task) }, receiver)
    }

    /// Says something with the guarantees that the table of topics gives it. Nothing blocks: without a connection
    /// retained things wait for one, others up to a bound, and what may be lost is dropped.
    pub fn say(&self, topic: &Topic, payload: Vec<u8>) {
        let mut shared = self.lock();
        let (qos, name) = (topic.qos(), format!("{}{topic}", shared.prefix));
        if topic.retained() {
            shared.retained.insert(name.clone(), payload.clone());
            shared.send(name, qos, true, payload);
        } else if shared.client.is_some() {
            if qos == Qos::AtMostOnce {
                if shared.light >= MAX_LIGHT {
                    return;
                }
                shared.light += 1;
            }
            shared.send(name, qos, false, payload);
        } else if qos == Qos::AtLeastOnce {
            if shared.waiting.len() == MAX_WAITING {
                shared.waiting.pop_front();
            }
            shared.waiting.push_back((name, qos, payload));
        }
    }

    /// Keeps `payload` at a topic that is not of the contract, as it is written: no prefix is put before it. An empty one
    /// takes back what was kept there. Said again on every connection.
    pub fn keep_at(&self, topic: String, payload: Vec<u8>) {
        let mut shared = self.lock();
        shared.retained.insert(topic.clone(), payload.clone());
        shared.send(topic, Qos::AtLeastOnce, true, payload);
    }

    /// Takes a retained message that somebody left off the broker.
    pub fn clear(&self, topic: &str) {
        let mut shared = self.lock();
        let name = format!("{}{topic}", shared.prefix);
        shared.retained.remove(&name);
        shared.send(name, Qos::AtLeastOnce, true, Vec::new());
    }

    /// Puts a retained message right that is somebody else's, without a connection not at all: it is not ours to repeat.
    pub fn correct(&self, topic: &Topic, payload: Vec<u8>) {
        let mut shared = self.lock();
        let name = format!("{}{topic}", shared.prefix);
        shared.send(name, topic.qos(), true, payload);
    }

    /// Says goodbye: what was said is still sent, then the connection ends without the last will. Bounded to a second.
    pub async fn close(self) {
        {
            let mut shared = self.lock();
            shared.closing = true;
            if let Some(client) = &shared.client {
                let _ = client.try_disconnect();
            }
        }
        let wait = async {
            while !self.task.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(GOODBYE, wait).await.is_err() {
            self.task.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn send(&mut self, topic: String, qos: Qos, retain: bool, payload: Vec<u8>) {
        let Some(client) = &self.client else { return };
        if let Err(e) = client.try_publish(&topic, quality(qos), retain, payload) {
            // The connection is stuck with thousands of messages under way: only a new one helps.
            tracing::warn!(%topic, "the connection to the broker takes no more messages and is made anew: {e}");
            self.client = None;
        }
    }
}

fn quality(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

async fn run(settings: LinkSettings, shared: Arc<Mutex<Shared>>, events: mpsc::Sender<LinkEvent>) {
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut retry = FIRST_RETRY;
    let mut attempt: u64 = 0;
    let mut said = String::new();
    while !lock().closing {
        attempt += 1;
        let was_up = match Connection::new(&settings, &shared, attempt) {
            Ok(connection) => connection.serve(&events).await,
            Err(why) => Served::Never(why),
        };
        lock().client = None;
        if lock().closing || events.is_closed() {
            return;
        }
        let why = match was_up {
            Served::Up(why) => {
                retry = FIRST_RETRY;
                said.clear();
                why
            }
            Served::Never(why) => why,
        };
        if why != said {
            tracing::warn!(broker = %settings.broker, "no connection to the broker: {why}");
            said.clone_from(&why);
            if events.send(LinkEvent::Down { why }).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LAST_RETRY);
    }
}

/// How a connection ended.
enum Served {
    Up(String),
    Never(String),
}

struct Connection<'a> {
    settings: &'a LinkSettings,
    shared: &'a Mutex<Shared>,
    client: AsyncClient,
    eventloop: EventLoop,
    tunnel: Option<Tunnel>,
    /// The last will's topic, if the listener does not hear it anyway.
    doubted: Option<String>,
}

impl<'a> Connection<'a> {
    fn new(settings: &'a LinkSettings, shared: &'a Mutex<Shared>, attempt: u64) -> Result<Self, String> {
        let LinkSettings { broker, access, .. } = settings;
        let id = format!("{}-{}-{attempt}", settings.client, std::process::id());
        let tunnel = access.trusted.as_deref().map(|trusted| Tunnel::open(broker, trusted)).transpose()?;
        let mut options = match &tunnel {
            None => MqttOptions::new(id, &broker.host, broker.port),
            Some(tunnel) => {
                let mut options = MqttOptions::new(id, tunnel.socket().to_string_lossy(), 0);
                options.set_transport(Transport::unix());
                options
            }
        };
        if let Some(login) = &access.login {
            options.set_credentials(&login.user, &login.password);
        }
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true).set_max_packet_size(MAX_PACKET, MAX_PACKET);
        if let Some((topic, payload)) = &settings.will {
            let prefix = &shared.lock().unwrap_or_else(PoisonError::into_inner).prefix;
            options.set_last_will(LastWill::new(
                format!("{prefix}{topic}"),
                payload.clone(),
                quality(topic.qos()),
                true,
            ));
        }
        let (client, mut eventloop) = AsyncClient::new(options, IN_FLIGHT);
        let mut network = eventloop.network_options();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(5);
        eventloop.set_network_options(network);
        let will = settings.will.as_ref().map(|(topic, _)| topic.to_string());
        let doubted = will.filter(|topic| !settings.subscriptions.contains(topic));
        Ok(Self { settings, shared, client, eventloop, tunnel, doubted })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(mut self, events: &mpsc::Sender<LinkEvent>) -> Served {
        let mut up = false;
        loop {
            let event = match self.eventloop.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    up = true;
                    self.say_everything();
                    LinkEvent::Up
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => match self.heard(publish) {
                    Some(message) => message,
                    None => continue,
                },
                Ok(Event::Outgoing(Outgoing::Disconnect)) => {
                    let _ =
                        tokio::time::timeout(FAREWELL, async { while self.eventloop.poll().await.is_ok() {} }).await;
                    return Served::Up("closed".into());
                }
                // A message without a number is one that may be lost: it has left.
                Ok(Event::Outgoing(Outgoing::Publish(0))) => {
                    let mut shared = self.lock();
                    shared.light = shared.light.saturating_sub(1);
                    continue;
                }
                Ok(_) if up && self.lock().client.is_none() => return Served::Up("it takes no more messages".into()),
                Ok(_) => continue,
                Err(e) => {
                    let why = self.tunnel.as_ref().and_then(Tunnel::broken).unwrap_or_else(|| reason(&e));
                    return if up { Served::Up(why) } else { Served::Never(why) };
                }
            };
            if events.send(event).await.is_err() {
                return Served::Up("nobody listens any more".into());
            }
        }
    }

    fn say_everything(&self) {
        let mut shared = self.lock();
        let filters: Vec<_> = (self.settings.subscriptions.iter().chain(&self.doubted))
            .map(|filter| SubscribeFilter::new(format!("{}{filter}", shared.prefix), QoS::AtLeastOnce))
            .collect();
        if !filters.is_empty() {
            let _ = self.client.try_subscribe_many(filters);
        }
        if let Some(topic) = &self.doubted {
            let (client, topic) = (self.client.clone(), format!("{}{topic}", shared.prefix));
            tokio::spawn(async move {
                tokio::time::sleep(DOUBT).await;
                // A connection that has ended meanwhile needs no more.
                let _ = client.try_unsubscribe(topic);
            });
        }
        shared.client = Some(self.client.clone());
        shared.light = 0;
        for (topic, payload) in shared.retained.clone() {
            shared.send(topic, Qos::AtLeastOnce, true, payload);
        }
        for (topic, qos, payload) in std::mem::take(&mut shared.waiting) {
            shared.send(topic, qos, false, payload);
        }
    }

    /// What a message means to the listener; an old connection's will is contradicted instead of passed on.
    fn heard(&self, publish: rumqttc::Publish) -> Option<LinkEvent> {
        let mut shared = self.lock();
        let topic = publish.topic.strip_prefix(shared.prefix.as_str())?.to_owned();
        if let Some((will, payload)) = &self.settings.will
            && topic == will.to_string()
            && publish.payload == payload.as_slice()
            && let Some(state) = shared.retained.get(&publish.topic).cloned()
            && state != *payload
        {
            shared.send(publish.topic, will.qos(), will.retained(), state);
            return None;
        }
        if self.doubted.as_ref() == Some(&topic) {
            return None;
        }
        Some(LinkEvent::Message { topic, payload: publish.payload, retain: publish.retain })
    }
}

/// Why a connection is not there, in words an operator can use.
fn reason(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => {
            "the broker lets in accounts alone: `mqtt.user` and the password in `mqtt.password_file` must be one of its"
                .into()
        }
        error => crate::report::chain(error),
    }
}
