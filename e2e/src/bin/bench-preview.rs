//! Whether live pictures cost footage: three nodes roll while somebody looks at all of them, as an open page does.
//! `bench-preview [SECONDS] [native]` (300 unless told, pictures for tiles) prints what was kept and what is missing.

#![expect(clippy::print_stdout, reason = "it prints its table")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use syncslate_e2e::process::now;
use syncslate_e2e::rig::Rig;

/// What came of looking at a node.
#[derive(Clone, Copy, Default)]
struct Looked {
    pictures: u64,
    bytes: u64,
}

/// Asks for a picture that is not `tag`; gives the new one's tag.
fn look(port: u16, ip: Ipv4Addr, query: &str, tag: &str, looked: &mut Looked) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!(
        "GET /nodes/{ip}/preview.jpg{query} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let head = String::from_utf8_lossy(&answer).into_owned();
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    looked.pictures += 1;
    looked.bytes += answer.len() as u64;
    head.lines().find_map(|line| line.strip_prefix("etag: ").map(str::to_owned))
}

fn main() {
    let seconds: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(300);
    let query = if std::env::args().any(|arg| arg == "native") { "?width=native" } else { "" };
    let rig = Rig::new().node("phase_ms=0").node("phase_ms=11").node("phase_ms=22.5").up("armed");
    rig.roll("bench");
    for i in 1..=3 {
        rig.recorded(i, 30);
    }
    let (ips, start) = (rig.ips(), now());
    let mut looked = vec![Looked::default(); ips.len()];
    let mut tags = vec![String::new(); ips.len()];
    while start.elapsed() < Duration::from_secs(seconds) {
        for (n, ip) in ips.iter().enumerate() {
            if let Some(tag) = look(rig.http, *ip, query, &tags[n], &mut looked[n]) {
                tags[n] = tag;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let idle = rig.cut();
    println!("three nodes, 640x360, 30 frames/s, {seconds} s, a look at each 2 to 3 times a second {query}");
    println!(
        "{:>6}  {:>8} {:>8} {:>6}  {:>9} {:>14}",
        "node", "frames", "missing", "gaps", "pictures", "bytes/picture"
    );
    for (n, looked) in looked.iter().enumerate() {
        let manifest = rig.finished(n + 1, &idle).manifest();
        let (frames, missing, gaps) = manifest
            .map_or((0, 0, 0), |m| (m.frames, m.drops.iter().map(|drop| drop.frames).sum::<u64>(), m.gaps.len()));
        let each = looked.bytes / looked.pictures.max(1);
        println!("{:>6}  {frames:>8} {missing:>8} {gaps:>6}  {:>9} {each:>14}", n + 1, looked.pictures);
    }
}
