//! What other programs are shown of a shoot: Home Assistant by discovery, Grafana by the metrics.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use syncslate_e2e::process::{command, wait_for};
use syncslate_e2e::rig::Rig;

const ON: &str = "[home_assistant]\nenabled = true\n";
const DASHBOARD: &str = include_str!("../../guide/grafana.json");

/// The configurations that stand on the broker now, by topic: what a Home Assistant finds that is started now.
fn retained(rig: &Rig) -> BTreeMap<String, Value> {
    let mut program = command("mosquitto_sub");
    program.args([
        "-h",
        "127.0.0.1",
        "-p",
        &rig.mqtt.to_string(),
        "-t",
        "homeassistant/#",
        "-F",
        "%t %p",
        "--retained-only",
        "-W",
        "1",
    ]);
    let out = program.output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let message = |line: &str| {
        let (topic, payload) = line.split_once(' ').unwrap();
        (topic.to_owned(), serde_json::from_str(payload).unwrap())
    };
    text.lines().map(message).collect()
}

fn metrics(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn home_assistant_finds_buttons_and_cameras_and_forgets_them() {
    let mut rig = Rig::with_settings(ON).node("phase_ms=7").up("armed");
    let mut found = BTreeMap::new();
    // Five of the controller, five of the camera.
    wait_for("the configurations", || {
        found = retained(&rig);
        found.len() == 10
    });
    let ip = rig.ips()[0].to_string();
    let node = format!("homeassistant/sensor/syncslate_{}", ip.replace('.', "_"));
    assert_eq!(found[&format!("{node}/disk/config")]["state_topic"], format!("status/{ip}"));
    // What the buttons publish is understood: a take rolls, is marked and cut.
    for (word, state) in [("start", "rolling"), ("mark", "rolling"), ("stop", "idle")] {
        let config = &found[&format!("homeassistant/button/syncslate/{word}/config")];
        rig.publish(
            config["command_topic"].as_str().unwrap(),
            config["payload_press"].as_str().unwrap().as_bytes(),
            &[],
        );
        let of_it = |take: &Value| take["state"] == state && !take["id"].is_null();
        rig.ear.wait("the take", "take/current", |take| of_it(take).then_some(()));
        if word == "mark" {
            rig.ear
                .wait("the mark", "take/marks", |marks| (marks["marks"].as_array().unwrap().len() == 1).then_some(()));
        }
    }
    // Switched off it is taken back, though the retained messages outlived the restart.
    rig.kill_controller();
    rig.set("");
    rig.restart_controller();
    wait_for("the configurations to be gone", || retained(&rig).is_empty());
}

#[test]
fn each_metric_of_the_dashboard_exists() {
    let rig = Rig::new().node("phase_ms=7").up("armed");
    let mut text = String::new();
    wait_for("the broker's figures", || {
        text = metrics(rig.http);
        text.contains("syncslate_broker_connections ")
    });
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut seen = 0;
    for expr in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
    {
        for name in
            expr.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.starts_with("syncslate_"))
        {
            assert!(text.contains(&format!("# TYPE {name} ")), "{name} is no metric");
            seen += 1;
        }
    }
    let variable = dashboard["templating"]["list"][0]["query"].as_str().unwrap();
    assert!(variable.contains("syncslate_node_up") && text.contains("syncslate_node_up{"), "{variable}");
    assert!(seen >= panels.len(), "every panel shows something");
}
