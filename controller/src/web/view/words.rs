//! Figures in words: lengths of time, bytes, clock readings. Pure.

use syncslate_shared::protocol::{ClockReading, DiskReading};
use syncslate_shared::time::Wall;

/// Time since T0 as a slate shows it, `00:01:23.456`, with so many decimals (at most 6); before T0 with a minus.
pub(super) fn take_time(us: i64, decimals: u32) -> String {
    let sign = if us < 0 { "−" } else { "" };
    let us = us.unsigned_abs();
    let (seconds, rest) = (us / 1_000_000, us % 1_000_000);
    let fraction = rest / 10u64.pow(6 - decimals.min(6));
    let width = decimals.min(6) as usize;
    format!("{sign}{:02}:{:02}:{:02}.{fraction:0width$}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A length of time as people say it, to two units: `3 h 40 min`, `42 min`, `55 s`.
pub(super) fn length(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, 1..10) if !seconds.is_multiple_of(60) => format!("{minutes} min {} s", seconds % 60),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Bytes, in thousands as disks are sold: `1.2 GB`.
pub(super) fn bytes(bytes: u64) -> String {
    crate::size::Size(bytes).to_string()
}

/// `1 file`, `7 files`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// A clock against the Control Pi's: `+0.01 ms ± 0.09 ms`.
pub(super) fn clock(reading: &ClockReading) -> String {
    match (reading.offset_us, reading.error_us) {
        (Some(offset), Some(error)) => format!("{} ms ± {:.2} ms", signed(offset), error as f64 / 1000.0),
        (Some(offset), None) => format!("{} ms", signed(offset)),
        (None, _) if reading.synced => "in step".into(),
        (None, _) => "not in step".into(),
    }
}

/// Microseconds as milliseconds with a sign; zero has none.
pub(super) fn signed(us: i64) -> String {
    let text = format!("{:.2}", us.unsigned_abs() as f64 / 1000.0);
    match us {
        _ if text == "0.00" => text,
        ..0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

/// Room for footage: as time where the rate is known.
pub(super) fn disk(reading: &DiskReading) -> String {
    match reading.record_s_left {
        Some(seconds) => format!("{} left", length(seconds)),
        None => format!("{} free", bytes(reading.free_bytes)),
    }
}

/// A name within a sentence: what it holds of right-to-left marks ends with it.
pub(super) fn isolated(name: &str) -> String {
    if name.is_ascii() { name.to_owned() } else { format!("\u{2068}{name}\u{2069}") }
}

/// An instant in local time, for people.
pub(super) fn instant(at: Wall) -> String {
    syncslate_shared::take::Stamp::local(at).readable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_time_counts_from_t0() {
        let table = [
            (0, 3, "00:00:00.000"),
            (83_456_789, 3, "00:01:23.456"),
            (83_456_789, 1, "00:01:23.4"),
            (359_999_999_999, 3, "99:59:59.999"),
            (360_000_000_000, 1, "100:00:00.0"),
            (-1_250_000, 1, "−00:00:01.2"),
        ];
        for (us, decimals, expected) in table {
            assert_eq!(take_time(us, decimals), expected, "{us}");
        }
    }

    #[test]
    fn lengths_are_said_to_two_units() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (125, "2 min 5 s"),
            (2_525, "42 min"),
            (3_600, "1 h"),
            (13_210, "3 h 40 min"),
            (86_400, "1 d"),
            (100_000, "1 d 3 h"),
        ];
        for (seconds, expected) in table {
            assert_eq!(length(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn bytes_are_said_in_their_unit() {
        let table =
            [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (51_234_567_890, "51.2 GB")];
        for (n, expected) in table {
            assert_eq!(bytes(n), expected, "{n}");
        }
    }

    #[test]
    fn clocks_are_said_with_their_bound() {
        let reading = |offset_us, error_us, synced| ClockReading { source: None, synced, offset_us, error_us };
        assert_eq!(clock(&reading(Some(12), Some(85), true)), "+0.01 ms ± 0.09 ms");
        assert_eq!(clock(&reading(Some(-1200), None, true)), "−1.20 ms");
        assert_eq!(clock(&reading(Some(-4), Some(85), true)), "0.00 ms ± 0.09 ms");
        assert_eq!(clock(&reading(None, None, false)), "not in step");
    }
}
