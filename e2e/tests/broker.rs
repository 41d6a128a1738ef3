//! Takes over brokers that are attacked, locked, encrypted, broken or somebody else's.

#![allow(clippy::unwrap_used, reason = "a test ends with a panic that says why")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};
use syncslate_broker::accounts::hash;
use syncslate_controller::run::Controller;
use syncslate_controller::settings::{Args, Settings};
use syncslate_e2e::mqtt::publish;
use syncslate_e2e::process::{Process, command, ours, wait_for};
use syncslate_e2e::rig::{Rig, Setup};
use syncslate_shared::time::{SystemClocks, Wall};
use tempfile::TempDir;

fn time(value: &Value) -> Wall {
    Wall::parse(value.as_str().unwrap()).unwrap()
}

/// Cuts, and expects every frame of `nodes` nodes.
fn expect_perfect(rig: &Rig, nodes: usize) {
    let idle = rig.cut();
    for i in 1..=nodes {
        let footage = rig.finished(i, &idle);
        footage.expect_whole(time(&idle["t1"]));
        assert_eq!(footage.manifest().unwrap().gaps, [], "cam{i}");
    }
}

/// No node has lost its connection or was thought to have lost it.
fn expect_nobody_noticed(rig: &mut Rig, nodes: usize) {
    let offline: Vec<_> = rig.ear.all().into_iter().filter(|h| h.json["state"] == "offline").collect();
    assert!(offline.is_empty(), "{offline:?}");
    for i in 1..=nodes {
        let log = rig.at(i).process.as_ref().unwrap().log.all();
        assert!(!log.iter().any(|line| line.contains("no connection to the broker")), "cam{i}: {log:?}");
    }
}

/// A remaining length and what it counts, behind a packet's first byte.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 16_384);
    let low = u8::try_from(body.len() % 128).unwrap();
    let high = u8::try_from(body.len() / 128).unwrap();
    let length = if high > 0 { vec![low | 0x80, high] } else { vec![low] };
    [&[kind], &length[..], body].concat()
}

fn text(words: &str) -> Vec<u8> {
    [&u16::try_from(words.len()).unwrap().to_be_bytes(), words.as_bytes()].concat()
}

/// CONNECT with a last will.
fn connect(id: &str) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[4, 0b0000_0110, 0, 60]].concat();
    packet(0x10, &[head, text(id), text("will/hostile"), text("gone")].concat())
}

fn open(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// A connection that was let in.
fn client(port: u16, id: &str) -> TcpStream {
    let mut stream = open(port);
    stream.write_all(&connect(id)).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0], "{id}");
    stream
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Certificates for 127.0.0.1, made as the guide says.
fn certificates(folder: &Path) {
    let made = command(concat!(env!("CARGO_MANIFEST_DIR"), "/../guide/make-certificates"))
        .arg(folder)
        .arg("127.0.0.1")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What ends a bare rumqttd for everybody, a hundred times each.
#[test]
fn hostile_clients_cost_nobody_a_frame() {
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let settings = format!(
        "[mqtt]\nwebsocket = '127.0.0.1:0'\n[mqtt.tls]\nlisten = '127.0.0.1:0'\ncertificate = '{0}/broker.pem'\nkey = '{0}/broker.key'\n",
        folder.path().display()
    );
    let rig = Rig::set_up(Setup { settings, ..Setup::default() });
    let controller = rig.log();
    let port = |what: &'static str| -> u16 {
        controller.wait(what, |line| line.split_once(what)?.1.rsplit_once(':')?.1.parse().ok())
    };
    let (tls, websocket) = (port("MQTT over TLS at "), port("MQTT over websockets at "));
    let mut rig = rig.node("phase_ms=0").node("phase_ms=11").node("phase_ms=22.5").up("armed");
    rig.roll("attacked");
    let mut flood = client(rig.mqtt, "flood");
    // `#` does not match it: the rig's own ear is not to be flooded.
    let burst = packet(0x30, &[text("$flood"), vec![b'x'; 100]].concat()).repeat(400);
    let mut idle = Vec::new();
    for round in 0..100 {
        // A topic that starts with another character than an ASCII one; the rig's ear is subscribed to everything.
        client(rig.mqtt, "é").write_all(&packet(0x30, &[text("été/1"), b"x".to_vec()].concat())).unwrap();
        // Reset with the same client id, and with one that holds a slash.
        for id in ["flaky", "flaky", "a/b", "a/b"] {
            let mut stream = open(rig.mqtt);
            stream.write_all(&connect(id)).unwrap();
            set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        // DISCONNECT while hundreds of messages are queued.
        let mut reader = client(rig.mqtt, "reader");
        reader.write_all(&packet(0x82, &[vec![0, 1], text("$flood"), vec![0]].concat())).unwrap();
        let mut granted = [0; 5];
        reader.read_exact(&mut granted).unwrap();
        flood.write_all(&burst).unwrap();
        reader.write_all(&[0xe0, 0]).unwrap();
        // Connections on the ports with a handshake that never say a word.
        idle.extend([open(tls), open(websocket)]);
        if round % 25 == 0 {
            assert_eq!(rig.ask("mark", format!("round {round}"))["ok"], json!(true));
        }
    }
    // TLS is still there for who speaks it.
    let mut publisher = command("mosquitto_pub");
    publisher.args(["-h", "127.0.0.1", "-p", &tls.to_string(), "-t", "x", "-m", "x", "--cafile"]);
    assert!(publisher.arg(folder.path().join("ca.pem")).status().unwrap().success());
    rig.recorded(1, 240);
    expect_perfect(&rig, 3);
    expect_nobody_noticed(&mut rig, 3);
}

/// The router killed, and another time stuck, in the middle of a take.
#[test]
fn a_broken_router_costs_nobody_a_frame() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = TempDir::new().unwrap();
    let [downloads, state] = ["video_downloads", "state"].map(|name| folder.path().join(name).display().to_string());
    let source = format!("{}/nodes/{{ip}}/", folder.path().display());
    let args = ["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0", "--segment-s", "5", "--downloads", &downloads];
    let args =
        Args::parse_from(["syncslate-controller"].iter().chain(&args).chain(&["--state", &state, "--source", &source]));
    let settings = Settings::load(args, |_| None).unwrap();
    let controller = runtime.block_on(Controller::start(settings, Arc::new(SystemClocks))).unwrap();
    let mut rig = Rig::around(folder, None, controller.mqtt().port, 0, Setup::default())
        .node("phase_ms=0")
        .node("phase_ms=11")
        .node("phase_ms=22.5")
        .up("armed");
    rig.roll("broken");
    for (n, hang) in [false, true].into_iter().enumerate() {
        rig.recorded(1, 60 + 90 * n as u64);
        runtime.block_on(controller.break_router(hang));
        let begin = syncslate_e2e::process::now();
        assert_eq!(rig.ask("mark", "through the new one")["ok"], json!(true));
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(2), "a mark took {took:?}");
        wait_for("the notice on the page", || {
            let notices = controller.door().snapshot.borrow().notices.clone();
            notices.iter().filter(|notice| notice.contains("the broker was renewed")).count() == n + 1
        });
    }
    rig.recorded(1, 300);
    let marks = rig.ear.all().into_iter().rfind(|h| h.topic == "take/marks").unwrap().json;
    assert_eq!(marks["marks"].as_array().unwrap().len(), 2);
    expect_perfect(&rig, 3);
    expect_nobody_noticed(&mut rig, 3);
    drop(rig);
    runtime.block_on(controller.stop());
}

/// Accounts and TLS, as the guide sets them up.
#[test]
fn with_accounts_and_tls_only_who_belongs_gets_in() {
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let at = folder.path().display();
    let secret = folder.path().join("password");
    std::fs::write(&secret, "a camera's secret\n").unwrap();
    command("chmod").arg("600").arg(&secret).status().unwrap();
    let mut settings = format!(
        "[mqtt.tls]\nlisten = '127.0.0.1:0'\ncertificate = '{at}/broker.pem'\nkey = '{at}/broker.key'\n\
         [accounts.anna]\nrole = 'operator'\nhash = '{}'\n[accounts.otto]\nrole = 'viewer'\nhash = '{}'\n",
        hash(b"anna's").unwrap(),
        hash(b"otto's").unwrap(),
    );
    let cameras = hash(b"a camera's secret").unwrap();
    for i in 1..=2 {
        settings += &format!("[accounts.cam{i}]\nrole = 'node'\nip = '127.0.1.10{i}'\nhash = '{cameras}'\n");
    }
    let clients = ["-u", "anna", "-P", "anna's"].map(str::to_owned).to_vec();
    let rig = Rig::set_up(Setup { settings, clients, tls: Some(0), ..Setup::default() });
    let keys =
        |user: &str| format!("[mqtt]\nuser = '{user}'\npassword_file = '{}'\nca = '{at}/ca.pem'\n", secret.display());
    let rig = rig.node("phase_ms=5").with(&keys("cam1")).node("phase_ms=19").with(&keys("cam2"));
    let rig = rig.up("armed");
    rig.roll("locked");

    // Nobody without an account, nobody with a wrong password, no command from a viewer.
    let port = rig.mqtt.to_string();
    let stop = |account: &[&str]| {
        let mut publisher = command("mosquitto_pub");
        publisher.args(["-h", "127.0.0.1", "-p", &port, "-V", "5", "-q", "1", "-t", "cmd/stop", "-n"]);
        let ended = publisher.args(account).output().unwrap();
        (ended.status.success(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    for (account, reason) in [
        (&[][..], "not authori"),
        (&["-u", "anna", "-P", "guess"], "bad user name or password"),
        (&["-u", "syncslate-controller", "-P", ""], "bad user name or password"),
        (&["-u", "otto", "-P", "otto's"], "Not authori"),
        (&["-u", "cam1", "-P", "a camera's secret"], "Not authori"),
    ] {
        let (_, said) = stop(account);
        assert!(said.to_lowercase().contains(&reason.to_lowercase()), "{account:?}: {said}");
    }
    rig.log().wait("the denied publish in the log", |line| {
        (line.contains("an account may not publish there") && line.contains("otto") && line.contains("cmd/stop"))
            .then_some(())
    });
    rig.recorded(1, 60);
    rig.recorded(2, 60);
    let idle = rig.cut();
    for i in 1..=2 {
        rig.finished(i, &idle).expect_whole(time(&idle["t1"]));
    }

    // The commands of the program itself get in with the key that lies beside the take.
    let mut download = command(ours("syncslate-controller"));
    download.arg("--config").arg(rig.settings()).args(["--mqtt", &format!("127.0.0.1:{port}"), "--state"]);
    let ended = download.arg(rig.state()).args(["download", "locked"]).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    // The page wants a login.
    let answer = ask_page(rig.http, "GET /api/state");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

fn ask_page(port: u16, line: &str) -> String {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A command with its standard input.
fn piped(mut program: std::process::Command, input: &str) -> std::process::Output {
    use std::process::Stdio;
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_password_is_hashed_for_the_settings() {
    let hash_password = || {
        let mut program = command(ours("syncslate-controller"));
        program.arg("hash-password");
        program
    };
    let made = piped(hash_password(), "swordfish\n");
    let line = String::from_utf8(made.stdout).unwrap();
    assert!(
        made.status.success() && line.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && line.ends_with('\n'),
        "{line}"
    );
    let none = piped(hash_password(), "\n");
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no password"));
}

/// Mosquitto with TLS, passwords and an ACL file, as the guide sets it up.
#[test]
fn another_broker_with_tls_passwords_and_an_acl_carries_a_take() {
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let at = folder.path().display();
    let (plain, tls) = (free_port(), free_port());
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        command("chmod").arg("600").arg(folder.path().join(name)).status().unwrap();
    };
    let passwords = folder.path().join("passwords");
    for (n, user) in ["syncslate", "anna", "cam1", "cam2"].into_iter().enumerate() {
        let mut made = command("mosquitto_passwd");
        made.args(if n == 0 { &["-c", "-b"][..] } else { &["-b"] }).arg(&passwords);
        assert!(made.args([user, &format!("{user}'s")]).status().unwrap().success());
        write(&format!("{user}.password"), &format!("{user}'s\n"));
    }
    write("acl", &include_str!("../../guide/mosquitto.acl").replace("192.168.1.", "127.0.1."));
    write(
        "mosquitto.conf",
        &format!(
            "user root\nallow_anonymous false\npassword_file {at}/passwords\nacl_file {at}/acl\nlistener {plain} 127.0.0.1\n\
             listener {tls} 127.0.0.1\ncertfile {at}/broker.pem\nkeyfile {at}/broker.key\n"
        ),
    );
    // Debian puts it where only root looks.
    let mut mosquitto = command("/usr/sbin/mosquitto");
    mosquitto.arg("-c").arg(folder.path().join("mosquitto.conf"));
    let mosquitto = Process::start(mosquitto);
    wait_for("Mosquitto", || TcpStream::connect(("127.0.0.1", tls)).is_ok());
    let keys = |user: &str| format!("user = '{user}'\npassword_file = '{at}/{user}.password'\nca = '{at}/ca.pem'\n");
    let settings = format!("[mqtt]\nexternal = 'mqtts://127.0.0.1:{tls}'\n{}", keys("syncslate"));
    let clients = ["-u", "anna", "-P", "anna's"].map(str::to_owned).to_vec();
    let broker = Some((mosquitto, plain));
    let rig = Rig::set_up(Setup { settings, listen: None, clients, broker, tls: Some(tls) });
    let rig = rig.node("phase_ms=5").with(&format!("[mqtt]\n{}", keys("cam1")));
    let rig = rig.node("phase_ms=19").with(&format!("[mqtt]\n{}", keys("cam2"))).up("armed");
    rig.roll("elsewhere");
    // A camera gives no commands: the message is dropped, the take goes on.
    publish(plain, "cmd/stop", b"", &["-u", "cam1", "-P", "cam1's"]);
    rig.recorded(1, 90);
    rig.recorded(2, 90);
    assert_eq!(rig.ask("mark", "over TLS")["ok"], json!(true));
    expect_perfect(&rig, 2);
}
