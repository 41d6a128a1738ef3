//! Many nodes that only talk: the real link and the real status messages of as many nodes as are wished, without cameras.
//! For how the page looks and how fast it is with more nodes than one machine can simulate.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use syncslate_shared::access::Access;
use syncslate_shared::link::{Link, LinkSettings};
use syncslate_shared::time::{Clocks as _, SystemClocks};
use syncslate_shared::topic::Topic;
use tokio::runtime::Runtime;

/// What people call their cameras; behind the last one they are numbered.
const NAMES: [&str; 8] =
    ["left", "centre", "right", "overhead", "crane", "the door behind the audience, long lens", "piano", "conductor"];

/// Nodes that only talk.
#[derive(Debug)]
pub struct Crowd {
    runtime: Runtime,
    members: Vec<(Ipv4Addr, Link, Value)>,
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
                let settings = LinkSettings {
                    broker: format!("127.0.0.1:{mqtt}").parse().unwrap(),
                    access: Access::default(),
                    client: format!("crowd-{i}"),
                    prefix: String::new(),
                    subscriptions: Vec::new(),
                    will: None,
                };
                let guard = runtime.enter();
                let (link, mut events) = Link::open(settings);
                drop(guard);
                runtime.spawn(async move { while events.recv().await.is_some() {} });
                (ip, link, status(ip, i))
            })
            .collect();
        let crowd = Self { runtime, members };
        (0..crowd.members.len()).for_each(|i| crowd.say(i));
        crowd
    }

    /// Their addresses.
    pub fn ips(&self) -> Vec<Ipv4Addr> {
        self.members.iter().map(|(ip, ..)| *ip).collect()
    }

    /// Changes what a node says of itself, and says it.
    pub fn change(&mut self, i: usize, change: &Value) {
        let now = &mut self.members[i].2;
        for (key, value) in change.as_object().into_iter().flatten() {
            now[key] = value.clone();
        }
        self.say(i);
    }

    fn say(&self, i: usize) {
        let (ip, link, status) = &self.members[i];
        let mut status = status.clone();
        status["at"] = json!(SystemClocks.wall());
        let _guard = self.runtime.enter();
        link.say(&Topic::Status(*ip), status.to_string().into_bytes());
    }
}

fn status(ip: Ipv4Addr, i: u8) -> Value {
    let name = NAMES.get(usize::from(i)).map_or_else(|| format!("camera {}", i + 1), |name| (*name).to_owned());
    json!({
        "v": 1, "ip": ip, "name": name, "state": "armed", "take": null, "frames": 0, "dropped": 0, "fps": 30.0,
        "segment": null, "bytes": 0, "skew_us": null,
        "clock": {"source": "chrony", "synced": true, "offset_us": i64::from(i) * 7 - 40, "error_us": 85 + u32::from(i)},
        "disk": {"free_bytes": 51_234_567_890_u64, "record_s_left": 13_210 + 600 * u32::from(i)},
        "temp_c": 48.5 + f64::from(i) / 2.0, "throttled": false,
        "camera": {"kind": "rpicam", "model": "imx477", "width": 1920, "height": 1080, "fps": 30.0, "start_ms": 900,
            "ring_s": 4.0},
        "fault": null, "version": env!("CARGO_PKG_VERSION"), "booted": SystemClocks.wall(), "at": SystemClocks.wall(),
    })
}
