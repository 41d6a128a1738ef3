//! How soon one can roll: from the start of the controller's process to its page, its broker and an obeyed START, from the
//! start of a node's process to its being armed with cameras that need 0, 300 and 900 ms, and how large the programs are.
//! `bench-start [ROUNDS]`: 7.

#![expect(clippy::print_stdout, reason = "it prints its table")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use syncslate_e2e::figures::{ask, median, percent, rss_mib};
use syncslate_e2e::process::{PATIENCE, Process, command, now, ours};
use syncslate_e2e::rig::Rig;
use syncslate_e2e::swarm::{Swarm, Word};

const CAMERAS_MS: [u32; 3] = [0, 300, 900];

fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(7, |word| word.parse().unwrap());
    let (mut page, mut broker, mut roll, mut memory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let times = controller();
        page.push(times[0]);
        broker.push(times[1]);
        roll.push(times[2]);
        memory.push(times[3]);
    }
    let mut rows = vec![
        ("controller: process to page, ms".to_owned(), page),
        ("controller: process to broker, ms".to_owned(), broker),
        ("controller: process to an answered START, ms".to_owned(), roll),
        ("controller: memory then, MiB".to_owned(), memory),
    ];
    for start_ms in CAMERAS_MS {
        let armed: Vec<f64> = (0..rounds).map(|_| node(start_ms)).collect();
        let beyond = armed.iter().map(|ms| ms - f64::from(start_ms)).collect();
        rows.push((format!("node: process to armed, camera of {start_ms} ms"), armed));
        rows.push(("  beyond the camera's own start, ms".to_owned(), beyond));
    }
    println!("medians of {rounds} starts on a machine that has the programs in memory");
    println!("{:<52} {:>9} {:>9}", "", "median", "most");
    for (name, values) in rows {
        println!("{name:<52} {:>9.1} {:>9.1}", median(&values), percent(&values, 100));
    }
    for program in ["syncslate-controller", "syncslate-node"] {
        let bytes = std::fs::metadata(ours(program)).unwrap().len();
        println!("{:<52} {:>9.1}", format!("{program}, MB (packages hold it stripped)"), bytes as f64 / 1e6);
    }
}

/// A controller in an empty folder: to its page, its broker, an answered START, and its memory.
fn controller() -> [f64; 4] {
    let folder = tempfile::tempdir().unwrap();
    let [http, mqtt] = [(); 2].map(|()| free_port());
    let mut program = command(ours("syncslate-controller"));
    program.args(["--http", &format!("127.0.0.1:{http}"), "--mqtt", &format!("127.0.0.1:{mqtt}")]);
    program.arg("--downloads").arg(folder.path().join("downloads")).arg("--state").arg(folder.path().join("state"));
    let started = now();
    let process = Process::start(program);
    let page = until(started, || ask(http, "GET", "/healthz", "").is_ok());
    let broker = until(started, || TcpStream::connect(("127.0.0.1", mqtt)).is_ok());
    // Without a node START is refused with a reason: that it is, shows that all parts are there.
    let roll =
        until(started, || ask(http, "POST", "/api/start", "{}").is_err_and(|e| e.to_string().contains("no_nodes")));
    [page, broker, roll, rss_mib(process.id())]
}

/// A node with a camera of this start, at a controller that is there.
fn node(start_ms: u32) -> f64 {
    let mut rig = Rig::new().node(&format!("start_ms={start_ms}"));
    // Its own word, heard by a client of our own: nothing is started to hear it.
    let listening = Swarm::join(rig.mqtt, 1);
    listening.all(&Word::Up);
    let topic = format!("status/{}", rig.ips()[0]);
    let (_link, heard) = listening.listener(rig.mqtt, &[&topic]);
    let started = now();
    rig.start_node(1);
    let heard = heard.lock().unwrap();
    loop {
        let (at, _, status) = heard.recv_timeout(PATIENCE).unwrap();
        if status["state"] == "armed" {
            return (at - started).as_secs_f64() * 1000.0;
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn until(started: Instant, condition: impl Fn() -> bool) -> f64 {
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "the controller does not come up");
        std::thread::sleep(Duration::from_millis(1));
    }
    started.elapsed().as_secs_f64() * 1000.0
}
