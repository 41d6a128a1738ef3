//! Serves the page on fabricated scenes, to look at it: `cargo run --example page -- armed`.
#![allow(clippy::unwrap_used, clippy::print_stdout, dead_code, reason = "a tool for developers")]

use std::sync::Arc;
use std::time::Duration;

use syncslate_controller::snapshot::Snapshot;
use syncslate_controller::web;
use syncslate_shared::camera::{Key, Value};
use syncslate_shared::command::Wish;
use syncslate_shared::protocol::{CurrentTake, Level, NodeState};
use syncslate_shared::take::TakeName;
use syncslate_shared::time::{Clocks as _, SystemClocks, Wall};

#[path = "../tests/web/stage.rs"]
mod stage;

#[tokio::main]
async fn main() {
    let scene = std::env::args().nth(1).unwrap_or_else(|| "armed".into());
    let snapshot = set(&scene, SystemClocks.wall());
    let (door, mut stage) = stage::door(snapshot, std::path::Path::new("."));
    let (bound, server) =
        web::serve("127.0.0.1:0".parse().unwrap(), door, async { drop(tokio::signal::ctrl_c().await) }).await.unwrap();
    println!("http://{bound}/");
    tokio::spawn(async move {
        while let Some(request) = stage.requests.recv().await {
            let now = SystemClocks.wall();
            let current = Arc::clone(&stage.snapshot.borrow());
            let next = obey(&request.command.wish, &current, now);
            let id = next.take.id.clone();
            stage.snapshot.send_replace(Arc::new(next));
            let outcome = request.command.wish.clone().map(|_| id);
            let _ = request.answer.send(request.command.answer(outcome, now));
        }
    });
    server.await;
}

/// As much of a controller as the buttons need to be tried.
fn obey(wish: &Result<Wish, syncslate_shared::command::Refusal>, current: &Snapshot, now: Wall) -> Snapshot {
    let mut next = current.clone();
    match wish {
        Ok(Wish::Start { take, .. }) => {
            let name = take.clone().unwrap_or_else(|| current.next_name.clone());
            next = Snapshot {
                takes: current.takes.clone(),
                ..stage::rolling(u8::try_from(current.nodes.len()).unwrap(), name.as_str(), now)
            };
        }
        Ok(Wish::Stop { .. }) => {
            if let Ok(Some(mut take)) = next.take.take() {
                take.t1 = Some(now);
                next.take = CurrentTake::of(Some(&take));
            }
            next.nodes = stage::armed(u8::try_from(current.nodes.len()).unwrap()).nodes;
        }
        Ok(Wish::Mark { at, note }) => {
            let us = at.unwrap_or(now).since_us(next.take.t0.unwrap_or(now));
            stage::mark(&mut next, us, note);
        }
        _ => next.downloads.insert(0, stage::download("A01")),
    }
    next
}

fn set(scene: &str, now: Wall) -> Snapshot {
    let ago = |s: u64| now - Duration::from_secs(s);
    let library = |snapshot: Snapshot| Snapshot {
        takes: (1..=6).rev().map(|n| stage::on_disk(&format!("scene4_t{n:02}"), ago(7000 - 900 * n), 3)).collect(),
        ..snapshot
    };
    match scene {
        "empty" => {
            let notices = vec!["Anyone in this network can operate the cameras: no account is set up. `accounts` in the settings closes the door.".into()];
            Snapshot { notices, ..stage::empty() }
        }
        "rolling" => {
            let mut snapshot = library(stage::rolling(3, "scene4_t07", ago(83)));
            for (us, note) in [(4_100_000, "clap"), (31_402_233, ""), (58_900_120, "he laughs, keep this one")] {
                stage::mark(&mut snapshot, us, note);
            }
            snapshot
        }
        "fault" => {
            let mut snapshot = library(stage::rolling(3, "scene4_t07", ago(3725)));
            stage::fault(
                &mut snapshot.nodes[2],
                "the camera program ended with exit status 255: no cameras available, check the ribbon cable",
            );
            snapshot.downloads = vec![stage::download("scene4_t06")];
            snapshot
        }
        "twelve" => {
            let mut snapshot = library(stage::armed(12));
            snapshot.nodes[7] = stage::node(8, NodeState::Offline);
            snapshot.nodes[4].state = NodeState::Starting;
            snapshot.nodes[10].status = None;
            snapshot.nodes[10].state = NodeState::Offline;
            for (code, message) in [
                ("throttled", "the processor is slowed down by heat or low voltage, at 84 °C"),
                ("clock_unsynced", "the clock is not synchronised, so this camera may lie apart from the others"),
                ("disk_short", "the disk is full in 6 min"),
            ] {
                stage::finding(&mut snapshot.nodes[9], Level::Warning, code, message);
            }
            stage::fault(&mut snapshot.nodes[3], "no frame came from the camera for 5 s");
            snapshot
        }
        "long" => {
            let name = "a_very_long_take_name_that_uses_every_single_character_allowed_1";
            let mut snapshot = library(stage::rolling(2, name, ago(83)));
            stage::words(&mut snapshot.nodes[0]).unwrap().name =
                "<script>alert('a name')</script> in the far corner behind the curtain \u{202e}right to left 🎥".into();
            stage::mark(&mut snapshot, 1_000_000, &"<b>a long note</b> without end ".repeat(30));
            stage::mark(&mut snapshot, 2_000_000, &"x".repeat(400));
            snapshot.takes = [&[stage::on_disk(name, ago(9000), 12)], &*snapshot.takes].concat().into();
            snapshot
        }
        "cameras" => {
            let mut snapshot = library(stage::armed(4));
            let set = |snapshot: &mut Snapshot, n: usize, key: Key, value: f64| {
                let camera = &mut stage::words(&mut snapshot.nodes[n]).unwrap().camera;
                camera.actual.get_or_insert_default().set(key, Value::number(value));
            };
            set(&mut snapshot, 1, Key::Fps, 25.0);
            set(&mut snapshot, 2, Key::ExposureUs, 20_000.0);
            for node in &mut snapshot.nodes {
                let wished = serde_json::from_value(serde_json::json!({"exposure_us": 10_000, "gain": 1.5, "fps": 30}));
                snapshot.cameras.wishes.insert(node.ip, wished.unwrap());
            }
            let message = "its exposure is 1/50 s (20000 µs), wished is 1/100 s (10000 µs)";
            stage::finding(&mut snapshot.nodes[2], Level::Warning, "settings_missed", message);
            let can = stage::words(&mut snapshot.nodes[1]).unwrap().camera.can.as_mut().unwrap();
            can.0.remove(&Key::Focus);
            set(&mut snapshot, 1, Key::Focus, f64::NAN);
            snapshot.nodes[3] = stage::node(4, NodeState::Offline);
            snapshot
        }
        _ => Snapshot { next_name: TakeName::numbered(7), proposal: TakeName::numbered(7), ..library(stage::armed(3)) },
    }
}
