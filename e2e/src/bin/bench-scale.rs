//! What a controller and its broker bear: 30, 100 and 300 nodes in one process that speak the real protocol at real
//! rates, at a real controller. From START to the last node's answer, a node's word to the page's events, the
//! controller's processor time and memory, and how soon the fleet is whole again after the controller was killed.
//! `bench-scale [ROUNDS] [NODES…]`: 20 rounds of 30, 100 and 300.

#![expect(clippy::print_stdout, reason = "it prints its table")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use syncslate_e2e::figures::{cpu, median, online, percent, rss_mib};
use syncslate_e2e::process::{now, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_e2e::swarm::{Swarm, Word};
use syncslate_shared::topic::Topic;

/// How long processor time is counted, in each state.
const COUNTED: Duration = Duration::from_secs(10);
/// So many words are followed to the page.
const WORDS: usize = 100;
/// A word that is not on the page by then never will be.
const OVERTAKEN: Duration = Duration::from_secs(5);
/// So often the controller is killed.
const KILLS: usize = 3;

const ROWS: [&str; 12] = [
    "START to a node's rolling on its own ear, p50, ms",
    "START to the last node's answer, p50, ms",
    "START to the last node's answer, p99, ms",
    "STOP to the last node's answer, p50, ms",
    "a node's word to the page's events, p50, ms",
    "a node's word to the page's events, p99, ms",
    "controller, armed, % of a core",
    "controller, rolling, % of a core",
    "controller, MiB",
    "killed to its page again, ms",
    "killed to all nodes connected again, ms",
    "killed to all nodes online on the page, ms",
];

fn main() {
    let mut words = std::env::args().skip(1);
    let rounds: usize = words.next().map_or(20, |word| word.parse().unwrap());
    let sizes: Vec<u16> = words.map(|word| word.parse().unwrap()).collect();
    let sizes = if sizes.is_empty() { vec![30, 100, 300] } else { sizes };
    let measured: Vec<Vec<f64>> = sizes.iter().map(|nodes| measure(*nodes, rounds)).collect();
    println!("simulated nodes in one process, which takes its part of the machine too; {rounds} takes, {KILLS} kills");
    print!("{:<52}", "nodes");
    sizes.iter().for_each(|nodes| print!(" {nodes:>9}"));
    println!();
    for (row, name) in ROWS.iter().enumerate() {
        print!("{name:<52}");
        measured.iter().for_each(|column| print!(" {:>9.1}", column[row]));
        println!();
    }
}

fn measure(nodes: u16, rounds: usize) -> Vec<f64> {
    let mut rig = Rig::new();
    let swarm = Swarm::join(rig.mqtt, nodes);
    swarm.settle();
    let mut figures = takes(&rig, &swarm, rounds);
    figures.extend(events(&rig, &swarm));
    let pid = rig.controller().id();
    let armed = share(pid);
    let (bench, _heard) = swarm.listener(rig.mqtt, &["cmd/result"]);
    swarm.forget();
    bench.say(&Topic::Start, b"load".to_vec());
    swarm.all(&Word::Rolls(true));
    let rolling = share(pid);
    figures.extend([armed, rolling, rss_mib(pid)]);
    bench.say(&Topic::Stop, Vec::new());
    swarm.all(&Word::Rolls(false));
    figures.extend(recover(&mut rig, &swarm, nodes));
    figures
}

/// Rolls and cuts again and again.
fn takes(rig: &Rig, swarm: &Swarm, rounds: usize) -> Vec<f64> {
    let console = swarm.console(rig.mqtt);
    let (mut own, mut started, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        swarm.forget();
        let (pressed, answered) = console.press(&Topic::Start, &format!("round_{round}"), "rolling");
        started.push(answered);
        own.extend(swarm.all(&Word::Rolls(true)).iter().map(|at| ms(*at - pressed)));
        stopped.push(console.press(&Topic::Stop, "", "armed").1);
    }
    vec![median(&own), median(&started), percent(&started, 99), median(&stopped)]
}

/// From a node's word until a reader of `/api/events` has it.
fn events(rig: &Rig, swarm: &Swarm) -> Vec<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", rig.http)).unwrap();
    write!(stream, "GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut times = Vec::new();
    for n in 0..WORDS {
        let frames = 7_000_000 + n;
        let (at, mark) = (now(), format!("\"frames\":{frames},"));
        swarm.say(0, &json!({"frames": frames}));
        // The page is told the newest of several words at once: the node's next one may overtake this one.
        let mut until = lines.by_ref().map(Result::unwrap).take_while(|_| at.elapsed() < OVERTAKEN);
        if until.any(|line| line.contains(&mark)) {
            times.push(ms(at.elapsed()));
        }
        std::thread::sleep(Duration::from_millis(7));
    }
    assert!(times.len() > WORDS * 9 / 10, "of {WORDS} words {} came to the page", times.len());
    vec![median(&times), percent(&times, 99)]
}

/// Processor time of the controller in percent of a core.
fn share(pid: u32) -> f64 {
    std::thread::sleep(Duration::from_millis(500));
    let (from, before) = (now(), cpu(pid));
    std::thread::sleep(COUNTED);
    cpu(pid).saturating_sub(before).as_secs_f64() / from.elapsed().as_secs_f64() * 100.0
}

/// Kills the controller, and the broker with it, and starts it again.
fn recover(rig: &mut Rig, swarm: &Swarm, nodes: u16) -> Vec<f64> {
    let mut figures = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..KILLS {
        swarm.forget();
        let killed = now();
        rig.kill_controller();
        rig.restart_controller_at(rig.http);
        figures[0].push(ms(killed.elapsed()));
        let up = swarm.all(&Word::Up).into_iter().max().unwrap();
        figures[1].push(ms(up - killed));
        wait_for("all nodes to be known", || online(rig.http) == usize::from(nodes));
        figures[2].push(ms(killed.elapsed()));
    }
    figures.iter().map(|values| median(values)).collect()
}

fn ms(length: Duration) -> f64 {
    length.as_secs_f64() * 1000.0
}
