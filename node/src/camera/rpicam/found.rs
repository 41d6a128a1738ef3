//! What `rpicam-vid --list-cameras --verbose` says about camera 0: its sensor, and what it has to set. Pure.
//!
//! Only newer versions list the controls (rpicam-apps 1.8); without the list the ranges are those that libcamera names
//! for the Raspberry Pi before it knows the sensor, and whether there is a lens to move shows in the first metadata.

use syncslate_shared::camera::{Can, Key, Milli, Range};

/// A camera that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The sensor, `imx477`.
    pub(super) model: String,
    /// What it has to set.
    pub(super) can: Can,
}

/// The least and the most.
type Whole = (u64, u64);

/// libcamera's names of what can be set, and its range before it knows the sensor.
const CONTROLS: [(&str, Key, Option<Whole>); 4] = [
    ("ExposureTime", Key::ExposureUs, Some((1, 1_000_000))),
    ("AnalogueGain", Key::Gain, Some((1, 16))),
    ("ColourGains", Key::Awb, Some((0, 32))),
    ("LensPosition", Key::Focus, None),
];

/// Camera 0 in the list: `0 : imx477 [4056x3040 12-bit RGGB] (/base/…)`, its modes, then a line for each control,
/// `ExposureTime : [114..674191602]`.
pub(super) fn first(list: &str) -> Option<Found> {
    let mut lines = list.lines().skip_while(|line| !line.trim_start().starts_with("0 : "));
    let head = lines.next()?.trim_start().strip_prefix("0 : ")?;
    let model = head.split_whitespace().next()?.to_owned();
    let own: Vec<&str> = lines.take_while(|line| !line.starts_with(|c: char| c.is_ascii_digit())).collect();
    let listed = own.iter().any(|line| line.trim_start().starts_with("Available controls"));
    let mut can = Can::widest(&[Key::Width, Key::Height, Key::Fps, Key::Bitrate]);
    let sensor = head.split_once('[').and_then(|(_, rest)| rest.split_whitespace().next()?.split_once('x'));
    if let Some((width, height)) = sensor {
        for (key, size) in [(Key::Width, width), (Key::Height, height)] {
            let Ok(most) = size.parse::<u64>() else { continue };
            can.0.insert(key, Range { to: key.range().to.min(Milli::whole(most / 2 * 2)), ..key.range() });
        }
    }
    for (name, key, usual) in CONTROLS {
        let range = if listed { own.iter().find_map(|line| range(line, name)) } else { usual.map(whole) };
        can.0.extend(range.map(|range| (key, narrower(key, range))));
    }
    Some(Found { model, can })
}

fn whole((from, to): (u64, u64)) -> Range {
    Range { from: Milli::whole(from), to: Milli::whole(to) }
}

fn narrower(key: Key, range: Range) -> Range {
    let widest = key.range();
    Range { from: widest.from.max(range.from), to: widest.to.min(range.to) }
}

fn range(line: &str, name: &str) -> Option<Range> {
    let (word, rest) = line.trim().split_once(" : ")?;
    let (from, to) = rest.split_once('[')?.1.split_once(']')?.0.split_once("..")?;
    let number = |text: &str| Milli::near(text.trim().parse::<f64>().ok()?.max(0.0));
    // An exposure of 0 stands for automatic there.
    (word == name).then_some(Range { from: number(from)?, to: number(to)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const MODES: &str = "\
Available cameras
-----------------
0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]
";
    const CONTROLS: &str = "
    Available controls for 4608x2592 SRGGB10_CSI2P mode:
    ----------------------------------------------------
    AeEnable : [false..true]
    AnalogueGain : [1.122807..16.000000]
    ColourGains : [0.000000..32.000000]
    ExposureTime : [26..220417486]
    LensPosition : [0.000000..15.000000]

";
    const SECOND: &str = "\
1 : imx219 [3280x2464 10-bit RGGB] (/base/soc/i2c0mux/i2c@0/imx219@10)
    LensPosition : [0.000000..32.000000]
";

    fn can(list: &str) -> serde_json::Value {
        serde_json::to_value(first(list).unwrap().can).unwrap()
    }

    #[test]
    fn the_camera_tells_what_it_has_to_set() {
        let list = [MODES, CONTROLS, SECOND].concat();
        assert_eq!(first(&list).unwrap().model, "imx708");
        let found = can(&list);
        assert_eq!(found["width"], json!({"from": 16, "to": 4608}));
        assert_eq!(found["exposure_us"], json!({"from": 26, "to": 1_000_000}));
        assert_eq!(found["gain"], json!({"from": 1.123, "to": 16}));
        assert_eq!(found["awb"], json!({"from": 0.001, "to": 32}));
        assert_eq!(found["focus"], json!({"from": 0, "to": 15}));
        let grey = list.replace("    ColourGains : [0.000000..32.000000]\n", "");
        assert_eq!(can(&grey).get("awb"), None, "a camera without colours");
    }

    #[test]
    fn an_older_program_tells_its_sensor_alone() {
        let found = can(&[MODES, SECOND].concat());
        assert_eq!((&found["gain"]["to"], found.get("focus")), (&json!(16), None));
        assert_eq!(first("No cameras available!\n"), None);
    }

    proptest! {
        #[test]
        fn no_list_makes_the_reader_panic(lines in proptest::collection::vec("(0 : |1 : |LensPosition : |Available controls)?\\[?\\PC{0,20}", 0..9)) {
            let _ = first(&lines.join("\n"));
        }
    }
}
