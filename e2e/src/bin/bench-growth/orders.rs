//! What an operator waits for: a START, when there are so many nodes, and a MARK, when there are so many already.

use serde_json::json;
use syncslate_e2e::figures::{ask, median, online, rss_mib};
use syncslate_e2e::process::wait_for;
use syncslate_e2e::rig::Rig;
use syncslate_e2e::swarm::{Swarm, Word};
use syncslate_shared::topic::Topic;

use crate::{Growth, LOOKS, steps, time};

/// START until the last node has answered.
pub(crate) fn starting(most: u64) -> Growth {
    println!("START to the last answer of so many simulated nodes; medians of {LOOKS}");
    println!("{:>8} {:>16} {:>16}", "nodes", "START, ms", "controller, MiB");
    let mut points = Vec::new();
    for nodes in steps(most) {
        let mut rig = Rig::new();
        let swarm = Swarm::join(rig.mqtt, u16::try_from(nodes).unwrap());
        swarm.settle();
        let console = swarm.console(rig.mqtt);
        let mut times = Vec::new();
        for round in 0..LOOKS {
            times.push(console.press(&Topic::Start, &format!("round_{round}"), "rolling").1);
            console.press(&Topic::Stop, "", "armed");
        }
        let ms = median(&times);
        println!("{nodes:>8} {ms:>16.1} {:>16.1}", rss_mib(rig.controller().id()));
        points.push((nodes as f64, ms));
    }
    println!();
    Growth { name: "nodes: START to the last answer", points }
}

/// MARK when there are many already.
pub(crate) fn marking(most: u64) -> Growth {
    let rig = Rig::new();
    let swarm = Swarm::join(rig.mqtt, 1);
    wait_for("the node to be known", || online(rig.http) == 1);
    ask(rig.http, "POST", "/api/start", r#"{"take":"marks"}"#).unwrap();
    swarm.all(&Word::Rolls(true));
    println!("a MARK, when there are so many; medians of {LOOKS}");
    println!("{:>8} {:>16}", "marks", "answered, ms");
    let (mut points, mut made) = (Vec::new(), 0);
    let mark =
        |n: u64| ask(rig.http, "POST", "/api/mark", &json!({"note": format!("mark {n}")}).to_string()).unwrap().len();
    for marks in steps(most) {
        while made < marks - (LOOKS as u64).min(marks) {
            mark(made);
            made += 1;
        }
        let (ms, _) = time(|| {
            made += 1;
            mark(made)
        });
        println!("{marks:>8} {ms:>16.1}");
        points.push((marks as f64, ms));
    }
    println!();
    Growth { name: "marks: a MARK's answer", points }
}
