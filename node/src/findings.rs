//! What people should know of this node, made of its readings: each with what to do about it. Pure.

use std::time::Duration;

use syncslate_shared::manifest::Gap;
use syncslate_shared::protocol::{ClockReading, Drops, Fault, Finding, Level, Phase, PhaseState};
use syncslate_shared::size::Size;

use crate::camera::Steering;
use crate::phase::told;
use crate::probe::Power;

/// With less than this many seconds of room the disk is short.
const SHORT_S: u64 = 30 * 60;
/// A clock further off than this tears a take apart by parts of a frame, in microseconds.
const FAR_OFF_US: i64 = 5_000;
/// A write or sync that takes longer holds footage in memory.
const SLOW_WRITE: Duration = Duration::from_secs(2);
/// So many bytes that wait are much: with 64 MiB the disk counts as failed.
const MUCH_WAITING: u64 = 16 << 20;
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
    /// The slowest write or sync of the last seconds.
    pub slowest_write: Duration,
    /// Bytes that wait in memory to be written.
    pub waiting_bytes: u64,
    /// Temperature of the processor in °C.
    pub temp_c: Option<f64>,
    /// What the firmware says of power and heat.
    pub power: Option<Power>,
    /// For how long a camera that runs has sent no picture, when that is too long.
    pub stalled: Option<Duration>,
    /// Whether the encoder is slower than the camera.
    pub behind: bool,
    /// By how many microseconds the clock was set a short time ago.
    pub step_us: Option<i64>,
    /// Frames of the take that are missing.
    pub drops: Drops,
    /// What became of the controller's wishes for the camera.
    pub wishes: &'a [Finding],
    /// How many gaps the take has, and the last one.
    pub gaps: Option<(u64, &'a Gap)>,
    /// Where the camera's frames lie against the frame grid.
    pub phase: Option<Phase>,
    /// Whether it is held there.
    pub steering: Option<&'a Steering>,
}

/// All findings, the worst first.
pub fn find(seen: &Seen<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = seen.fault.map(fault).into_iter().collect();
    found.extend(disk(seen));
    found.extend(slow_disk(seen));
    found.extend(camera(seen));
    found.extend(phase(seen));
    found.extend(missing(seen));
    found.extend(seen.wishes.iter().cloned());
    found.extend(clock(seen.clock));
    found.extend(stepped(seen.step_us));
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

fn slow_disk(seen: &Seen<'_>) -> Option<Finding> {
    let (slowest, waiting) = (seen.slowest_write, seen.waiting_bytes);
    if slowest < SLOW_WRITE && waiting < MUCH_WAITING {
        return None;
    }
    let message =
        format!("the disk is slow: a write took {:.1} s, {} wait in memory", slowest.as_secs_f64(), Size(waiting));
    let remedy = "use a faster card or a lower bit rate; a card that has become slow is often dying";
    Some(finding(Level::Warning, "disk_slow", message, remedy))
}

fn camera(seen: &Seen<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(silent) = seen.stalled {
        let message = format!("the camera has sent no picture for {:.1} s", silent.as_secs_f64());
        found.push(finding(
            Level::Warning,
            "camera_stalled",
            message,
            "if it comes again, look at its cable and supply",
        ));
    }
    if seen.behind {
        let message = "the encoder is slower than the camera, frames get lost".into();
        let remedy = "choose a smaller picture or fewer frames a second, or give the processor less else to do";
        found.push(finding(Level::Warning, "encoder_behind", message, remedy));
    }
    found
}

fn phase(seen: &Seen<'_>) -> Option<Finding> {
    match (seen.steering?, seen.phase) {
        (Steering::Unable { why, remedy }, _) => {
            let message = format!("the camera runs free, up to a frame apart from the others: {why}");
            Some(finding(Level::Info, "phase_free", message, remedy))
        }
        (Steering::Grid, Some(Phase { state: PhaseState::Lost, error_us, .. })) => {
            let message = format!("the camera is not held on the frame grid: its frames lie {} off it", told(error_us));
            let remedy = "see that the frame rate is below the highest of the sensor's mode, that the clock is not being \
                          set, and that no `rpicam-vid --sync server` runs in this network";
            Some(finding(Level::Warning, "phase_lost", message, remedy))
        }
        _ => None,
    }
}

fn missing(seen: &Seen<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let Drops { camera, encoder, .. } = seen.drops;
    if camera + encoder > 0 {
        let message = format!("frames are missing in this take: {camera} by the camera, {encoder} by the encoder");
        let remedy = "look at the camera's cable and supply; for the encoder choose a smaller picture";
        found.push(finding(Level::Warning, "frames_dropped", message, remedy));
    }
    if let Some((count, gap)) = seen.gaps {
        let length = gap.to.since_us(gap.from) as f64 / 1e6;
        let detail = gap.detail.split("\n\nhint: ").next().unwrap_or_default();
        let all = if count > 1 { format!(", the last of {count} gaps") } else { String::new() };
        let message = format!("this take has a gap of {length:.1} s{all} ({}): {detail}", gap.cause);
        found.push(finding(Level::Warning, "gap", message, ""));
    }
    found
}

fn stepped(step_us: Option<i64>) -> Option<Finding> {
    let message = format!("the clock was {}: stamps jump there", crate::steps::told(step_us?));
    let remedy = "see that chrony steps the clock only after the boot (`makestep 0.1 3`)";
    Some(finding(Level::Warning, "clock_stepped", message, remedy))
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
    use syncslate_shared::time::Wall;

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
            (Seen { slowest_write: Duration::from_secs(3), ..base }, "disk_slow"),
            (Seen { waiting_bytes: 17 << 20, ..base }, "disk_slow"),
            (Seen { stalled: Some(Duration::from_millis(170)), ..base }, "camera_stalled"),
            (Seen { behind: true, ..base }, "encoder_behind"),
            (Seen { step_us: Some(-2_000_000), ..base }, "clock_stepped"),
            (Seen { drops: Drops { camera: 3, encoder: 0, gaps: 0 }, ..base }, "frames_dropped"),
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
    fn a_camera_that_should_be_on_the_grid_says_why_it_is_not() {
        let clock = reading(true, Some(3));
        let unable = Steering::Unable { why: "rpicam-vid 1.5 knows no `--sync`".into(), remedy: "update it" };
        let base = Seen { clock: Some(&clock), ..Seen::default() };
        let found = find(&Seen { steering: Some(&unable), ..base });
        assert_eq!(
            (found[0].code.as_str(), found[0].level, found[0].remedy.as_str()),
            ("phase_free", Level::Info, "update it")
        );
        assert!(found[0].message.ends_with("apart from the others: rpicam-vid 1.5 knows no `--sync`"));
        let lies = |state, steering| {
            let phase = Some(Phase { state, error_us: 3_240, worst_us: 3_300 });
            find(&Seen { phase, steering: Some(steering), ..base }).pop().map(|found| (found.code, found.message))
        };
        let (code, message) = lies(PhaseState::Lost, &Steering::Grid).unwrap();
        assert_eq!(code, "phase_lost");
        assert!(message.ends_with("its frames lie +3.2 ms off it"), "{message}");
        assert_eq!(lies(PhaseState::Seeking, &Steering::Grid), None);
        assert_eq!(lies(PhaseState::Free, &Steering::Free), None);
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

    #[test]
    fn a_gap_is_told_in_plain_words() {
        let clock = reading(true, Some(3));
        let from = Wall::from_micros(1_761_220_930_500_000);
        let detail = "the camera was pulled\n\nhint: put it back".into();
        let gap = Gap { from, to: from.offset_us(2_340_000), cause: "camera_lost".into(), detail };
        let seen = Seen { clock: Some(&clock), gaps: Some((2, &gap)), ..Seen::default() };
        let found = find(&seen);
        let message = "this take has a gap of 2.3 s, the last of 2 gaps (camera_lost): the camera was pulled";
        assert_eq!((found[0].code.as_str(), found[0].message.as_str()), ("gap", message));
    }
}
