//! What benchmarks measure with: medians, what a process has cost, a word with the controller that takes no process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// The middle one, of an even number the upper; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    percent(values, 50)
}

/// The value that so many percent of all do not exceed, roughly; 0 of none.
pub fn percent(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// Processor time that a process has used, by its threads' own counters in nanoseconds.
pub fn cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let spent = |line: String| line.split_whitespace().next()?.parse::<u64>().ok();
    Duration::from_nanos(
        tasks.filter_map(|task| spent(std::fs::read_to_string(task.path().join("schedstat")).ok()?)).sum(),
    )
}

/// A process's memory in MiB; 0 when it has ended.
pub fn rss_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    rss.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// How many files a process holds open; 0 when it has ended.
pub fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Bytes that a process has had written to disks, by the pages that it made dirty; 0 when it has ended.
pub fn written(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// Asks the controller on this port; gives the body of its answer.
///
/// # Errors
/// It could not be asked, or answered with an error.
pub fn ask(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.lines().next().unwrap_or_default() {
        line if line.contains(" 200 ") => Ok(body.to_owned()),
        line => Err(std::io::Error::other(format!("{method} {path}: {line}\n{body}"))),
    }
}

/// How many nodes the controller on this port knows as online.
pub fn online(port: u16) -> usize {
    let state: Value =
        ask(port, "GET", "/api/state", "").ok().and_then(|s| serde_json::from_str(&s).ok()).unwrap_or_default();
    state["nodes"].as_array().map_or(0, |nodes| nodes.iter().filter(|node| node["state"] != "offline").count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        assert_eq!((median(&[]), median(&[7.0]), median(&[9.0, 1.0, 4.0])), (0.0, 7.0, 4.0));
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!((percent(&hundred, 99), percent(&hundred, 100)), (100.0, 100.0));
    }
}
