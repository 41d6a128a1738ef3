//! A stage without a controller behind it: fabricated snapshots, for the tests and for looking at the page.

use std::net::Ipv4Addr;
use std::sync::Arc;

use syncslate_broker::Gate;
use syncslate_broker::accounts::Accounts;
use syncslate_controller::about::About;
use syncslate_controller::door::{Door, Request};
use syncslate_controller::export_settings::ExportSection;
use syncslate_controller::exports::Exports;
use syncslate_controller::lock::Lock;
use syncslate_controller::logbook::Logbook;
use syncslate_controller::naming;
use syncslate_controller::snapshot::{FileEntry, NodeFiles, NodeView, Set, Snapshot, TakeSummary};
use syncslate_controller::viewfinder::Viewfinder;
use syncslate_shared::camera::{Can, Key};
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::preview::LeaseMessage;
use syncslate_shared::protocol::{
    CameraReport, ClockReading, CurrentTake, DiskReading, Download, DownloadState, Drops, Fault, Finding, Level, Marks,
    NodeDownload, NodeState, NodeStatus, Phase, PhaseState, Take,
};
use syncslate_shared::take::{Mark, Stamp, TakeId, TakeName};
use syncslate_shared::time::{SystemClocks, Wall};
use tokio::sync::{broadcast, mpsc, watch};

/// 2025-10-23T12:02:10.5Z
pub(crate) const T0: Wall = Wall::from_micros(1_761_220_930_500_000);

/// The nth node's address.
pub(crate) fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, 100 + n)
}

/// A take's id with its T0.
pub(crate) fn id(name: &str, t0: Wall) -> TakeId {
    TakeId { name: TakeName::new(name).unwrap(), stamp: Stamp::local(t0) }
}

/// Nothing has happened yet.
pub(crate) fn empty() -> Snapshot {
    Snapshot {
        take: CurrentTake::of(None),
        marks: Marks::default(),
        nodes: Vec::new(),
        cameras: Set { segment_s: 60, ..Set::default() },
        downloads: Vec::new(),
        takes: Arc::default(),
        next_name: TakeName::numbered(1),
        proposal: TakeName::numbered(1),
        notices: Vec::new(),
        latest_event: 0,
        version: "0.1.0",
        at: T0,
    }
}

/// So many nodes, all armed.
pub(crate) fn armed(count: u8) -> Snapshot {
    let nodes = (1..=count).map(|n| node(n, NodeState::Armed)).collect();
    Snapshot { nodes, ..empty() }
}

/// So many nodes rolling since `t0`.
pub(crate) fn rolling(count: u8, name: &str, t0: Wall) -> Snapshot {
    let take = Take { id: id(name, t0), t0, t1: None, segment_s: 60, nodes: (1..=count).map(ip).collect() };
    let mut snapshot = armed(count);
    for node in &mut snapshot.nodes {
        node.state = NodeState::Rolling;
        if let Some(status) = words(node) {
            (status.state, status.take, status.frames) = (NodeState::Rolling, Some(take.id.clone()), 2503);
            (status.segment, status.bytes, status.skew_us) = (Some(1), 41_000_000, Some(3_210));
        }
    }
    snapshot.proposal = naming::next(Some(&take.id.name), |_| true, TakeName::numbered(1));
    snapshot.take = CurrentTake::of(Some(&take));
    snapshot.marks = Marks { id: Some(take.id), marks: Vec::new() };
    snapshot
}

/// Adds a mark, `us` after T0.
pub(crate) fn mark(snapshot: &mut Snapshot, us: i64, note: &str) {
    let n = u32::try_from(snapshot.marks.marks.len()).unwrap() + 1;
    let at = snapshot.take.t0.unwrap().offset_us(us);
    snapshot.marks.marks.push(Mark { n, at, note: note.into() });
}

/// A node in good health.
pub(crate) fn node(n: u8, state: NodeState) -> NodeView {
    let names = ["left", "centre", "right", "top", "crane", "door", "audience", "piano"];
    let status = NodeStatus {
        v: 1,
        ip: ip(n),
        name: names.get(usize::from(n) - 1).map_or_else(|| format!("camera {n}"), |name| (*name).to_owned()),
        state,
        take: None,
        frames: 0,
        dropped: 0,
        drops: Drops::default(),
        fps: 30.0,
        segment: None,
        bytes: 0,
        skew_us: None,
        clock: Some(ClockReading {
            source: Some("chrony".into()),
            synced: true,
            offset_us: Some(i64::from(n) * 17 - 40),
            error_us: Some(85 + i64::from(n)),
        }),
        disk: Some(DiskReading {
            free_bytes: 51_234_567_890,
            record_s_left: Some(13_210 + 997 * u64::from(n)),
            slowest_ms: Some(31),
            waiting_bytes: Some(0),
        }),
        temp_c: Some(48.0 + f64::from(n)),
        throttled: Some(false),
        aes: false,
        camera: CameraReport {
            kind: "rpicam".into(),
            model: Some("imx477".into()),
            width: 1920,
            height: 1080,
            fps: 30.0,
            start_ms: 900,
            ring_s: 4.0,
            bitrate: Some(8_000_000),
            can: Some(Can::widest(&Key::ALL)),
            actual: serde_json::from_value(serde_json::json!({
                "width": 1920, "height": 1080, "fps": 30, "bitrate": 8_000_000, "exposure_us": 9_979, "gain": 1.5,
                "awb": {"red": 1.58, "blue": 2.102}, "focus": 0.5
            }))
            .ok(),
            wished: None,
            pending: false,
            phase: Some(Phase { state: PhaseState::Locked, error_us: -23, worst_us: 61 }),
        },
        fault: None,
        findings: Vec::new(),
        version: "0.1.0".into(),
        booted: T0.offset_us(-3_600_000_000),
        at: T0,
    };
    NodeView { ip: ip(n), state, status: Some(Arc::new(status)), findings: Vec::new() }
}

/// A node's own words, to be changed.
pub(crate) fn words(node: &mut NodeView) -> Option<&mut NodeStatus> {
    node.status.as_mut().map(Arc::make_mut)
}

/// Adds something that is wrong with a node.
pub(crate) fn finding(node: &mut NodeView, level: Level, code: &str, message: &str) {
    node.findings.push(Finding { level, code: code.into(), message: message.into(), remedy: String::new() });
}

/// Puts a node into a fault.
pub(crate) fn fault(node: &mut NodeView, message: &str) {
    finding(node, Level::Error, "camera_exited", message);
    node.state = NodeState::Fault;
    if let Some(status) = words(node) {
        status.state = NodeState::Fault;
        status.fault = Some(Fault { code: "camera_exited".into(), message: message.into() });
    }
}

/// A take on disk with the files of so many nodes.
pub(crate) fn on_disk(name: &str, t0: Wall, count: u8) -> TakeSummary {
    let id = id(name, t0);
    let files = |n| {
        let base = Base { id: id.clone(), ip: ip(n) };
        let kinds = [Kind::Digests, Kind::Segment(0), Kind::Segment(1), Kind::Frames, Kind::Markers, Kind::Manifest];
        kinds.map(|kind| FileEntry { name: base.file(kind), bytes: 31_234_567, custody: None }).to_vec()
    };
    let nodes: Vec<NodeFiles> = (1..=count).map(|n| NodeFiles { ip: ip(n), files: files(n) }).collect();
    TakeSummary {
        take: id.name.clone(),
        bytes: nodes.iter().flat_map(|node| &node.files).map(|file| file.bytes).sum(),
        date: id.stamp.readable(),
        ids: vec![id],
        nodes,
        length_ms: Some(93_400),
        sync: Vec::new(),
    }
}

/// A download with one node of each state.
pub(crate) fn download(name: &str) -> Download {
    let part = |state, bytes, error: Option<&str>| NodeDownload {
        bytes,
        verified: 2,
        error: error.map(str::to_owned),
        rate_bytes_s: (state == DownloadState::Running).then_some(11_600_000),
        left_s: (state == DownloadState::Running).then_some(10),
        ..NodeDownload::new(state, 6, 187_000_000)
    };
    let nodes = [
        (ip(1), part(DownloadState::Running, 71_000_000, None)),
        (ip(2), part(DownloadState::Done, 187_000_000, None)),
        (ip(3), part(DownloadState::Failed, 12_000_000, Some("rsync ended with exit status 12: connection reset"))),
        (ip(4), part(DownloadState::Queued, 0, None)),
    ];
    Download {
        take: TakeName::new(name).unwrap(),
        state: DownloadState::Running,
        nodes: nodes.into(),
        rate_bytes_s: Some(11_600_000),
        left_s: Some(26),
    }
}

/// The other side of a door.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What the web asks for.
    pub(crate) requests: mpsc::Receiver<Request>,
    /// What the web shows.
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    /// What the web tells.
    pub(crate) news: broadcast::Sender<syncslate_controller::snapshot::News>,
    /// Where nodes' pictures go.
    pub(crate) viewfinder: Viewfinder,
    /// What is asked of the nodes because somebody looks.
    pub(crate) leases: mpsc::Receiver<LeaseMessage>,
    /// What happened.
    pub(crate) logbook: Logbook,
    /// Where the book of events lies.
    pub(crate) state: tempfile::TempDir,
}

/// An installation without accounts.
fn about(downloads: &std::path::Path) -> About {
    About {
        started: T0.offset_us(-60_000_000),
        file: Some("/etc/syncslate/controller.toml".into()),
        accounts: vec![("anna".into(), "operator"), ("cam1".into(), "node")],
        http: ([0, 0, 0, 0], 8080).into(),
        mqtt: vec![("MQTT", "0.0.0.0:1883".into())],
        prefix: String::new(),
        downloads: downloads.to_owned(),
        state: "/var/lib/syncslate".into(),
    }
}

/// A door onto this snapshot.
pub(crate) fn door(snapshot: Snapshot, downloads: &std::path::Path) -> (Door, Stage) {
    let (send, requests) = mpsc::channel(8);
    let (show, shown) = watch::channel(Arc::new(snapshot));
    let news = broadcast::Sender::new(4);
    let (viewfinder, leases) = Viewfinder::new(Arc::new(SystemClocks));
    let state = tempfile::tempdir().unwrap();
    let logbook = Logbook::open(state.path());
    let door = Door {
        exports: Exports::new(downloads.to_owned(), ExportSection::default()),
        requests: send,
        snapshot: shown,
        news: news.clone(),
        downloads: downloads.to_owned(),
        limits: syncslate_report::Limits::default(),
        viewfinder: viewfinder.clone(),
        lock: Lock::new(Gate::new(Accounts::default()), [0; 32]),
        broker: None,
        about: Arc::new(about(downloads)),
        logbook: logbook.clone(),
    };
    (door, Stage { requests, snapshot: show, news, viewfinder, leases, logbook, state })
}
