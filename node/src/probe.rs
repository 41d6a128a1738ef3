//! The machine's instruments: clock, disk, temperature, throttling. What a machine cannot tell is `None`, never a guess.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{StatVfsMountFlags, statvfs};
use syncslate_shared::child::Program;
use syncslate_shared::protocol::ClockReading;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::space::Room;

/// No instrument may take longer.
const LIMIT: Duration = Duration::from_secs(2);

/// How often the machine is read, and how often its clock.
const EVERY: Duration = Duration::from_secs(1);
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// What an instrument shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The clock against its source.
    Clock(Option<ClockReading>),
    /// The machine.
    Machine(Machine),
}

/// One round of readings of the machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// The disk where the videos lie.
    pub room: Option<Room>,
    /// Temperature of the processor in °C.
    pub temp_c: Option<f64>,
    /// What the firmware says of power and heat.
    pub power: Option<Power>,
}

/// What the Pi's firmware says of power and heat, now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Power {
    /// The supply gives less than 4.63 V.
    pub under_voltage: bool,
    /// The processor is slowed down, for whatever reason.
    pub slowed: bool,
}

/// Instruments that are read for as long as this lives.
#[derive(Debug)]
pub struct Probes([JoinHandle<()>; 2]);

impl Probes {
    /// Starts reading; each reading goes to `tell`. Within a tokio runtime.
    pub fn start(videos: PathBuf, tell: mpsc::Sender<Reading>) -> Self {
        let clock = tokio::spawn(for_ever(CLOCK_EVERY, tell.clone(), || async { Reading::Clock(read_clock().await) }));
        let machine = tokio::spawn(for_ever(EVERY, tell, move || read_machine(videos.clone())));
        Self([clock, machine])
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn for_ever<F: Future<Output = Reading>>(every: Duration, tell: mpsc::Sender<Reading>, read: impl Fn() -> F) {
    let mut every = interval(every);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if tell.send(read().await).await.is_err() {
            return;
        }
    }
}

/// A disk that hangs holds up a thread of its own.
async fn read_machine(videos: PathBuf) -> Reading {
    let read = move || Machine {
        room: statvfs(&videos).ok().map(|disk| Room {
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            read_only: disk.f_flag.contains(StatVfsMountFlags::RDONLY),
        }),
        temp_c: read_number("/sys/class/thermal/thermal_zone0/temp").map(|milli| milli / 1000.0),
        power: std::fs::read_to_string("/sys/devices/platform/soc/soc:firmware/get_throttled")
            .ok()
            .and_then(|text| parse_throttled(&text)),
    };
    Reading::Machine(tokio::task::spawn_blocking(read).await.unwrap_or_default())
}

fn read_number(path: impl AsRef<Path>) -> Option<f64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The Pi firmware's word: bits 0 to 3 are under-voltage, capped frequency, throttled and soft temperature limit, all of now.
fn parse_throttled(text: &str) -> Option<Power> {
    let text = text.trim();
    let word = u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()?;
    Some(Power { under_voltage: word & 1 != 0, slowed: word & 0xe != 0 })
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
    fn only_what_is_wrong_now_counts() {
        let power = |under_voltage, slowed| Some(Power { under_voltage, slowed });
        assert_eq!(parse_throttled("0x0\n"), power(false, false));
        assert_eq!(parse_throttled("50005"), power(true, true));
        assert_eq!(parse_throttled("0x50008"), power(false, true));
        assert_eq!(parse_throttled("0x50000"), power(false, false));
        assert_eq!(parse_throttled("no"), None);
    }

    #[tokio::test]
    async fn a_machine_without_instruments_says_so() {
        let free = |reading| match reading {
            Reading::Machine(machine) => machine.room,
            Reading::Clock(_) => panic!("the machine was asked"),
        };
        assert!(free(read_machine("/".into()).await).is_some());
        assert_eq!(free(read_machine("/no/such/folder".into()).await), None);
    }
}
