//! What custody costs: footage of four nodes fetched and verified by the controller, against plain `rsync` started by
//! hand for each node, the same with `sync` and `sha256sum` behind it, and `cp`. The medians of alternating rounds are
//! printed with the processor time of all that took part.
//!
//! `bench-custody [GB A NODE] [ROUNDS] [local|daemon|ssh]`: 2, 3 and `daemon` unless told. It writes twice the sum of
//! the footage into the folder for temporary files, and removes it.

#![expect(clippy::print_stdout, reason = "it prints its table")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

use std::fs;
use std::io::{BufWriter, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;

use serde_json::json;
use syncslate_e2e::mqtt::publish;
use syncslate_e2e::process::{Process, command, now, wait_for};
use syncslate_e2e::rig::Rig;

const NODES: u8 = 4;
/// About what a camera writes in a minute at the built-in bit rate.
const SEGMENT: u64 = 64 << 20;
const BASE_END: &str = "20251023_140210";

fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 100 + n)
}

/// How bytes get here.
struct Way {
    /// What rsync pulls from, with `{ip}`.
    source: String,
    /// Arguments for ssh.
    ssh: Vec<String>,
    /// The server of the nodes, if there is one.
    server: Option<Process>,
}

/// What a round took.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    cpu_s: f64,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let gigabytes: f64 = words.next().map_or(2.0, |word| word.parse().unwrap());
    let rounds: usize = words.next().map_or(3, |word| word.parse().unwrap());
    let kind = words.next().unwrap_or_else(|| "daemon".into());
    let folder = tempfile::tempdir().unwrap();
    let bytes = (gigabytes * 1e9) as u64;
    (1..=NODES).for_each(|n| make_take(folder.path(), n, bytes));
    let way = Way::open(&kind, folder.path());
    let settings = format!("[download]\nreserve = '0'\nssh = {:?}\nsource = '{}'\n", way.ssh, way.source);
    let mut rig = Rig::with_settings(&settings);
    for n in 1..=NODES {
        publish(rig.mqtt, &format!("status/{}", ip(n)), status(n).as_bytes(), &["-r"]);
        rig.ear.wait("a node to be known", &format!("status/{}", ip(n)), |_| Some(()));
    }
    let by_hand = folder.path().join("by_hand");
    let names = ["cp, one for each node", "rsync, one for each node", "the same, sync, sha256sum", "the controller"];
    let mut costs = vec![Vec::new(); names.len()];
    for round in 0..rounds {
        // Who begins changes, so that what else the machine does falls on all.
        for at in (0..names.len()).map(|turn| (turn + round) % names.len()) {
            fresh(&by_hand);
            let watched = watched(&mut rig, &way);
            costs[at].push(measure(&watched, || match at {
                0 => together(|n| copy(folder.path(), &by_hand, n)),
                1 => together(|n| plain(&way, &by_hand, n)),
                2 => {
                    together(|n| plain(&way, &by_hand, n));
                    together(|n| check(&by_hand, n));
                }
                _ => fetch(&rig),
            }));
            fresh(&rig.downloads());
        }
    }
    let total = (bytes * u64::from(NODES)) as f64 / 1e6;
    println!("{NODES} nodes of {gigabytes} GB each by {kind}, medians of {rounds} alternating rounds");
    println!("{:<28} {:>8} {:>9} {:>8} {:>12}", "", "s", "MB/s", "CPU s", "rsync = 100");
    let plain = median(&costs[1]).seconds;
    for (name, costs) in names.iter().zip(&costs) {
        let Cost { seconds, cpu_s } = median(costs);
        println!("{name:<28} {seconds:>8.2} {:>9.0} {cpu_s:>8.1} {:>11.0}%", total / seconds, 100.0 * plain / seconds);
    }
}

fn median(costs: &[Cost]) -> Cost {
    let mut sorted = costs.to_vec();
    sorted.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    sorted[sorted.len() / 2]
}

fn measure(watched: &[u32], work: impl FnOnce()) -> Cost {
    let cpu = || watched.iter().map(|pid| ticks(*pid)).sum::<u64>() as f64 / 100.0;
    let (start, before) = (now(), cpu());
    work();
    Cost { seconds: start.elapsed().as_secs_f64(), cpu_s: cpu() - before }
}

/// Processor time of a process and of its children that ended, in clock ticks, of which a second has 100.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 to 17 of proc(5), counted from behind the name.
    fields.get(11..15).into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn watched(rig: &mut Rig, way: &Way) -> Vec<u32> {
    let server = way.server.iter().map(Process::id);
    [std::process::id(), rig.controller().id()].into_iter().chain(server).collect()
}

/// Removes what the last round left, and lets the disk come to rest.
fn fresh(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    assert!(command("sync").status().unwrap().success());
}

fn together(start: impl Fn(u8) -> Child) {
    let children: Vec<Child> = (1..=NODES).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
}

fn copy(root: &Path, to: &Path, n: u8) -> Child {
    command("cp").arg("-r").arg(videos(root, n)).arg(to).spawn().unwrap()
}

fn plain(way: &Way, to: &Path, n: u8) -> Child {
    let mut program = command("rsync");
    if !way.ssh.is_empty() {
        program.arg("-e").arg(format!("ssh {}", way.ssh.join(" ")));
    }
    program.args(["--recursive", "--times"]).arg(way.source.replace("{ip}", &ip(n).to_string()));
    program.arg(to.join(ip(n).to_string())).spawn().unwrap()
}

fn check(to: &Path, n: u8) -> Child {
    let mut program = command("sh");
    program.args(["-c", "sync -f . && sha256sum --quiet -c *.sha256"]).current_dir(to.join(ip(n).to_string()));
    program.spawn().unwrap()
}

fn fetch(rig: &Rig) {
    rig.ear.clear();
    rig.ask("download", "bench");
    let mut state = String::new();
    // The bench has no patience of its own: a round takes as long as it takes.
    while state != "done" {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let heard = rig.ear.all().into_iter().rev().find(|heard| heard.topic == "download/bench");
        state = heard.and_then(|heard| Some(heard.json["state"].as_str()?.to_owned())).unwrap_or_default();
        assert_ne!(state, "failed");
    }
}

fn videos(root: &Path, n: u8) -> PathBuf {
    root.join("nodes").join(ip(n).to_string())
}

/// Footage that no algorithm makes smaller, with its digests.
fn make_take(root: &Path, n: u8, bytes: u64) {
    let folder = videos(root, n);
    fs::create_dir_all(&folder).unwrap();
    let base = format!("bench_127_0_0_{}_{BASE_END}", 100 + n);
    let mut x = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(n);
    let (mut left, mut index) = (bytes, 0);
    while left > 0 {
        let length = left.min(SEGMENT);
        let mut file = BufWriter::new(fs::File::create(folder.join(format!("{base}_{index:06}.h264"))).unwrap());
        for _ in 0..length / 8 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            file.write_all(&x.to_le_bytes()).unwrap();
        }
        file.flush().unwrap();
        (left, index) = (left - length, index + 1);
    }
    let line = format!("sha256sum *.h264 > {base}.sha256");
    assert!(command("sh").args(["-c", &line]).current_dir(&folder).status().unwrap().success());
}

impl Way {
    fn open(kind: &str, root: &Path) -> Self {
        let shown = root.display();
        match kind {
            "local" => Self { source: format!("{shown}/nodes/{{ip}}/"), ssh: Vec::new(), server: None },
            "daemon" => Self::daemon(root),
            "ssh" => Self::ssh(root),
            other => {
                println!("`{other}` is no way: local, daemon and ssh are");
                std::process::exit(2)
            }
        }
    }

    fn daemon(root: &Path) -> Self {
        let port = free_port();
        let root_user = if rustix::process::getuid().is_root() { "uid = 0\ngid = 0\n" } else { "" };
        // A module for each node: rsync 3.5's daemon does not find files that are named below a folder of a module.
        let module = |n| format!("[{0}]\npath = {1}/nodes/{0}\nread only = yes\n", ip(n), root.display());
        let modules: String = (1..=NODES).map(module).collect();
        let text = format!("use chroot = no\n{root_user}{modules}");
        fs::write(root.join("rsyncd.conf"), text).unwrap();
        let mut program = command("rsync");
        program.args(["--daemon", "--no-detach", "--address=127.0.0.1", &format!("--port={port}")]);
        program.arg(format!("--config={}", root.join("rsyncd.conf").display()));
        let server = Some(serve(program, port));
        Self { source: format!("rsync://127.0.0.1:{port}/{{ip}}/"), ssh: Vec::new(), server }
    }

    fn ssh(root: &Path) -> Self {
        let port = free_port();
        for key in ["host", "user"] {
            let made = command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(root.join(key)).status();
            assert!(made.unwrap().success());
        }
        let shown = root.display();
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/user.pub\nPidFile none\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
        );
        fs::write(root.join("sshd_config"), text).unwrap();
        // Root's own sshd wants its folder, which a machine without a running sshd lacks.
        let _ = fs::create_dir_all("/run/sshd");
        let mut program = command("/usr/sbin/sshd");
        program.args(["-D", "-e", "-f"]).arg(root.join("sshd_config"));
        let server = Some(serve(program, port));
        let words = format!(
            "-p {port} -i {shown}/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={shown}/known_hosts"
        );
        let ssh = words.split(' ').map(str::to_owned).collect();
        Self { source: format!("127.0.0.1:{shown}/nodes/{{ip}}/"), ssh, server }
    }
}

fn serve(program: std::process::Command, port: u16) -> Process {
    let server = Process::start(program);
    wait_for("the server to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    server
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn status(n: u8) -> String {
    json!({"v":1,"ip":ip(n),"name":"left","state":"armed","take":null,"frames":0,"dropped":0,"fps":30.0,
        "segment":null,"bytes":0,"skew_us":null,"clock":null,"disk":null,"temp_c":null,"throttled":null,"aes":true,
        "camera":{"kind":"test","model":null,"width":640,"height":360,"fps":30.0,"start_ms":900,"ring_s":4.0},
        "fault":null,"version":"0.1.0","booted":"2025-10-23T11:00:00Z","at":"2025-10-23T11:00:00Z"})
    .to_string()
}
