//! What a node does for a take but for its camera and encoder: its session and its store are given pictures of simulated
//! time, as fast as the disk takes them.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use syncslate_e2e::figures::{cpu, median, rss_mib};
use syncslate_e2e::process::now;
use syncslate_node::camera::{AccessUnit, CameraEvent, CameraFacts, Steering};
use syncslate_node::event::{Effect, StoreEvent};
use syncslate_node::session::{Arm, Session, SessionSettings};
use syncslate_node::store::{Identity, Store};
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::grid::Grid;
use syncslate_shared::manifest::{Manifest, StampSource};
use syncslate_shared::protocol::{ClockReading, Take};
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use syncslate_shared::time::{Mono, Wall};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{Growth, T0, steps};

const ROUNDS: usize = 3;
const FPS: u64 = 30;
/// An IDR twice a second.
const GOP: u64 = 15;
const FRAME_BYTES: usize = 300;
const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// More does not wait for the disk at once, as at a real camera.
const WAITING: u64 = 64 << 10;

/// Recordings by their length.
pub(crate) fn recordings(most: u64) -> Vec<Growth> {
    println!(
        "a node's session and store for a take of simulated time, {FPS} frames/s of {FRAME_BYTES} bytes; medians of {ROUNDS}"
    );
    println!(
        "{:>8} {:>16} {:>16} {:>18} {:>10}",
        "minutes", "CPU in all, ms", "us a frame", "STOP to closed, ms", "MiB more"
    );
    let before = rss_mib(std::process::id());
    let (mut work, mut closing) = (Vec::new(), Vec::new());
    for minutes in steps(most) {
        let frames = minutes * 60 * FPS;
        let rounds: Vec<Recorded> = (0..ROUNDS).map(|_| record(frames)).collect();
        let middle = |of: fn(&Recorded) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
        let (cpu, closed) = (middle(|round| round.cpu_ms), middle(|round| round.closed_ms));
        let memory = middle(|round| round.rss_mib) - before;
        println!("{minutes:>8} {cpu:>16.0} {:>16.1} {closed:>18.1} {memory:>10.1}", cpu * 1000.0 / frames as f64);
        work.push((minutes as f64, cpu));
        closing.push((minutes as f64, closed));
    }
    println!();
    vec![
        Growth { name: "recording: a node's work in all", points: work },
        Growth { name: "recording: STOP to all files closed", points: closing },
    ]
}

/// What a recording took.
struct Recorded {
    cpu_ms: f64,
    closed_ms: f64,
    /// Of this process, before STOP.
    rss_mib: f64,
}

fn record(frames: u64) -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let before = cpu(std::process::id());
    let mut node = Node::new(folder.path());
    let take = Take {
        id: TakeId { name: TakeName::new("long").unwrap(), stamp: Stamp::local(T0) },
        t0: T0,
        t1: None,
        segment_s: 60,
        nodes: vec![IP],
    };
    node.session.on_take(Some(take.clone()), mono(0));
    node.obey();
    node.hear(&StoreEvent::Opened { id: take.id.clone(), last: None });
    for frame in 0..frames {
        node.shoot(frame);
    }
    node.rest(0);
    let rss_mib = rss_mib(std::process::id());
    let stopped = now();
    node.session.on_take(Some(Take { t1: Some(exposure(frames)), ..take.clone() }), mono(frames));
    node.shoot(frames);
    node.hear(&StoreEvent::Finished { id: take.id.clone() });
    let closed_ms = stopped.elapsed().as_secs_f64() * 1000.0;
    let cpu_ms = cpu(std::process::id()).saturating_sub(before).as_secs_f64() * 1000.0;
    node.store.close();
    let manifest = fs::read(folder.path().join(Base { id: take.id, ip: IP }.file(Kind::Manifest))).unwrap();
    let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
    assert!(manifest.finished && manifest.frames == frames && manifest.gaps.is_empty(), "{manifest:?}");
    Recorded { cpu_ms, closed_ms, rss_mib }
}

fn mono(frame: u64) -> Mono {
    Mono::from_micros(i64::try_from(frame * 1_000_000 / FPS).unwrap())
}

fn exposure(frame: u64) -> Wall {
    T0.offset_us(mono(frame).micros())
}

/// A node without camera and network.
struct Node {
    session: Session,
    store: Store,
    told: UnboundedReceiver<StoreEvent>,
}

impl Node {
    fn new(videos: &Path) -> Self {
        let (tell, told) = unbounded_channel();
        let clock =
            ClockReading { source: Some("chrony".into()), synced: true, offset_us: Some(-17), error_us: Some(83) };
        let identity = Identity { ip: IP, name: "cam1".into(), camera: None, facts: None, clock: Some(clock) };
        let store = Store::start(videos.to_owned(), identity, tell).unwrap();
        let settings = SessionSettings {
            arm: Arm::Always,
            ring: Duration::from_secs(4),
            pre_roll: Duration::ZERO,
            grid: Grid::of(FPS as f64),
            reserve: 0,
        };
        let mut session = Session::new(settings, mono(0));
        let stamps = StampSource::Sensor;
        let facts = CameraFacts { model: None, encoder: "libx264".into(), stamps, steering: Steering::Free };
        session.on_camera(CameraEvent::Up(facts), mono(0));
        Self { session, store, told }
    }

    /// The camera takes a picture.
    fn shoot(&mut self, frame: u64) {
        let (wall, mono, key) = (exposure(frame), mono(frame), frame.is_multiple_of(GOP));
        self.session.on_clocks(wall, mono);
        let data = vec![u8::try_from(frame % 251).unwrap(); FRAME_BYTES].into();
        self.session.on_camera(CameraEvent::Unit(AccessUnit { time: wall, key, data }), mono);
        if key {
            self.session.on_tick(wall, mono);
            self.rest(WAITING);
        }
        self.obey();
    }

    fn obey(&mut self) {
        for effect in self.session.effects() {
            if let Effect::Store(command) = effect {
                self.store.submit(command);
            }
        }
    }

    /// Until no more than so many bytes wait for the disk.
    fn rest(&self, bytes: u64) {
        while self.store.health(mono(0)).waiting > bytes {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Hears what the disk says, to this; anything else that it says is a failure.
    fn hear(&mut self, last: &StoreEvent) {
        let event = self.told.blocking_recv().unwrap();
        assert_eq!(event, *last);
        self.session.on_store(event, mono(0));
        self.obey();
    }
}
