//! Programs that die or hang in the middle of a take: the node's own, its encoder, its camera.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::Value;
use syncslate_e2e::dice::Dice;
use syncslate_e2e::process::{send, wait_for};
use syncslate_e2e::rig::Rig;
use syncslate_shared::time::{Clocks as _, SystemClocks, Wall};

use crate::{codes, expect_others_whole, three, time};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Agent,
    Encoder,
    Camera,
}

/// How often each is killed; `SYNCSLATE_ROUNDS` sets it.
fn rounds() -> usize {
    std::env::var("SYNCSLATE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10)
}

impl Victim {
    /// Of node `i` in round `round`: in each round one of each.
    fn of(i: usize, round: usize) -> Self {
        [Self::Agent, Self::Encoder, Self::Camera][(i + round) % 3]
    }

    fn kill(self, rig: &mut Rig, i: usize) -> Wall {
        let node = rig.at(i).process.as_mut().unwrap();
        let name = match self {
            Self::Agent => {
                node.kill();
                // As systemd would.
                let when = SystemClocks.wall();
                rig.start_node(i);
                return when;
            }
            Self::Encoder => "ffmpeg",
            Self::Camera => "syncslate-node",
        };
        send(node.child(name).unwrap(), Signal::KILL);
        SystemClocks.wall()
    }
}

/// The newest status of node `i`.
fn newest(rig: &Rig, i: usize) -> Value {
    let topic = format!("status/127.0.1.{}", 100 + i);
    rig.ear.all().into_iter().rfind(|h| h.topic == topic).map_or(Value::Null, |h| h.json)
}

/// Waits until each node has recorded so long that a camera counts as proven again.
fn settle(rig: &mut Rig, since: Wall) {
    for i in 1..=3 {
        wait_for(&format!("cam{i} to record again"), || {
            let status = newest(rig, i);
            let fresh = status["at"].is_string() && time(&status["at"]).since_us(since) > 4_500_000;
            fresh && status["state"] == "rolling" && status["camera"]["ring_s"].as_f64() >= Some(2.6)
        });
    }
}

/// How long each kill cost: before it, and until the pictures are there again.
#[derive(Default)]
struct Cost {
    before_ms: Vec<i64>,
    after_ms: Vec<i64>,
}

fn median(numbers: &[i64]) -> i64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[test]
fn killed_again_and_again_the_agent_the_encoder_and_the_camera_come_back() {
    let (mut dice, rounds) = (Dice::new(), rounds());
    let mut rig = three().up("armed");
    rig.roll("killed");
    rig.recorded(3, 120);
    let mut killed: BTreeMap<(usize, Wall), Victim> = BTreeMap::new();
    for round in 0..rounds {
        std::thread::sleep(dice.between_ms(0, 700));
        let begin = SystemClocks.wall();
        for i in 1..=3 {
            let victim = Victim::of(i, round);
            killed.insert((i, victim.kill(&mut rig, i)), victim);
        }
        settle(&mut rig, begin);
        rig.ear.clear();
    }
    let idle = rig.cut();
    let mut costs: BTreeMap<Victim, Cost> = BTreeMap::new();
    for i in 1..=3 {
        let footage = rig.finished(i, &idle);
        let holes = footage.expect_told(time(&idle["t1"]));
        for ((_, when), victim) in killed.range((i, Wall::from_micros(0))..(i + 1, Wall::from_micros(0))) {
            let hole = holes.iter().find(|hole| hole.to > *when).unwrap();
            let cause = if *victim == Victim::Agent { "node_restarted" } else { "camera_lost" };
            assert_eq!(hole.cause, cause, "{victim:?} of cam{i}: {hole:?}");
            let cost = costs.entry(*victim).or_default();
            cost.before_ms.push(when.since_us(hole.from) / 1000);
            cost.after_ms.push(hole.to.since_us(*when) / 1000);
        }
        let gaps = holes.iter().filter(|hole| !hole.is_drop()).count();
        assert!(gaps <= rounds, "cam{i} has more holes than it was killed: {holes:?}");
    }
    for (victim, Cost { before_ms, after_ms }) in &costs {
        let [before, after] = [before_ms, after_ms].map(|all| (median(all), all.iter().max().copied().unwrap()));
        eprintln!(
            "{victim:?}, {} kills: lost before {before:?} ms, back after {after:?} ms (median, most)",
            before_ms.len()
        );
        assert_eq!(before_ms.len(), rounds);
        // The last picture kept is at most one period older than what was lost.
        assert!(before.0 <= 133, "{victim:?}: {before_ms:?} ms before the kill are lost");
        assert!(after.0 <= 2_500 && after.1 <= 8_000, "{victim:?}: back after {after_ms:?} ms");
    }
}

#[test]
fn a_camera_that_hangs_for_three_seconds_is_told_and_replaced() {
    let mut rig = three().up("armed");
    rig.roll("hangs");
    rig.recorded(2, 60);
    let camera = rig.at(2).process.as_ref().unwrap().child("syncslate-node").unwrap();
    rig.ear.clear();
    let begin = SystemClocks.wall();
    send(camera, Signal::STOP);
    let stalled =
        rig.status(2, "to see that its camera hangs", |s| codes(s).contains(&"camera_stalled").then(|| time(&s["at"])));
    assert!(stalled.since_us(begin) < 2_000_000, "told after {} µs", stalled.since_us(begin));
    rig.status(2, "to replace its camera", |s| (s["fault"]["code"] == "camera_stalled").then_some(()));
    // It was killed before its three seconds were over: there is nobody to wake up.
    send(camera, Signal::CONT);
    rig.status(2, "to go on", |s| {
        (s["state"] == "rolling" && s["segment"].as_u64() > Some(0) && codes(s).contains(&"gap")).then_some(())
    });
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[2]);
    let holes = rig.finished(2, &idle).expect_told(time(&idle["t1"]));
    let gaps: Vec<_> = holes.iter().filter(|hole| !hole.is_drop()).collect();
    let [hole] = &gaps[..] else { panic!("{holes:?}") };
    assert_eq!(hole.cause, "camera_lost");
    assert!(hole.length_s() < 6.0, "{hole:?}");
}
