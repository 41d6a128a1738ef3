//! A fleet on one machine: a controller and nodes with simulated cameras, each with its own loopback address.

use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::judge::Footage;
use crate::mqtt::Door;
use crate::operator::Operator;
use crate::process::{Lines, Process, command, ours, wait_for};
use crate::proxy::Cable;

/// The fleet.
#[derive(Debug)]
pub struct Rig {
    folder: TempDir,
    controller: Option<Process>,
    /// The broker's port.
    pub mqtt: u16,
    /// The page's port; 0 while there is no controller.
    pub http: u16,
    nodes: Vec<RigNode>,
    operator: Operator,
    setup: Setup,
}

/// What is not as it is by default.
#[derive(Debug)]
pub struct Setup {
    /// The controller's settings file.
    pub settings: String,
    /// The controller's address for its broker; `None` when it uses another one.
    pub listen: Option<&'static str>,
    /// Arguments of every Mosquitto client: an account.
    pub clients: Vec<String>,
    /// The other broker, and its port for clients without TLS.
    pub broker: Option<(Process, u16)>,
    /// The TLS port that the nodes go to; 0 for the one that the controller says.
    pub tls: Option<u16>,
}

impl Default for Setup {
    fn default() -> Self {
        let listen = Some("127.0.0.1:0");
        Self { settings: String::new(), listen, clients: Vec::new(), broker: None, tls: None }
    }
}

/// A node of the fleet.
#[derive(Debug)]
pub struct RigNode {
    /// Its address.
    pub ip: Ipv4Addr,
    camera: String,
    picture: [&'static str; 3],
    settings: String,
    envs: Vec<(String, String)>,
    /// Its program; `None` while it is off.
    pub process: Option<Process>,
    /// Its way to the broker.
    pub cable: Cable,
}

/// The address of node `i`, from 1, in rig `rig`.
fn address(i: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, 100 + i as u8)
}

impl Rig {
    /// A controller alone, with segments of 5 s.
    pub fn new() -> Self {
        Self::set_up(Setup::default())
    }

    /// A controller alone with these settings.
    pub fn with_settings(settings: &str) -> Self {
        Self::set_up(Setup { settings: settings.into(), ..Setup::default() })
    }

    /// A controller that is set up like this.
    pub fn set_up(mut setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let (controller, mqtt, http) = start_controller(folder.path(), &setup, setup.listen, 0);
        if setup.tls == Some(0) {
            setup.tls = Some(port_after(&controller, "MQTT over TLS at "));
        }
        Self::around(folder, Some(controller), mqtt, http, setup)
    }

    /// A rig around a controller that the test itself runs.
    pub fn around(folder: TempDir, controller: Option<Process>, mqtt: u16, http: u16, setup: Setup) -> Self {
        let mqtt = setup.broker.as_ref().map_or(mqtt, |(_, port)| *port);
        let operator = Operator::new(Door { account: setup.clients.clone(), ..Door::here(mqtt) });
        Self { folder, controller, mqtt, http, nodes: Vec::new(), operator, setup }
    }

    /// Adds a node whose camera has these options; it is not started yet.
    pub fn node(mut self, options: &str) -> Self {
        let ip = address(self.nodes.len() + 1);
        // Tests run on machines that are busy with others: such a camera waits rather than loses.
        let (camera, cable) =
            (format!("test:{options},patience_ms=8000"), Cable::to(self.setup.tls.unwrap_or(self.mqtt)));
        let picture = ["640", "360", "1M"];
        self.operator.ips.push(ip);
        self.nodes.push(RigNode {
            ip,
            camera,
            picture,
            settings: String::new(),
            envs: Vec::new(),
            process: None,
            cable,
        });
        self
    }

    /// Gives the last added node a settings file.
    pub fn with(mut self, settings: &str) -> Self {
        self.nodes.last_mut().unwrap().settings = settings.into();
        self
    }

    /// Gives the last added node a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.nodes.last_mut().unwrap().envs.push((name.into(), value.into()));
        self
    }

    /// Gives the last added node's camera another width, height and bit rate.
    pub fn sized(mut self, picture: [&'static str; 3]) -> Self {
        self.nodes.last_mut().unwrap().picture = picture;
        self
    }

    /// Starts all nodes and waits until each is in `state`.
    pub fn up(mut self, state: &str) -> Self {
        for i in 1..=self.nodes.len() {
            self.start_node(i);
        }
        for i in 1..=self.nodes.len() {
            self.expect_state(i, state);
        }
        self
    }

    /// Node `i`, from 1.
    pub fn at(&mut self, i: usize) -> &mut RigNode {
        &mut self.nodes[i - 1]
    }

    /// The nodes' addresses.
    pub fn ips(&self) -> Vec<Ipv4Addr> {
        self.operator.ips.clone()
    }

    /// Starts node `i`.
    pub fn start_node(&mut self, i: usize) {
        let videos = self.videos(self.nodes[i - 1].ip);
        let settings = self.folder.path().join(format!("node{i}.toml"));
        let node = &mut self.nodes[i - 1];
        std::fs::write(&settings, &node.settings).unwrap();
        let mut program = command(ours("syncslate-node"));
        let scheme = if self.setup.tls.is_some() { "mqtts://" } else { "" };
        let broker = format!("{scheme}{}", node.cable.addr());
        program.args(["--ip", &node.ip.to_string(), "--name", &format!("cam{i}"), "--broker", &broker]);
        let [width, height, bitrate] = node.picture;
        program.args(["--camera", &node.camera, "--fps", "30"]);
        program.args(["--width", width, "--height", height, "--bitrate", bitrate]);
        program.arg("--videos").arg(videos).arg("--config").arg(settings).envs(node.envs.clone());
        node.process = Some(Process::start(program));
    }

    /// Waits until the manifest of take `current` on node `i` is finished; gives what the node has of it.
    pub fn finished(&self, i: usize, current: &Value) -> Footage {
        let videos = self.videos(self.nodes[i - 1].ip);
        let footage = Footage::new(&videos, current, self.nodes[i - 1].ip);
        wait_for(&format!("cam{i} to finish the take"), || footage.manifest().is_some_and(|m| m.finished));
        footage
    }

    /// Where node footage is kept.
    pub fn videos(&self, ip: Ipv4Addr) -> PathBuf {
        self.folder.path().join("nodes").join(ip.to_string())
    }

    /// Where it is downloaded to.
    pub fn downloads(&self) -> PathBuf {
        self.folder.path().join("video_downloads")
    }

    /// Makes films and timelines of a take that is here, with these flags; what was said of it.
    pub fn export(&self, take: &str, flags: &[&str]) -> String {
        let mut program = command(ours("syncslate-controller"));
        program.args(["export", take]).args(flags);
        let out = program.arg("--downloads").arg(self.downloads()).arg("--state").arg(self.state()).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// Kills the controller, and its broker with it.
    pub fn kill_controller(&mut self) {
        if let Some(mut controller) = self.controller.take() {
            controller.kill();
        }
    }

    /// Starts the controller again, with the same port for the broker and any for the page.
    pub fn restart_controller(&mut self) {
        self.restart_controller_at(0);
    }

    /// Starts the controller again, with the same port for the broker and this one for the page.
    pub fn restart_controller_at(&mut self, http: u16) {
        let mqtt = format!("127.0.0.1:{}", self.mqtt);
        let listen = self.setup.listen.is_some().then_some(mqtt.as_str());
        let (controller, _, http) = start_controller(self.folder.path(), &self.setup, listen, http);
        self.controller = Some(controller);
        self.http = http;
        let Operator { door, ips, .. } = &self.operator;
        self.operator = Operator { ips: ips.clone(), ..Operator::new(door.clone()) };
    }

    /// What the controller is set to from its next start on.
    pub fn set(&mut self, settings: &str) {
        self.setup.settings = settings.into();
    }

    /// The controller's log.
    ///
    /// # Panics
    /// When the test itself runs the controller.
    pub fn log(&self) -> Lines {
        self.controller.as_ref().unwrap().log.clone()
    }

    /// The controller's settings file.
    pub fn settings(&self) -> PathBuf {
        self.folder.path().join("controller.toml")
    }

    /// Where the controller remembers the take.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The controller.
    pub fn controller(&mut self) -> &mut Process {
        self.controller.as_mut().unwrap()
    }
}

impl Default for Rig {
    fn default() -> Self {
        Self::new()
    }
}

/// Whoever has the rig operates it.
impl Deref for Rig {
    type Target = Operator;

    fn deref(&self) -> &Operator {
        &self.operator
    }
}

fn start_controller(folder: &Path, setup: &Setup, listen: Option<&str>, http: u16) -> (Process, u16, u16) {
    let settings = folder.join("controller.toml");
    std::fs::write(&settings, &setup.settings).unwrap();
    let mut program = command(ours("syncslate-controller"));
    program.args(["--http", &format!("127.0.0.1:{http}"), "--segment-s", "5"]).arg("--config").arg(settings);
    if let Some(listen) = listen {
        program.args(["--mqtt", listen]);
    }
    program.arg("--downloads").arg(folder.join("video_downloads")).arg("--state").arg(folder.join("state"));
    if !setup.settings.contains("source = ") {
        program.arg("--source").arg(folder.join("nodes").join("{ip}/"));
    }
    let process = Process::start(program);
    let (http, mqtt) = (port_after(&process, "the page is at http://"), port_after(&process, "MQTT at "));
    (process, mqtt, http)
}

/// The port of the address that the controller's log says after `text`.
fn port_after(process: &Process, text: &'static str) -> u16 {
    process.log.wait(text, |line| {
        let rest = line.split_once(text)?.1;
        let address = rest.trim_start_matches("mqtts://").split([',', ' ', '/']).next()?;
        address.rsplit_once(':')?.1.parse().ok()
    })
}
