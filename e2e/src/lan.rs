//! A set as it stands on a table: a Control Pi at 192.168.1.10, nodes at .101 …, and the operator's computer at .1, each a
//! [`Computer`] of its own behind one switch, with the addresses, settings, chrony and restricted key of
//! `guide/install.md`, word for word. What is not of the guide stands in flags: simulated cameras, short segments.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;

use crate::computer::{Computer, Switch};
use crate::guide;
use crate::judge::Footage;
use crate::mqtt::Door;
use crate::operator::Operator;
use crate::process::{Process, ours, wait_for};

/// Where the packages have footage lie.
const VIDEOS: &str = "/var/lib/syncslate/videos";
const DOWNLOADS: &str = "/var/lib/syncslate/video_downloads";

/// chrony asks every 4 to 16 s and wants several answers, of which it takes none that was long on its way.
const CLOCK_PATIENCE: Duration = Duration::from_secs(120);

/// The set.
#[derive(Debug)]
pub struct Lan {
    switch: Switch,
    control: Computer,
    /// On the Control Pi: the controller, and chrony once it serves.
    services: Vec<Process>,
    cams: Vec<Cam>,
    /// At the operator's computer.
    pub operator: Operator,
}

/// A node.
#[derive(Debug)]
struct Cam {
    computer: Computer,
    camera: String,
    /// Its program; `None` while it does not run.
    process: Option<Process>,
    /// sshd and chrony.
    _services: [Process; 2],
}

/// What chrony says that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The addresses of all its sources.
    pub sources: Vec<String>,
    /// The source that it has chosen, and how many computers the time went through (`stratum`).
    pub chosen: Option<(String, u32)>,
}

impl Lan {
    /// Switches a set on: the controller serves, but its chrony does not yet; nodes have cameras with these options.
    pub fn new(cameras: &[&str]) -> Self {
        let switch = Switch::new("desk", Ipv4Addr::new(192, 168, 1, 1));
        let control = Computer::boot("controlpi", Some(("controller", &ours("syncslate-controller"))));
        let address = Ipv4Addr::new(192, 168, 1, 10);
        switch.connect(&control, address);
        let controller = start_controller(&control);
        let key = control.read("/var/lib/syncslate/controller/.ssh/id_ed25519.pub");
        let cams: Vec<Cam> = (1..).zip(cameras).map(|(i, options)| Cam::new(i, options, &switch, &key)).collect();
        let by = switch.computer().command("env");
        let by = std::iter::once(by.get_program()).chain(by.get_args()).map(Into::into).collect();
        controller.log.wait("the broker", |line| line.contains("MQTT at ").then_some(()));
        let mut operator = Operator::new(Door { by, host: address.to_string(), port: 1883, account: Vec::new() });
        operator.ips = (1..=cams.len()).map(ip).collect();
        let mut lan = Self { switch, control, services: vec![controller], cams, operator };
        for i in 1..=lan.cams.len() {
            lan.start_node(i);
        }
        lan
    }

    /// Lets the Control Pi serve its time, which the nodes wait for. They ask at once rather than at their next turn: those
    /// who asked in vain for a while ask every 16 s.
    pub fn serve_time(&mut self) {
        self.control.write("/etc/chrony/conf.d/syncslate.conf", &guide::block(5, 0));
        self.services.push(start_chrony(&self.control));
        for cam in &self.cams {
            cam.computer.output("chronyc", &["burst", "4/4"]);
        }
    }

    /// Waits until all nodes are ready: armed, and their clocks in step.
    pub fn ready(&self) {
        for i in 1..=self.cams.len() {
            self.operator.expect_state(i, "armed");
            self.clock_in_step(i);
        }
    }

    /// Waits until node `i` says that its clock follows nobody; gives the reading.
    pub fn clock_lost(&self, i: usize) -> Value {
        self.operator.status(i, "to say that its clock follows nobody", |status| {
            (status["clock"]["synced"] == false).then(|| status["clock"].clone())
        })
    }

    /// Waits until node `i` says that its clock is in step, and how well; gives the reading. chrony's first bounds are
    /// seconds wide.
    pub fn clock_in_step(&self, i: usize) -> Value {
        let what = format!("cam{i} to say that its clock is in step");
        self.operator.ear.wait_for(CLOCK_PATIENCE, &what, &format!("status/{}", ip(i)), |status| {
            let clock = &status["clock"];
            (clock["synced"] == true && clock["error_us"].as_i64()? < 4_000).then(|| clock.clone())
        })
    }

    /// What chrony on node `i` follows.
    pub fn followed(&self, i: usize) -> Followed {
        let rows = |word| self.cams[i - 1].computer.output("chronyc", &["-n", "-c", word]);
        let column = |row: &str, n: usize| row.split(',').nth(n).unwrap().to_owned();
        let sources = rows("sources").lines().map(|row| column(row, 2)).collect();
        let tracking = rows("tracking");
        let source = Some(column(&tracking, 1)).filter(|source| !source.is_empty());
        Followed { sources, chosen: source.map(|source| (source, column(&tracking, 2).parse().unwrap())) }
    }

    /// Starts node `i`'s program.
    pub fn start_node(&mut self, i: usize) {
        let cam = &mut self.cams[i - 1];
        let home = "/var/lib/syncslate/node";
        let mut node = cam.computer.command_as("syncslate-node", home, "syncslate-node");
        node.args(["--config", "/etc/syncslate/node.toml", "--name", &cam.computer.name, "--camera", &cam.camera]);
        node.args(["--width", "640", "--height", "360", "--bitrate", "1M"]);
        cam.process = Some(Process::start(node));
    }

    /// Kills node `i`'s program.
    pub fn kill_node(&mut self, i: usize) {
        self.cams[i - 1].process.take().unwrap().kill();
    }

    /// Pulls the cable of node `i` out of the switch.
    pub fn pull(&self, i: usize) {
        self.switch.pull(&self.cams[i - 1].computer.name);
    }

    /// Plugs it in again.
    pub fn plug(&self, i: usize) {
        self.switch.plug(&self.cams[i - 1].computer.name);
    }

    /// What the operator's browser gets from the controller.
    pub fn page(&self, path: &str) -> String {
        let get = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())";
        let url = format!("http://192.168.1.10:8080{path}");
        self.switch.computer().output("python3", &["-c", get, &url])
    }

    /// What the controller's key gets from node `i` when it asks for `command`.
    pub fn ssh(&self, i: usize, command: &str) -> String {
        let mut ssh = self.control.command_as("syncslate", "/var/lib/syncslate/controller", "ssh");
        ssh.args(["-o", "BatchMode=yes", &format!("syncslate-node@{}", ip(i)), command]);
        let done = ssh.output().unwrap();
        [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    }

    /// The take `current` of node `i` as it came to the Control Pi: the same bytes as on the node, and as the digests say.
    ///
    /// # Panics
    /// When they are not.
    pub fn brought(&self, i: usize, current: &Value) -> Footage {
        let folder = format!("{DOWNLOADS}/{}/{}", current["take"].as_str().unwrap(), ip(i));
        self.control.output("sh", &["-c", &format!("cd '{folder}' && sha256sum --quiet --check *.sha256")]);
        let footage = Footage::new(&self.control.path(&folder), current, ip(i));
        let there = self.cams[i - 1].computer.path(VIDEOS);
        for segment in &footage.manifest().unwrap().segments {
            let [here, there] = [&self.control.path(&folder), &there].map(|dir| std::fs::read(dir.join(&segment.file)));
            assert!(here.unwrap() == there.unwrap(), "{} is not what cam{i} recorded", segment.file);
        }
        footage
    }

    /// The end of what all programs wrote, for a test that failed.
    fn said(&self) -> String {
        let nodes = self.cams.iter().filter_map(|cam| Some((cam.computer.name.as_str(), cam.process.as_ref()?)));
        let all = self.services.iter().map(|service| ("controlpi", service)).chain(nodes);
        let tail = |(name, process): (&str, &Process)| {
            let lines = process.log.all();
            format!("{name}:\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
        };
        all.map(tail).collect()
    }
}

impl Drop for Lan {
    #[expect(clippy::print_stderr, reason = "only of a test that fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
    }
}

impl Cam {
    fn new(i: usize, options: &str, switch: &Switch, key: &str) -> Self {
        let computer = Computer::boot(&format!("cam{i}"), Some(("node", &ours("syncslate-node"))));
        switch.connect(&computer, ip(i));
        computer.write("/etc/chrony/chrony.conf", &guide::block(8, 0));
        computer.write("/etc/syncslate/node.toml", &guide::block(9, 0));
        let words = guide::block(9, 1).replace("ssh-ed25519 …\n", key);
        computer.write("/var/lib/syncslate/node/.ssh/authorized_keys", &words);
        let mut sshd = computer.command("/usr/sbin/sshd");
        sshd.args(["-D", "-e"]);
        let services = [Process::start(sshd), start_chrony(&computer)];
        services[0].log.wait("sshd to listen", |line| line.contains("Server listening").then_some(()));
        // Tests run on machines that are busy with others: such a camera waits rather than loses.
        Self { computer, camera: format!("test:{options},patience_ms=60000"), process: None, _services: services }
    }
}

/// The address of node `i`, from 1.
fn ip(i: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, 100 + i as u8)
}

/// The controller, with a key as its package makes one.
fn start_controller(control: &Computer) -> Process {
    let home = "/var/lib/syncslate/controller";
    control.write("/etc/syncslate/controller.toml", &guide::block(6, 0));
    let key = format!("{home}/.ssh/id_ed25519");
    let mut keygen = control.command_as("syncslate", home, "ssh-keygen");
    let made = keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut controller = control.command_as("syncslate", home, "syncslate-controller");
    controller.args(["--config", "/etc/syncslate/controller.toml", "--segment-s", "5"]);
    Process::start(controller)
}

/// chronyd by the settings in their usual place. It leaves the machine's clock alone (`-x`) and only measures.
fn start_chrony(computer: &Computer) -> Process {
    let mut chrony = computer.command("chronyd");
    chrony.args(["-x", "-d"]);
    let process = Process::start(chrony);
    wait_for(&format!("chrony on {}", computer.name), || computer.path("/run/chrony/chronyd.sock").exists());
    process
}
