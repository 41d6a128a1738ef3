//! Computers of a network of their own on this machine, as `e2e/rig/computer` lays them out: a network, a host name,
//! settings, logins and processes that nobody else sees, the real programs, no systemd. They have no name on the machine, so
//! any number of tests can have one called `controlpi`; with their handle all that runs on them ends, also when the test is
//! killed. Namespaces need root.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Process, command, wait_for};

/// A computer that runs.
#[derive(Debug)]
pub struct Computer {
    /// What the computer hangs on: `unshare`, the parent of its process 1.
    _holder: Process,
    /// Its process 1, as the machine counts.
    first: u32,
    /// Its host name.
    pub name: String,
}

/// Computers behind one switch, which is one of them.
#[derive(Debug)]
pub struct Switch(Computer);

impl Computer {
    /// Gives it power. `package` is what is installed: the package's folder below `packaging/`, and its program.
    ///
    /// # Panics
    /// When this machine does not let it, with its reason, or lacks a program.
    pub fn boot(name: &str, package: Option<(&str, &Path)>) -> Self {
        let mut boot = mortal("unshare");
        boot.args(["--net", "--mount", "--propagation", "private", "--uts", "--pid", "--mount-proc"]);
        boot.args(["--fork", "--kill-child=KILL", "--"]);
        boot.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("rig/computer")).arg(name);
        if let Some((package, program)) = package {
            boot.arg(package).arg(program);
        }
        let mut holder = Process::start(boot);
        let mut first = None;
        wait_for(&format!("{name} to boot"), || {
            if let Some(code) = holder.has_ended() {
                let said = holder.log.all().join(" | ");
                panic!(
                    "{name} does not boot, {code}: {said}\n\nhint: it takes root with all its rights, and the programs that `make test` installs"
                );
            }
            let is_ready = holder.out.all().iter().any(|line| line == "ready");
            first = holder.child("sleep").filter(|_| is_ready);
            first.is_some()
        });
        Self { _holder: holder, first: first.unwrap(), name: name.into() }
    }

    /// A program on it. It ends with its handle. It goes ahead of what else this machine does, since a computer of its own
    /// would have its processor for itself.
    pub fn command(&self, program: &str) -> Command {
        let mut inside = mortal("nsenter");
        inside.args(["--target", &self.first.to_string(), "--all", "--"]);
        inside.args(["nice", "-n", "-10", "setpriv", "--pdeathsig", "KILL", program]);
        inside.env("PATH", programs()).env("HOME", "/root");
        inside
    }

    /// A program on it as one of its users, as a service runs: at home in `home`.
    pub fn command_as(&self, user: &str, home: &str, program: &str) -> Command {
        let mut inside = self.command("setpriv");
        let [uid, gid] = ["reuid", "regid"].map(|id| format!("--{id}={user}"));
        inside.args([&uid, &gid, "--clear-groups", "--pdeathsig", "KILL", program]).env("HOME", home).env("USER", user);
        inside
    }

    /// What a program on it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn output(&self, program: &str, args: &[&str]) -> String {
        let done = self.command(program).args(args).output().unwrap();
        let [out, said] = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(done.status.success(), "{program} {args:?} on {}: {}, {out}{said}", self.name, done.status);
        out
    }

    /// One of its files, as this machine reaches it.
    pub fn path(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.first.to_string()).join("root").join(file.trim_start_matches('/'))
    }

    /// What stands in one of its files.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|e| panic!("{file} of {}: {e}", self.name))
    }

    /// Writes one of its files; everybody may read it.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap_or_else(|e| panic!("{file} of {}: {e}", self.name));
    }
}

impl Switch {
    /// A switch with a person's computer behind it, which has the address `ip`.
    pub fn new(name: &str, ip: Ipv4Addr) -> Self {
        let switch = Self(Computer::boot(name, None));
        switch.ip("link add br0 type bridge");
        switch.ip(&format!("addr add {ip}/24 dev br0"));
        switch.ip("link set br0 up");
        switch
    }

    /// Puts a cable between it and `computer`, which has the address `ip` from then on.
    pub fn connect(&self, computer: &Computer, ip: Ipv4Addr) {
        let Computer { name, first, .. } = computer;
        self.ip(&format!("link add {name} type veth peer name eth0 netns {first}"));
        computer.output("ip", &["addr", "add", &format!("{ip}/24"), "dev", "eth0"]);
        computer.output("ip", &["link", "set", "eth0", "up"]);
        self.ip(&format!("link set {name} master br0 up"));
    }

    /// Pulls the cable of the computer with this name.
    pub fn pull(&self, name: &str) {
        self.ip(&format!("link set {name} down"));
    }

    /// Plugs it in again.
    pub fn plug(&self, name: &str) {
        self.ip(&format!("link set {name} up"));
    }

    /// The person's computer.
    pub fn computer(&self) -> &Computer {
        &self.0
    }

    /// `ip` in its network, but among the machine's processes: a process's network goes by the id that is known here.
    fn ip(&self, words: &str) {
        let mut ip = command("nsenter");
        ip.args(["--target", &self.0.first.to_string(), "--net", "--", "ip"]).args(words.split(' '));
        let done = ip.output().unwrap();
        assert!(done.status.success(), "ip {words}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// A program that the kernel kills when this thread, and so the test, has ended in whatever way.
fn mortal(program: &str) -> Command {
    let mut mortal = command("setpriv");
    mortal.args(["--pdeathsig", "KILL", program]);
    mortal
}

/// Where computers look for programs.
fn programs() -> String {
    format!("/run/programs:{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}
