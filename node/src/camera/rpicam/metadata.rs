//! The records that `rpicam-vid --metadata FILE --metadata-format txt` writes: a `Name=value` line for each control, an
//! empty line after each frame. Pure.

use syncslate_shared::camera::{Key, Milli, Settings, Value};
use syncslate_shared::time::Wall;

/// Above this a `FrameWallClock` counts nanoseconds: it is the year 5138 in microseconds and 1973 in nanoseconds.
const NANOSECONDS_FROM: i64 = 100_000_000_000_000_000;

/// What one frame's record says of its time and of what the camera is set to. Other controls are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `FrameWallClock`: the exposure of the first row on the wall clock.
    pub wall: Option<Wall>,
    /// `SensorTimestamp`: the same instant in microseconds of `CLOCK_BOOTTIME`.
    pub boottime_us: Option<i64>,
    /// `ExposureTime`, in microseconds.
    pub exposure_us: Option<Milli>,
    /// `AnalogueGain`.
    pub gain: Option<Milli>,
    /// `ColourGains`, of red and blue; none of a camera without colours.
    pub colours: Option<(Milli, Milli)>,
    /// `LensPosition`, in dioptres; none of a lens that cannot be moved.
    pub focus: Option<Milli>,
}

/// Puts records together, line by line.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordReader {
    current: Record,
    lines: usize,
}

impl RecordReader {
    /// Takes a line without its end; gives the record that it completes.
    ///
    /// # Errors
    /// A stamp is no number, or the line is none of `Name=value`.
    pub fn line(&mut self, line: &str) -> Result<Option<Record>, String> {
        if line.is_empty() {
            let complete = std::mem::take(self);
            return Ok((complete.lines > 0).then_some(complete.current));
        }
        let bad = || format!("`{}` is no line of the camera's metadata", line.escape_debug());
        let (name, value) = line.split_once('=').ok_or_else(bad)?;
        self.lines += 1;
        let number = || value.trim().parse::<i64>().ok().filter(|n| *n > 0).ok_or_else(bad);
        match name {
            // Microseconds in libcamera up to 0.5.1, nanoseconds since 0.5.2+rpt20250903.
            "FrameWallClock" => {
                let stamp = number()?;
                let us = if stamp >= NANOSECONDS_FROM { stamp / 1000 } else { stamp };
                self.current.wall = Some(Wall::from_micros(us));
            }
            "ExposureTime" => self.current.exposure_us = milli(value),
            "AnalogueGain" => self.current.gain = milli(value),
            "ColourGains" => self.current.colours = pair(value),
            "LensPosition" => self.current.focus = milli(value),
            "SensorTimestamp" => self.current.boottime_us = Some(number()? / 1000),
            _ => {}
        }
        Ok(None)
    }
}

impl Record {
    /// When the frame was exposed; `None` when the record has no stamp. `boottime_to_wall_us` is asked only by
    /// cameras older than `FrameWallClock`.
    pub fn time(&self, boottime_to_wall_us: impl FnOnce() -> i64) -> Option<Wall> {
        self.wall.or_else(|| Some(Wall::from_micros(self.boottime_us?.saturating_add(boottime_to_wall_us()))))
    }

    /// What the camera was set to.
    pub fn set(&self) -> Settings {
        let mut set = Settings::default();
        set.set(Key::ExposureUs, self.exposure_us.map(Value::Number));
        set.set(Key::Gain, self.gain.map(Value::Number));
        set.set(Key::Awb, self.colours.map(|(red, blue)| Value::Gains { red, blue }));
        set.set(Key::Focus, self.focus.map(Value::Number));
        set
    }
}

/// What cannot be read is not known: the pictures are good all the same.
fn milli(text: &str) -> Option<Milli> {
    Milli::near(text.trim().parse().ok()?)
}

/// `[ 1.580234, 2.102357 ]`
fn pair(text: &str) -> Option<(Milli, Milli)> {
    let (red, blue) = text.trim().strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
    Some((milli(red)?, milli(blue)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(text: &str) -> Result<Vec<Record>, String> {
        let mut reader = RecordReader::default();
        text.lines().filter_map(|line| reader.line(line).transpose()).collect()
    }

    const OTHERS: &str = "\
SensorBlackLevels=[ 4096, 4096, 4096, 4096 ]
AnalogueGain=1.000000
ColourCorrectionMatrix=[ 1.580234, -0.530147, -0.050087, -0.257331, 1.609482, -0.352151, 0.011 ]
ScalerCrop=(0, 440)/4056x2160
AeState=2
";

    #[test]
    fn stamps_in_either_unit_are_found_among_other_controls() {
        let text = format!(
            "FrameWallClock=1761220930500123\nSensorTimestamp=7919000003000\n{OTHERS}\n\
             {OTHERS}FrameWallClock=1761220930533456789\n\nSensorTimestamp=7919066670999\n{OTHERS}\n"
        );
        let [micros, nanos, sensor] = records(&text).unwrap()[..] else { panic!() };
        assert_eq!(micros.time(|| panic!()), Some(Wall::from_micros(1_761_220_930_500_123)));
        assert_eq!(nanos.time(|| panic!()), Some(Wall::from_micros(1_761_220_930_533_456)));
        assert_eq!(sensor.time(|| 1_761_213_011_500_000), Some(Wall::from_micros(1_761_220_930_566_670)));
        assert_eq!(records(&format!("{OTHERS}\n")).unwrap()[0].time(|| 0), None);
    }

    #[test]
    fn a_record_tells_what_the_camera_is_set_to() {
        let text = format!("ExposureTime=9979\nColourGains=[ 1.580234, 2.102357 ]\nLensPosition=0.25\n{OTHERS}\n");
        let set = records(&text).unwrap()[0].set();
        let expected =
            serde_json::json!({"exposure_us": 9979, "gain": 1, "awb": {"red": 1.58, "blue": 2.102}, "focus": 0.25});
        assert_eq!(serde_json::to_value(&set).unwrap(), expected);
        for odd in ["ColourGains=[ 1.5 ]", "ColourGains=1.5, 2", "LensPosition=far", "ExposureTime=-1"] {
            assert_eq!(records(&format!("{odd}\n\n")).unwrap()[0].set(), Settings::default(), "{odd}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        assert_eq!(records("[\n").unwrap_err(), "`[` is no line of the camera's metadata");
        for bad in ["FrameWallClock=", "FrameWallClock=-1", "SensorTimestamp=soon", "FrameWallClock=1e15"] {
            assert!(records(bad).unwrap_err().contains(bad), "{bad}");
        }
    }

    #[test]
    fn a_record_without_its_empty_line_is_not_complete() {
        assert_eq!(records("FrameWallClock=1761220930500123\n").unwrap(), []);
        assert_eq!(records("\n\n").unwrap(), []);
    }

    proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(lines in proptest::collection::vec("(FrameWallClock|SensorTimestamp)?=?[0-9]{0,25}|\\PC{0,20}", 0..9)) {
            let mut reader = RecordReader::default();
            for line in lines {
                let _ = reader.line(&line);
            }
        }
    }
}
