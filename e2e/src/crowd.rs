//! Many nodes that only talk: the real link and the real status messages of as many nodes as are wished, without cameras.
//! For how the page looks and how fast it is with more nodes than one machine can simulate.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use syncslate_shared::access::Access;
use syncslate_shared::link::{Link, LinkSettings};
use syncslate_shared::time::{Clocks as _, SystemClocks};
use syncslate_shared::topic::Topic;
use tokio::runtime::Runtime;

/// What people call their cameras; behind the last one they are numbered.
const NAMES: [&str; 8] =
    ["left", "centre", "right", "overhead", "crane", "the door behind the audience, long lens", "piano", "conductor"];

/// As often as a node says its status although nothing changed.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Nodes that only talk.
#[derive(Debug)]
pub struct Crowd {
    _runtime: Runtime,
    members: Vec<Member>,
}

#[derive(Debug, Clone)]
struct Member {
    ip: Ipv4Addr,
    link: Link,
    status: Arc<Mutex<Value>>,
}

impl Member {
    fn say(&self) {
        let mut status = self.status.lock().unwrap().clone();
        status["at"] = json!(SystemClocks.wall());
        self.link.say(&Topic::Status(self.ip), status.to_string().into_bytes());
    }

    /// Says its status again and again, as a node does: one that is silent counts as gone.
    async fn live(self) {
        loop {
            self.say();
            tokio::time::sleep(STATUS_EVERY).await;
        }
    }
}

/// A connection to the broker on this port: it hears nothing and leaves no will.
pub(crate) fn plain(mqtt: u16, client: String) -> LinkSettings {
    LinkSettings {
        broker: format!("127.0.0.1:{mqtt}").parse().unwrap(),
        access: Access::default(),
        client,
        prefix: String::new(),
        subscriptions: Vec::new(),
        will: None,
    }
}

impl Crowd {
    /// `n` nodes at the broker on this port, armed, at 192.168.1.101 and so on.
    ///
    /// # Panics
    /// When there is no such address.
    pub fn join(mqtt: u16, n: u8) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let members = (0..n)
            .map(|i| {
                let ip = Ipv4Addr::new(192, 168, 1, 101 + i);
                let _guard = runtime.enter();
                let (link, mut events) = Link::open(plain(mqtt, format!("crowd-{i}")));
                let member = Member { ip, link, status: Arc::new(Mutex::new(status(ip, u16::from(i)))) };
                runtime.spawn(async move { while events.recv().await.is_some() {} });
                runtime.spawn(member.clone().live());
                member
            })
            .collect();
        Self { _runtime: runtime, members }
    }

    /// Their addresses.
    pub fn ips(&self) -> Vec<Ipv4Addr> {
        self.members.iter().map(|member| member.ip).collect()
    }

    /// Changes what a node says of itself, and says it.
    pub fn change(&self, i: usize, change: &Value) {
        let member = &self.members[i];
        if let Value::Object(now) = &mut *member.status.lock().unwrap() {
            now.extend(change.as_object().cloned().unwrap_or_default());
        }
        member.say();
    }
}

/// What an armed node says of itself; `i` makes it another one.
pub(crate) fn status(ip: Ipv4Addr, i: u16) -> Value {
    let name = NAMES.get(usize::from(i)).map_or_else(|| format!("camera {}", i + 1), |name| (*name).to_owned());
    json!({
        "v": 1, "ip": ip, "name": name, "state": "armed", "take": null, "frames": 0, "dropped": 0, "fps": 30.0,
        "segment": null, "bytes": 0, "skew_us": null,
        "clock": {"source": "chrony", "synced": true, "offset_us": i64::from(i) * 7 - 40, "error_us": 85 + u32::from(i)},
        "disk": {"free_bytes": 51_234_567_890_u64, "record_s_left": 13_210 + 600 * u32::from(i)},
        "temp_c": 48.5 + f64::from(i % 40) / 2.0, "throttled": false,
        "camera": {"kind": "rpicam", "model": "imx477", "width": 1920, "height": 1080, "fps": 30.0, "start_ms": 900,
            "ring_s": 4.0},
        "fault": null, "version": env!("CARGO_PKG_VERSION"), "booted": SystemClocks.wall(), "at": SystemClocks.wall(),
    })
}
