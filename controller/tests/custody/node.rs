//! Camera computers: folders with footage behind one sshd that listens on an address for each.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use syncslate_controller::digest;
use syncslate_shared::child::{Child, Program};
use syncslate_shared::files::{Base, Kind, digest_line};
use syncslate_shared::take::TakeId;

use crate::rig::{free_port, processes_below, signal, until};

pub(crate) const STAMP: &str = "20251023_140210";

/// The nth node's address, on the loopback.
pub(crate) fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 100 + n)
}

pub(crate) fn base(take: &str, n: u8) -> Base {
    Base { id: TakeId::try_from(format!("{take}_{STAMP}")).unwrap(), ip: ip(n) }
}

/// Where the nth node's footage lies.
pub(crate) fn videos(root: &Path, n: u8) -> PathBuf {
    root.join("nodes").join(ip(n).to_string())
}

/// Who logs in on the nodes: when root runs the tests a system user of their own without any rights, who is made when he
/// is not there yet, else the user who runs them.
pub(crate) async fn login() -> (String, u32) {
    const USER: &str = "syncslate-test";
    let run = async |program: Program| program.output(Duration::from_secs(60)).await;
    let who = rustix::process::getuid();
    if !who.is_root() {
        let name = run(Program::new("id").arg("-un")).await.unwrap();
        return (String::from_utf8(name).unwrap().trim().to_owned(), who.as_raw());
    }
    let uid = async || {
        let uid = run(Program::new("id").args(["-u", USER])).await.ok()?;
        String::from_utf8(uid).unwrap().trim().parse().ok()
    };
    if uid().await.is_none() {
        // With an empty password hash sshd would take the account for a locked one. Other tests may make it just now.
        let made = ["--system", "--no-create-home", "--shell", "/bin/sh", "--password", "*", USER];
        let _ = run(Program::new("useradd").args(made)).await;
    }
    until("the user for the nodes is there", async || uid().await.is_some()).await;
    (USER.to_owned(), uid().await.unwrap())
}

/// Gives a node's folder and what is in it to the user who logs in there, and to nobody else.
pub(crate) fn own(folder: &Path, uid: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).chain([folder.to_owned()]) {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&path, Some(uid), None).unwrap();
    }
}

/// Puts a finished take of so many segments on a node; gives its files.
pub(crate) fn take(root: &Path, name: &str, n: u8, segments: u32, bytes: usize) -> Vec<String> {
    let (folder, base) = (videos(root, n), base(name, n));
    fs::create_dir_all(&folder).unwrap();
    let (mut list, mut files) = (String::new(), Vec::new());
    for index in 0..segments {
        let file = base.file(Kind::Segment(index));
        fs::write(folder.join(&file), noise(u64::from(index) * 977 + u64::from(n), bytes)).unwrap();
        list += &digest_line(&digest::hash(&folder.join(&file)).unwrap(), &file);
        files.push(file);
    }
    let manifest = serde_json::json!({"v":1,"take":name,"id":base.id,"stamp":STAMP,"ip":ip(n),"name":"left",
        "t0":"2025-10-23T12:02:10Z","t1":"2025-10-23T12:03:10Z","segment_s":60,"camera":null,"encoder":null,
        "stamps":null,"clock_at_roll":null,"clock_at_cut":null,"skew_us":null,"lead_in_frames":0,"frames":0,
        "segments":[],"gaps":[],"marks":[],"finished":true,"version":"0.1.0"});
    for (kind, text) in
        [(Kind::Digests, list), (Kind::Manifest, manifest.to_string()), (Kind::Markers, "# none\n".into())]
    {
        fs::write(folder.join(base.file(kind)), text).unwrap();
        files.push(base.file(kind));
    }
    own(&folder, std::os::unix::fs::MetadataExt::uid(&fs::metadata(&folder).unwrap()));
    files
}

/// Bytes that no algorithm makes smaller.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next()).take(bytes).collect()
}

/// A running sshd.
pub(crate) struct Sshd {
    root: PathBuf,
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Sshd {
    /// With a host key and a user's key of its own, listening for so many nodes; `restrict` stands before the key in
    /// the list of those that may come in.
    pub(crate) async fn start(root: &Path, nodes: u8, restrict: &str) -> Self {
        for key in ["host", "user"] {
            make_key(&root.join(key)).await;
        }
        let key = fs::read_to_string(root.join("user.pub")).unwrap();
        fs::write(root.join("authorized"), format!("{restrict}{key}")).unwrap();
        let port = free_port();
        let listen: String = (1..=nodes).map(|n| format!("ListenAddress {}:{port}\n", ip(n))).collect();
        let root_shown = root.display();
        let text = format!(
            "{listen}HostKey {root_shown}/host\nAuthorizedKeysFile {root_shown}/authorized\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin no\nMaxStartups 100\n"
        );
        fs::write(root.join("sshd_config"), text).unwrap();
        let mut sshd = Self { root: root.to_owned(), port, child: None };
        sshd.up().await;
        sshd
    }

    /// Arguments for ssh that reach it.
    pub(crate) fn words(&self) -> Vec<String> {
        let root = self.root.display();
        [
            "-p".into(),
            self.port.to_string(),
            "-i".into(),
            format!("{root}/user"),
            "-o".into(),
            "IdentitiesOnly=yes".into(),
            "-o".into(),
            format!("UserKnownHostsFile={root}/known_hosts"),
        ]
        .to_vec()
    }

    pub(crate) async fn up(&mut self) {
        let config = self.root.join("sshd_config");
        // Root's own sshd wants its folder, which a machine without a running sshd lacks.
        let _ = fs::create_dir_all("/run/sshd");
        let child = Program::new("/usr/sbin/sshd").args(["-D", "-e", "-f"]).arg(config).spawn();
        self.child = Some(child.expect("these tests need sshd: install openssh-server"));
        let at = (ip(1), self.port);
        until("sshd listens", async || tokio::net::TcpStream::connect(at).await.is_ok()).await;
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap()
    }

    /// Kills it and all its sessions at once.
    pub(crate) async fn down(&mut self) {
        let pid = self.pid();
        let sessions = processes_below(pid);
        let mut child = self.child.take().unwrap();
        signal(pid, rustix::process::Signal::KILL);
        sessions.into_iter().for_each(|pid| signal(pid, rustix::process::Signal::KILL));
        child.wait().await;
    }

    /// Says nothing for so long and closes nothing, like a cable that is out.
    pub(crate) async fn silent_for(&self, time: Duration) {
        let mut all = processes_below(self.pid());
        all.push(self.pid());
        all.iter().for_each(|pid| signal(*pid, rustix::process::Signal::STOP));
        tokio::time::sleep(time).await;
        all.iter().for_each(|pid| signal(*pid, rustix::process::Signal::CONT));
    }

    /// Comes back with another host key, as somebody else would.
    pub(crate) async fn impostor(&mut self) {
        self.down().await;
        fs::remove_file(self.root.join("host")).unwrap();
        make_key(&self.root.join("host")).await;
        self.up().await;
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            processes_below(pid).into_iter().for_each(|pid| signal(pid, rustix::process::Signal::KILL));
        }
    }
}

async fn make_key(path: &Path) {
    let program = Program::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
    program.output(Duration::from_secs(30)).await.unwrap();
}
