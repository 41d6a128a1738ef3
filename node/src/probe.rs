//! The machine's instruments: clock, disk, temperature, throttling. What a machine cannot tell is `None`, never a guess.

use std::path::{Path, PathBuf};
use std::time::Duration;

use syncslate_shared::child::Program;
use syncslate_shared::protocol::ClockReading;

/// No instrument may take longer.
const LIMIT: Duration = Duration::from_secs(2);

/// One round of readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// The clock against its source.
    pub clock: Option<ClockReading>,
    /// Free bytes for this program where the videos lie.
    pub free_bytes: Option<u64>,
    /// Temperature of the processor in °C.
    pub temp_c: Option<f64>,
    /// Whether the processor is slowed down now.
    pub throttled: Option<bool>,
}

/// Reads all instruments.
pub async fn read(videos: PathBuf) -> Readings {
    Readings {
        clock: read_clock().await,
        free_bytes: rustix::fs::statvfs(&videos).ok().map(|s| s.f_bavail.saturating_mul(s.f_frsize)),
        temp_c: read_number("/sys/class/thermal/thermal_zone0/temp").map(|milli| milli / 1000.0),
        throttled: std::fs::read_to_string("/sys/devices/platform/soc/soc:firmware/get_throttled")
            .ok()
            .and_then(|text| parse_throttled(&text)),
    }
}

fn read_number(path: impl AsRef<Path>) -> Option<f64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The Pi firmware's word: bits 0 to 3 are under-voltage, capped frequency, throttled and soft temperature limit, all of now.
fn parse_throttled(text: &str) -> Option<bool> {
    let text = text.trim();
    let word = u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()?;
    Some(word & 0xf != 0)
}

async fn read_clock() -> Option<ClockReading> {
    let chrony = Program::new("chronyc").args(["-n", "-c", "tracking"]).output(LIMIT).await;
    if let Some(reading) = chrony.ok().and_then(|out| parse_chrony(&String::from_utf8_lossy(&out))) {
        return Some(reading);
    }
    let args = ["show", "--property=NTP", "--property=NTPSynchronized"];
    let timedate = Program::new("timedatectl").args(args).output(LIMIT).await.ok()?;
    parse_timedate(&String::from_utf8_lossy(&timedate))
}

/// `chronyc -c tracking`: the 5th column is how many seconds the clock is slow, the 11th and 12th are root delay and
/// root dispersion, the last one is the leap status. The bound is chrony's own: |offset| + dispersion + delay/2.
fn parse_chrony(text: &str) -> Option<ClockReading> {
    let columns: Vec<&str> = text.trim().split(',').collect();
    let number = |i: usize| columns.get(i)?.parse::<f64>().ok().filter(|n| n.is_finite());
    let (slow, delay, dispersion) = (number(4)?, number(10)?, number(11)?);
    let synced = *columns.get(13)? != "Not synchronised";
    let us = |seconds: f64| (seconds * 1e6).round() as i64;
    Some(ClockReading {
        source: Some("chrony".into()),
        synced,
        offset_us: synced.then(|| us(-slow)),
        error_us: synced.then(|| us(slow.abs() + dispersion + delay / 2.0)),
    })
}

/// systemd-timesyncd says whether it is synchronised, not how well.
fn parse_timedate(text: &str) -> Option<ClockReading> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    if value("NTP")? != "yes" {
        return None;
    }
    let synced = value("NTPSynchronized")? == "yes";
    Some(ClockReading { source: Some("timesyncd".into()), synced, offset_us: None, error_us: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACKING: &str = "C0A8010A,192.168.1.10,11,1761220930.1,0.000012345,0.000003,0.00001,-12.3,0.01,0.2,0.000180,0.000061,16.2,Normal\n";

    #[test]
    fn chrony_tells_offset_and_bound() {
        let reading = parse_chrony(TRACKING).unwrap();
        assert_eq!((reading.synced, reading.offset_us, reading.error_us), (true, Some(-12), Some(163)));
        let lost = parse_chrony(&TRACKING.replace("Normal", "Not synchronised")).unwrap();
        assert_eq!((lost.synced, lost.offset_us, lost.error_us), (false, None, None));
        assert_eq!(parse_chrony("506 Cannot talk to daemon"), None);
        assert_eq!(parse_chrony("a,b,c,d,nan,0,0,0,0,0,0,0,0,Normal"), None);
    }

    #[test]
    fn timesyncd_tells_only_whether() {
        let reading = parse_timedate("NTP=yes\nNTPSynchronized=yes\n").unwrap();
        assert_eq!((reading.source.as_deref(), reading.synced, reading.offset_us), (Some("timesyncd"), true, None));
        assert_eq!(parse_timedate("NTP=no\nNTPSynchronized=no\n"), None);
        assert_eq!(parse_timedate(""), None);
    }

    #[test]
    fn only_what_throttles_now_counts() {
        assert_eq!(parse_throttled("0x0\n"), Some(false));
        assert_eq!(parse_throttled("50005"), Some(true));
        assert_eq!(parse_throttled("0x50000"), Some(false));
        assert_eq!(parse_throttled("no"), None);
    }

    #[tokio::test]
    async fn a_machine_without_instruments_says_so() {
        let readings = read("/".into()).await;
        assert!(readings.free_bytes.is_some());
        assert_eq!(read("/no/such/folder".into()).await.free_bytes, None);
    }
}
