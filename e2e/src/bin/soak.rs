//! Three nodes, take after take, a fault a minute: `soak [MINUTES]` (60 unless told). The faults are drawn from a seed that
//! is printed; every take is judged by its pictures. It ends with a panic that says what was wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "it ends with a panic that says why")]
#![expect(clippy::print_stdout, reason = "it says what it does")]

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use syncslate_e2e::dice::Dice;
use syncslate_e2e::figures::{open_files, rss_mib};
use syncslate_e2e::process::{now, send, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_shared::time::Wall;

/// So many faults fall into a take.
const FAULTS: u64 = 5;

/// What can go wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillAgent,
    KillEncoder,
    KillCamera,
    HangCamera,
    HangEncoder,
    KillController,
    CutCable,
    BadCables,
    PowerCut,
}

const ALL: [Fault; 9] = [
    Fault::KillAgent,
    Fault::KillEncoder,
    Fault::KillCamera,
    Fault::HangCamera,
    Fault::HangEncoder,
    Fault::KillController,
    Fault::CutCable,
    Fault::BadCables,
    Fault::PowerCut,
];

/// Makes it, and what ends it; `i` is the node that it falls on.
fn make(fault: Fault, rig: &mut Rig, i: usize, dice: &mut Dice) {
    let child = |rig: &mut Rig, name: &str| rig.at(i).process.as_ref().and_then(|node| node.child(name));
    let signal = |pid: Option<u32>, signal| pid.into_iter().for_each(|pid| send(pid, signal));
    match fault {
        Fault::KillAgent => {
            rig.at(i).process.as_mut().unwrap().kill();
            rig.start_node(i);
        }
        Fault::KillEncoder => signal(child(rig, "ffmpeg"), Signal::KILL),
        Fault::KillCamera => signal(child(rig, "syncslate-node"), Signal::KILL),
        Fault::HangCamera | Fault::HangEncoder => {
            let name = if matches!(fault, Fault::HangCamera) { "syncslate-node" } else { "ffmpeg" };
            let pid = child(rig, name);
            signal(pid, Signal::STOP);
            std::thread::sleep(dice.between_ms(200, 4_000));
            signal(pid, Signal::CONT);
        }
        Fault::KillController => {
            rig.kill_controller();
            std::thread::sleep(dice.between_ms(0, 10_000));
            rig.restart_controller();
        }
        Fault::CutCable => {
            rig.at(i).cable.cut();
            std::thread::sleep(dice.between_ms(1_000, 30_000));
            rig.at(i).cable.join();
        }
        Fault::BadCables => {
            (1..=3).for_each(|i| rig.at(i).cable.worsen(200, 10));
            std::thread::sleep(dice.between_ms(5_000, 20_000));
            (1..=3).for_each(|i| rig.at(i).cable.worsen(0, 0));
        }
        Fault::PowerCut => {
            rig.kill_controller();
            (1..=3).for_each(|i| rig.at(i).process.as_mut().unwrap().kill());
            std::thread::sleep(dice.between_ms(0, 3_000));
            (1..=3).for_each(|i| rig.start_node(i));
            rig.restart_controller();
        }
    }
}

/// All nodes record, by what they say from now on.
fn settle(rig: &Rig) {
    rig.ear.clear();
    for ip in rig.ips() {
        let topic = format!("status/{ip}");
        wait_for(&format!("{ip} to record"), || {
            let newest = rig.ear.all().into_iter().rfind(|heard| heard.topic == topic);
            newest.is_some_and(|heard| heard.json["state"] == "rolling" && heard.json["segment"].is_u64())
        });
    }
}

/// Memory in MiB and open files of the controller and the nodes.
fn held(rig: &mut Rig) -> Vec<(f64, usize)> {
    let controller = rig.controller().id();
    let nodes = (1..=3).map(|i| rig.at(i).process.as_ref().unwrap().id());
    [controller].into_iter().chain(nodes).map(|pid| (rss_mib(pid), open_files(pid))).collect()
}

/// Nobody holds much more than after the first take: what grows with each take or fault would.
fn expect_no_leak(first: &[(f64, usize)], now: &[(f64, usize)]) {
    for ((mib, files), (mib_now, files_now)) in first.iter().zip(now) {
        assert!(*mib_now < mib * 1.5 + 8.0, "{mib:.1} MiB after the first take, {mib_now:.1} MiB now");
        assert!(*files_now < files + 16, "{files} files open after the first take, {files_now} now");
    }
}

fn main() {
    let minutes: u64 = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(60);
    let begin = now();
    let mut dice = Dice::new();
    let mut rig = Rig::new().node("phase_ms=3,ppm=40").node("phase_ms=14").node("phase_ms=25,ppm=-60").up("armed");
    let (mut takes, mut faults, mut missing) = (0, 0, 0);
    let mut first = None;
    while begin.elapsed() < Duration::from_secs(60 * minutes) {
        takes += 1;
        rig.roll(&format!("soak_{takes:03}"));
        settle(&rig);
        for _ in 0..FAULTS {
            let minute = now();
            std::thread::sleep(dice.between_ms(2_000, 20_000));
            let (fault, i) = (ALL[dice.below(ALL.len() as u64) as usize], 1 + dice.below(3) as usize);
            println!("{:>5} s  take {takes}: {fault:?}, cam{i}", begin.elapsed().as_secs());
            make(fault, &mut rig, i, &mut dice);
            faults += 1;
            settle(&rig);
            assert_eq!(rig.ask("mark", format!("after {fault:?}"))["ok"], json!(true));
            std::thread::sleep(Duration::from_secs(60).saturating_sub(minute.elapsed()));
        }
        let idle = rig.cut();
        let t1 = Wall::parse(idle["t1"].as_str().unwrap()).unwrap();
        for i in 1..=3 {
            let footage = rig.finished(i, &idle);
            let holes = footage.expect_told(t1);
            assert_eq!(footage.marks().len() as u64, FAULTS, "cam{i}");
            let told: Vec<_> = holes.iter().map(|hole| format!("{} {:.2} s", hole.cause, hole.length_s())).collect();
            println!("{:>5} s  take {takes}, cam{i}: {}", begin.elapsed().as_secs(), told.join(", "));
            missing += holes.iter().map(|hole| hole.missing).sum::<u64>();
        }
        rig.ear.clear();
        let now_held = held(&mut rig);
        let told: Vec<_> = now_held.iter().map(|(mib, files)| format!("{mib:.1} MiB {files} files")).collect();
        println!("{:>5} s  take {takes}, controller and nodes hold {}", begin.elapsed().as_secs(), told.join(", "));
        expect_no_leak(first.get_or_insert_with(|| now_held.clone()), &now_held);
    }
    println!("{takes} takes, {faults} faults, {missing} frames missing, every one of them told");
}
