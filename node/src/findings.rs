//! What people should know of this node, made of its readings: each with what to do about it. Pure.

use syncslate_shared::protocol::{ClockReading, Fault, Finding, Level};
use syncslate_shared::size::Size;

use crate::probe::Power;

/// With less than this many seconds of room the disk is short.
const SHORT_S: u64 = 30 * 60;
/// A clock further off than this tears a take apart by parts of a frame, in microseconds.
const FAR_OFF_US: i64 = 5_000;
/// The Pi slows its processor down at 80 °C.
const HOT_C: f64 = 78.0;

/// What findings are made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// What keeps it from recording.
    pub fault: Option<&'a Fault>,
    /// The clock; `None` when nothing tells.
    pub clock: Option<&'a ClockReading>,
    /// Free bytes on the disk of the videos.
    pub free_bytes: Option<u64>,
    /// Seconds until the disk is full.
    pub seconds_left: Option<u64>,
    /// Temperature of the processor in °C.
    pub temp_c: Option<f64>,
    /// What the firmware says of power and heat.
    pub power: Option<Power>,
}

/// All findings, the worst first.
pub fn find(seen: &Seen<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = seen.fault.map(fault).into_iter().collect();
    found.extend(disk(seen));
    found.extend(clock(seen.clock));
    found.extend(power(seen));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    found
}

fn finding(level: Level, code: &str, message: String, remedy: &str) -> Finding {
    Finding { level, code: code.into(), message, remedy: remedy.into() }
}

/// A fault's message ends with its hint, which is the remedy.
fn fault(fault: &Fault) -> Finding {
    let (message, remedy) = fault.message.split_once("\n\nhint: ").unwrap_or((&fault.message, ""));
    finding(Level::Error, &fault.code, message.into(), remedy)
}

fn disk(seen: &Seen<'_>) -> Option<Finding> {
    let left = seen.seconds_left.filter(|left| *left < SHORT_S)?;
    if seen.fault.is_some_and(|fault| fault.code == "disk_full") {
        return None;
    }
    let free = seen.free_bytes.map(|bytes| format!(", {} are free", Size(bytes))).unwrap_or_default();
    let message = format!("the disk is full in {}{free}", minutes(left));
    Some(finding(Level::Warning, "disk_short", message, "make room before the take, or choose a lower bit rate"))
}

fn minutes(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}

fn clock(clock: Option<&ClockReading>) -> Option<Finding> {
    let off = clock.and_then(|clock| clock.offset_us).filter(|us| us.abs() > FAR_OFF_US);
    match (clock, off) {
        (None, _) => Some(finding(
            Level::Info,
            "clock_unknown",
            "nothing on this machine tells whether its clock is right".into(),
            "install chrony and let it follow the Control Pi",
        )),
        (Some(clock), _) if !clock.synced => Some(finding(
            Level::Warning,
            "clock_unsynced",
            "the clock is not synchronised, so this camera may lie apart from the others".into(),
            "see that chrony reaches the Control Pi: `chronyc sources`",
        )),
        (_, Some(us)) => Some(finding(
            Level::Warning,
            "clock_off",
            format!("the clock is {:+.1} ms off", us as f64 / 1000.0),
            "wait until chrony has brought it in: `chronyc tracking`",
        )),
        _ => None,
    }
}

fn power(seen: &Seen<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let power = seen.power.unwrap_or_default();
    if power.under_voltage {
        let message = "the supply's voltage is too low".into();
        found.push(finding(
            Level::Warning,
            "under_voltage",
            message,
            "use a stronger supply and a shorter, thicker cable",
        ));
    }
    let hot = seen.temp_c.filter(|temp| *temp >= HOT_C);
    let cool = "give it air, shade or a heat sink";
    match hot {
        _ if power.slowed => {
            let temp = seen.temp_c.map(|temp| format!(", at {temp:.0} °C")).unwrap_or_default();
            let message = format!("the processor is slowed down by heat or low voltage{temp}");
            found.push(finding(Level::Warning, "throttled", message, cool));
        }
        Some(temp) => found.push(finding(Level::Warning, "hot", format!("the processor is hot, {temp:.0} °C"), cool)),
        None => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(synced: bool, offset_us: Option<i64>) -> ClockReading {
        ClockReading { source: Some("chrony".into()), synced, offset_us, error_us: None }
    }

    fn codes(seen: &Seen<'_>) -> Vec<String> {
        find(seen).into_iter().map(|f| f.code).collect()
    }

    #[test]
    fn a_node_in_good_health_has_none() {
        let clock = reading(true, Some(-4_999));
        let seen = Seen {
            clock: Some(&clock),
            free_bytes: Some(51_234_567_890),
            seconds_left: Some(1_800),
            temp_c: Some(77.9),
            power: Some(Power::default()),
            ..Seen::default()
        };
        assert_eq!(find(&seen), []);
        assert_eq!(find(&Seen { temp_c: None, power: None, seconds_left: None, ..seen }), []);
    }

    #[test]
    fn each_trouble_has_its_word() {
        let (good, lost, off) = (reading(true, Some(3)), reading(false, None), reading(true, Some(-5_001)));
        let base = Seen { clock: Some(&good), ..Seen::default() };
        let low = Power { under_voltage: true, slowed: false };
        let slowed = Power { under_voltage: false, slowed: true };
        let table = [
            (Seen { clock: None, ..base }, "clock_unknown"),
            (Seen { clock: Some(&lost), ..base }, "clock_unsynced"),
            (Seen { clock: Some(&off), ..base }, "clock_off"),
            (Seen { seconds_left: Some(1_799), ..base }, "disk_short"),
            (Seen { temp_c: Some(78.0), ..base }, "hot"),
            (Seen { power: Some(low), ..base }, "under_voltage"),
            (Seen { power: Some(slowed), temp_c: Some(84.0), ..base }, "throttled"),
        ];
        for (seen, code) in table {
            assert_eq!(codes(&seen), [code], "{seen:?}");
            let level = if code == "clock_unknown" { Level::Info } else { Level::Warning };
            assert!(find(&seen).iter().all(|f| f.level == level && !f.remedy.is_empty()));
        }
    }

    #[test]
    fn a_fault_comes_first_with_its_hint_as_the_remedy() {
        let fault = Fault { code: "disk_full".into(), message: "the disk is full\n\nhint: make room".into() };
        let seen = Seen { fault: Some(&fault), seconds_left: Some(0), ..Seen::default() };
        let found = find(&seen);
        assert_eq!(codes(&seen), ["disk_full", "clock_unknown"]);
        assert_eq!((found[0].level, found[0].message.as_str()), (Level::Error, "the disk is full"));
        assert_eq!(found[0].remedy, "make room");
    }

    #[test]
    fn room_is_told_in_words() {
        let clock = reading(true, Some(3));
        let seen =
            Seen { clock: Some(&clock), free_bytes: Some(1_234_000_000), seconds_left: Some(700), ..Seen::default() };
        assert_eq!(find(&seen)[0].message, "the disk is full in 11 min, 1.2 GB are free");
        let seen = Seen { free_bytes: None, seconds_left: Some(100), ..seen };
        assert_eq!(find(&seen)[0].message, "the disk is full in 100 s");
    }
}
