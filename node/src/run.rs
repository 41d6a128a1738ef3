//! The node's loop: owns the session, hears every event, does every effect. Nothing else does either.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use syncslate_shared::camera::{CameraWishes, Settings as Wished};
use syncslate_shared::link::{Link, LinkEvent, LinkSettings};
use syncslate_shared::order::{Order, OrderAnswer};
use syncslate_shared::protocol::{
    self, CameraReport, ClockReading, CurrentTake, Departed, DiskReading, Finding, Marks, NodeState, NodeStatus,
    PhaseState,
};
use syncslate_shared::report::Failure;
use syncslate_shared::systemd::Systemd;
use syncslate_shared::take::TakeId;
use syncslate_shared::time::{Clocks as _, Mono, SystemClocks, Wall};
use syncslate_shared::topic::Topic;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use crate::camera::{AccessUnit, CameraEvent, CameraSettings};
use crate::event::{Effect, Event, StoreCommand};
use crate::findings::{self, Seen};
use crate::led::Led;
use crate::orders::{self, Means};
use crate::preview::Preview;
use crate::probe::{Machine, Probes, Reading};
use crate::readback::{Readback, has_bitrate};
use crate::session::{Session, SessionSettings};
use crate::settings::{Settings, own_address};
use crate::store::{Identity, Store};
use crate::supervisor::Running;
use crate::wishes::Wishes;

const TICK: Duration = Duration::from_millis(100);
const SAY_ROLLING: Duration = Duration::from_secs(1);
const SAY_ELSE: Duration = Duration::from_secs(5);
/// How long the disk gets to close its files when the program ends: with the goodbye less than two seconds.
const CLOSING: Duration = Duration::from_millis(1200);
/// Pictures that may wait for the loop; at 240 a second more than a second.
const CAMERA_QUEUE: usize = 256;

/// Runs the node until it is asked to end.
///
/// # Errors
/// What keeps it from starting: the videos folder, a signal handler.
pub async fn run(settings: Settings) -> Result<(), Failure> {
    let mut quit = quit_signals()?;
    let Some(ip) = find_address(&settings, &mut quit).await else { return Ok(()) };
    let mut node = Node::start(&settings, ip)?;
    node.systemd.ready();
    node.serve(&mut quit).await;
    node.systemd.stopping();
    node.close().await;
    Ok(())
}

/// What a node hears. Its camera's settings come first: with them in hand it arms rightly when a take rolls already.
fn subscriptions(ip: Ipv4Addr) -> Vec<String> {
    let own = ["camera", "order"].map(|topic| format!("{topic}/{ip}"));
    own.into_iter().chain(["take/+", "cmd/preview"].map(str::to_owned)).collect()
}

/// Where this node is known; waits for a network that is not there yet.
async fn find_address(settings: &Settings, quit: &mut mpsc::Receiver<()>) -> Option<Ipv4Addr> {
    let mut said = false;
    loop {
        let why = match (settings.ip, own_address(&settings.broker)) {
            (Some(ip), _) | (None, Ok(ip)) => return Some(ip),
            (None, Err(why)) => why,
        };
        if !std::mem::replace(&mut said, true) {
            tracing::warn!(broker = %settings.broker, "waiting for a network to know this node's address: {why}");
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = quit.recv() => return None,
        }
    }
}

/// The first signal asks, the second one does not.
fn quit_signals() -> Result<mpsc::Receiver<()>, Failure> {
    let listen = |kind| signal(kind).map_err(|e| Failure::new(format!("cannot listen to signals: {e}")));
    let (mut int, mut term) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
            if first {
                let _ = tell.send(()).await;
            } else {
                std::process::exit(1);
            }
        }
    });
    Ok(told)
}

struct Node {
    ip: Ipv4Addr,
    name: String,
    settings: Settings,
    clocks: SystemClocks,
    session: Session,
    store: Store,
    link: Link,
    links: mpsc::Receiver<LinkEvent>,
    stores: mpsc::UnboundedReceiver<crate::event::StoreEvent>,
    camera_sink: mpsc::Sender<crate::camera::CameraEvent>,
    cameras: mpsc::Receiver<crate::camera::CameraEvent>,
    camera: Option<Running>,
    wishes: Wishes,
    readback: Readback,
    clock: Option<ClockReading>,
    machine: Machine,
    means: Means,
    preview: Preview,
    booted: Wall,
    said: Option<Said>,
    systemd: Systemd,
}

/// What was said last, and when: a change is said at once.
struct Said {
    at: Mono,
    key: Telling,
}

/// What is said at once when it changes.
#[derive(PartialEq, Eq)]
struct Telling {
    state: NodeState,
    take: Option<TakeId>,
    /// Of all findings, the fault's among them.
    codes: Vec<String>,
    /// How far the ring reaches back, in half seconds.
    reach: u8,
    segment: Option<u32>,
    wished: Option<Wished>,
    /// How much is known of what the camera has.
    told: usize,
    phase: Option<PhaseState>,
}

impl Node {
    fn start(settings: &Settings, ip: Ipv4Addr) -> Result<Self, Failure> {
        let clocks = SystemClocks;
        let name = settings.name.clone().unwrap_or_else(|| ip.to_string());
        let (store_tell, stores) = mpsc::unbounded_channel();
        let identity = Identity { ip, name: name.clone(), camera: None, facts: None, clock: None };
        let store = Store::start(settings.videos.clone(), identity, store_tell).map_err(Failure::new)?;
        let (link, links) = Link::open(LinkSettings {
            broker: settings.broker.clone(),
            access: settings.access.clone(),
            client: format!("syncslate-node-{ip}"),
            prefix: settings.prefix.clone(),
            subscriptions: subscriptions(ip),
            will: Some((Topic::Status(ip), protocol::write(&Departed::of(ip)))),
        });
        let wanted = SessionSettings {
            arm: settings.arm,
            ring: settings.ring,
            pre_roll: settings.pre_roll,
            grid: settings.camera.grid(),
            reserve: settings.reserve.0,
        };
        let (camera_sink, cameras) = mpsc::channel(CAMERA_QUEUE);
        let pictures = link.clone();
        let preview = Preview::new(ip, Arc::new(move |jpeg| pictures.say(&Topic::Preview(ip), jpeg)));
        let camera = CameraSettings { name: name.clone(), ip, ..settings.camera.clone() };
        tracing::info!("node {ip} ({name}), footage goes to {}", settings.videos.display());
        Ok(Self {
            ip,
            session: Session::new(wanted, clocks.mono()),
            wishes: Wishes::new(camera.clone()),
            readback: Readback::default(),
            settings: Settings { camera, ..settings.clone() },
            name,
            clocks,
            store,
            link,
            links,
            stores,
            camera_sink,
            cameras,
            camera: None,
            clock: None,
            machine: Machine::default(),
            means: Means { power: settings.power.clone(), led: Led::new(settings.led.clone()) },
            preview,
            booted: clocks.wall(),
            said: None,
            systemd: Systemd::from_env(),
        })
    }

    async fn serve(&mut self, quit: &mut mpsc::Receiver<()>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (probe_tell, mut readings) = mpsc::channel(1);
        let _probes = Probes::start(self.settings.videos.clone(), probe_tell);
        loop {
            let event = tokio::select! {
                biased;
                _ = quit.recv() => Event::Quit,
                Some(event) = self.links.recv() => Event::Link(event),
                Some(event) = self.stores.recv() => Event::Store(event),
                Some(event) = self.cameras.recv() => Event::Camera(event),
                Some(reading) = readings.recv() => Event::Reading(reading),
                _ = tick.tick() => Event::Tick,
            };
            let quitting = matches!(event, Event::Quit);
            self.on(event);
            for effect in self.session.effects() {
                self.execute(effect);
            }
            if quitting {
                return;
            }
            self.say_if_due();
        }
    }

    fn on(&mut self, event: Event) {
        let now = self.clocks.mono();
        // Read together, so that being held up between two readings does not look like a clock that was set.
        let wall = Wall::from_micros(now.micros() + self.clocks.mono_to_wall_us());
        self.session.on_clocks(wall, now);
        match event {
            Event::Link(LinkEvent::Up) => tracing::info!(broker = %self.settings.broker, "connected to the broker"),
            // The link has said why; the camera goes on whatever the network does.
            Event::Link(LinkEvent::Down { .. }) => {}
            Event::Link(LinkEvent::Message { topic, payload, retain }) => self.heard(&topic, &payload, retain, now),
            Event::Camera(event) => {
                self.preview.on_camera(&event, now);
                if let CameraEvent::Can(can) = &event {
                    self.wishes.on_can(can.clone());
                }
                self.readback.note(&event);
                self.session.on_camera(event, now);
            }
            Event::Store(event) => self.session.on_store(event, now),
            Event::Reading(Reading::Clock(clock)) => {
                self.session.on_clock(clock.clone());
                self.clock.clone_from(&clock);
                self.store.know(|identity| identity.clock = clock);
            }
            Event::Reading(Reading::Machine(machine)) => {
                self.session.on_room(machine.room, now);
                self.machine = machine;
            }
            Event::Tick => {
                self.session.on_tick(wall, now);
                self.preview.tick(now);
                let changed = self.wishes.settle(self.is_busy());
                self.set_camera(changed, now);
                self.systemd.alive(now);
            }
            Event::Quit => self.session.on_quit(),
        }
    }

    fn heard(&mut self, topic: &str, payload: &[u8], retain: bool, now: Mono) {
        let heard = match Topic::parse(topic) {
            Some(Topic::Take) => protocol::read::<CurrentTake>(payload)
                .and_then(|current| current.take())
                .map(|take| self.session.on_take(take, now)),
            Some(Topic::Marks) => protocol::read::<Marks>(payload).map(|marks| self.session.on_marks(marks)),
            Some(Topic::PreviewLease) => {
                let newest = newest_key(&self.session);
                self.preview.heard(payload, retain, newest, now)
            }
            Some(Topic::Camera(_)) => self.wished(payload, now),
            Some(Topic::Order(_)) => protocol::read::<Order>(payload).map(|order| self.ordered(&order, retain)),
            _ => Ok(()),
        };
        if let Err(e) = heard {
            tracing::error!(topic, "a message cannot be understood and is passed over: {e}");
        }
    }

    /// What is wished of the camera; an empty message is no wish.
    fn wished(&mut self, payload: &[u8], now: Mono) -> Result<(), String> {
        let wished = match payload {
            [] => Wished::default(),
            payload => {
                let wishes: CameraWishes = protocol::read(payload)?;
                if wishes.ip != self.ip {
                    return Err(format!("field `ip`: {} is another node", wishes.ip));
                }
                wishes.settings
            }
        };
        let changed = self.wishes.hear(wished, self.is_busy());
        self.set_camera(changed, now);
        Ok(())
    }

    /// Whether the camera must be left as it is: a take rolls, and has or may have pictures of it.
    fn is_busy(&self) -> bool {
        self.session.rolling().is_some() && self.session.start_ms().is_some()
    }

    fn set_camera(&mut self, changed: Option<CameraSettings>, now: Mono) {
        let Some(camera) = changed else { return };
        let CameraSettings { width, height, fps, bitrate, controls, .. } = &camera;
        tracing::info!("the camera is set to {width}x{height} at {fps} fps, {} bit/s; {}", bitrate.0, controls.words());
        self.readback = Readback::default();
        self.session.on_other_settings(camera.grid(), now);
        self.settings.camera = camera;
    }

    /// The computer's end is a task of its own: the loop goes on until systemd ends it.
    fn ordered(&self, order: &Order, retain: bool) {
        let refused = orders::refusal(order, retain, self.session.rolling().map(|(take, _)| &take.id));
        let (v, ip, id, action) = (protocol::VERSION, self.ip, order.id, order.action);
        let (link, means, clocks) = (self.link.clone(), self.means.clone(), self.clocks);
        tokio::spawn(async move {
            let error = match refused {
                Some(refusal) => Some(refusal),
                None => orders::carry_out(action, &means).await,
            };
            let answer = OrderAnswer { v, ip, id, action, error, at: clocks.wall() };
            link.say(&Topic::Answer(ip), protocol::write(&answer));
        });
    }

    fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::StartCamera => {
                self.camera = Some(Running::start(self.settings.camera.clone(), self.camera_sink.clone()));
            }
            Effect::StopCamera => self.stop_camera(),
            Effect::RestartCamera(why) => {
                tracing::warn!("{why}");
                let old = self.camera.take();
                self.stop_camera();
                let (settings, sink) = (self.settings.camera.clone(), self.camera_sink.clone());
                self.camera = old.map(|camera| camera.restart(settings, sink));
            }
            Effect::ChangeCamera => {
                let old = self.camera.take();
                self.stop_camera();
                let (settings, sink) = (self.settings.camera.clone(), self.camera_sink.clone());
                self.camera = old.map(|camera| camera.change(settings, sink));
            }
            Effect::Store(command) => {
                // Manifests are written when files open and close, not with each picture.
                if !matches!(command, StoreCommand::Keep(_)) {
                    let camera = CameraReport { can: None, ..self.camera_report() };
                    let (camera, facts) = (camera, self.session.facts().cloned());
                    self.store.know(|identity| {
                        identity.camera = Some(camera);
                        identity.facts = facts;
                    });
                }
                self.store.submit(command);
            }
        }
    }

    /// Pictures of the old camera that still wait are thrown away, else they would be taken for the new one's.
    fn stop_camera(&mut self) {
        self.camera = None;
        let (sink, cameras) = mpsc::channel(CAMERA_QUEUE);
        self.camera_sink = sink;
        self.cameras = cameras;
    }

    fn say_if_due(&mut self) {
        let now = self.clocks.mono();
        let state = self.session.state();
        let take = self.session.rolling().map(|(take, _)| take.id.clone());
        let every = if take.is_some() { SAY_ROLLING } else { SAY_ELSE };
        // The controller may choose a T0 in the past as soon as it knows how far the ring reaches back.
        let reach = (self.session.ring().held_s() * 2.0) as u8;
        let findings = self.findings();
        let codes = findings.iter().map(|finding| finding.code.clone()).collect();
        let key = Telling {
            state,
            take,
            codes,
            reach: reach.min(8),
            segment: self.store.kept().segment,
            wished: self.wishes.holds().cloned(),
            told: self.readback.known(),
            phase: self.session.phase().map(|phase| phase.state),
        };
        if self.said.as_ref().is_some_and(|said| said.key == key && now.since(said.at) < every) {
            return;
        }
        self.link.say(&Topic::Status(self.ip), protocol::write(&self.status(state, findings)));
        self.said = Some(Said { at: now, key });
    }

    fn camera_report(&self) -> CameraReport {
        let (camera, facts) = (&self.settings.camera, self.session.facts());
        CameraReport {
            kind: camera.kind.word().into(),
            model: facts.and_then(|facts| facts.model.clone()),
            width: camera.width,
            height: camera.height,
            fps: camera.fps,
            start_ms: self.session.start_ms().unwrap_or_else(|| camera.kind.usual_start_ms()),
            ring_s: (self.session.ring().held_s() * 1000.0).floor() / 1000.0,
            bitrate: has_bitrate(camera, facts).then_some(camera.bitrate.0),
            can: self.wishes.can().map(|said| self.readback.can(said, camera, facts)),
            actual: self.readback.actual(camera, facts, self.session.ring()),
            wished: self.wishes.holds().cloned(),
            pending: self.wishes.pending(),
            phase: self.session.phase(),
        }
    }

    fn status(&self, state: NodeState, findings: Vec<Finding>) -> NodeStatus {
        let kept = self.store.kept();
        let rolling = self.session.rolling();
        let drops = rolling.map(|(_, drops)| drops).unwrap_or_default();
        let health = self.store.health(self.clocks.mono());
        NodeStatus {
            v: protocol::VERSION,
            ip: self.ip,
            name: self.name.clone(),
            state,
            take: rolling.map(|(take, _)| take.id.clone()),
            frames: kept.frames,
            dropped: drops.all(),
            drops,
            fps: (self.session.ring().fps() * 100.0).round() / 100.0,
            segment: kept.segment,
            bytes: kept.bytes,
            skew_us: kept.skew_us,
            clock: self.clock.clone(),
            disk: self.machine.room.map(|room| DiskReading {
                free_bytes: room.free,
                record_s_left: self.session.space().seconds_left(),
                slowest_ms: u64::try_from(health.slowest.as_millis()).ok(),
                waiting_bytes: Some(health.waiting),
            }),
            temp_c: self.machine.temp_c,
            throttled: self.machine.power.map(|power| power.under_voltage || power.slowed),
            aes: syncslate_shared::processor::has_aes(),
            camera: self.camera_report(),
            findings,
            fault: self.session.fault(),
            version: env!("CARGO_PKG_VERSION").into(),
            booted: self.booted,
            at: self.clocks.wall(),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let now = self.clocks.mono();
        let health = self.store.health(now);
        let wishes = self.wishes.findings();
        findings::find(&Seen {
            wishes: &wishes,
            fault: self.session.fault().as_ref(),
            clock: self.clock.as_ref(),
            free_bytes: self.machine.room.map(|room| room.free),
            seconds_left: self.session.space().seconds_left(),
            slowest_write: health.slowest,
            waiting_bytes: health.waiting,
            temp_c: self.machine.temp_c,
            power: self.machine.power,
            stalled: self.session.stalled(now),
            behind: self.session.behind(),
            step_us: self.session.step_us(now),
            drops: self.session.rolling().map(|(_, drops)| drops).unwrap_or_default(),
            gaps: self.session.gaps(),
            phase: self.session.phase(),
            steering: self.session.facts().map(|facts| &facts.steering),
        })
    }

    /// Footage first, then the goodbye.
    async fn close(self) {
        let Self { store, link, camera, ip, .. } = self;
        drop(camera);
        // Joining the disk's thread blocks, and a disk that hangs must not hold up the goodbye for ever.
        let (tell, closed) = oneshot::channel();
        std::thread::spawn(move || {
            store.close();
            let _ = tell.send(());
        });
        if tokio::time::timeout(CLOSING, closed).await.is_err() {
            tracing::warn!(
                "the disk did not close its files within {} s: they are repaired later",
                CLOSING.as_secs_f64()
            );
        }
        link.say(&Topic::Status(ip), protocol::write(&Departed::of(ip)));
        link.close().await;
    }
}

/// The last key frame of a camera that runs.
fn newest_key(session: &Session) -> Option<&AccessUnit> {
    let ring = session.ring();
    let slot = (ring.held_s() > 0.0).then(|| ring.key_before(ring.next_seq())).flatten();
    slot.map(|slot| &slot.unit)
}
