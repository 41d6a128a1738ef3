//! The command line of `rpicam-vid`. Pure but for [`is_pi5`].

use std::time::Duration;

use syncslate_shared::camera::{Key, Settings, Value};

use super::sync;
use crate::camera::CameraSettings;

/// The FIFOs that it writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    /// The stream's, ending in `264`: some of its encoders refuse other names.
    pub(super) stream: String,
    /// The metadata records'.
    pub(super) metadata: String,
}

/// The command line for these settings.
pub(super) fn arguments(settings: &CameraSettings, paths: &Paths, pi5: bool, steered: bool) -> Vec<String> {
    let gop = Duration::from_millis(settings.gop_ms);
    // At least 1: 0 would stand for the encoder's own choice.
    let intra = if steered { sync::intra(settings.grid(), gop) } else { settings.grid().frames_in(gop).max(1) };
    let mut args: Vec<String> = ["-n", "-t", "0"].map(str::to_owned).into();
    let options = [
        ("--width", settings.width.to_string()),
        ("--height", settings.height.to_string()),
        ("--framerate", settings.fps.to_string()),
        ("--bitrate", settings.bitrate.0.to_string()),
        ("--codec", "h264".to_owned()),
        ("--intra", intra.to_string()),
        ("--metadata", paths.metadata.clone()),
        ("--metadata-format", "txt".to_owned()),
    ];
    args.extend(options.into_iter().flat_map(|(key, value)| [key.to_owned(), value]));
    args.extend(controls(&settings.controls));
    args.extend(["--inline", "--flush"].map(str::to_owned));
    if pi5 {
        // A Pi 5 encodes in software and would reorder pictures against their metadata. Where the hardware encodes
        // the option changes nothing, and older versions do not know it.
        args.push("--low-latency".to_owned());
    }
    if steered {
        args.extend(["--sync", "client"].map(str::to_owned));
    }
    // The name is a printf format there.
    args.extend(["-o".to_owned(), paths.stream.replace('%', "%%")]);
    args
}

/// What is fixed; all else is automatic without an option.
fn controls(wished: &Settings) -> Vec<String> {
    let option = |(key, value): (&Key, &Value)| {
        let words: Vec<(&str, String)> = match (key, value) {
            // Without a unit these are microseconds, also for programs that know no units yet.
            (Key::ExposureUs, Value::Number(us)) => vec![("--shutter", us.to_string())],
            (Key::Gain, Value::Number(gain)) => vec![("--gain", gain.to_string())],
            (Key::Awb, Value::Gains { red, blue }) => vec![("--awbgains", format!("{red},{blue}"))],
            (Key::Awb, Value::Light(light)) => vec![("--awb", light.as_str().to_owned())],
            (Key::Focus, Value::Number(dioptres)) => {
                vec![("--autofocus-mode", "manual".to_owned()), ("--lens-position", dioptres.to_string())]
            }
            _ => Vec::new(),
        };
        words.into_iter().flat_map(|(key, value)| [key.to_owned(), value])
    };
    wished.0.iter().flat_map(option).collect()
}

/// Whether this machine is one of the Pi 5 family, which has no H.264 encoder.
pub(super) fn is_pi5() -> bool {
    std::fs::read("/proc/device-tree/model").is_ok_and(|model| names_pi5(&String::from_utf8_lossy(&model)))
}

fn names_pi5(model: &str) -> bool {
    ["Raspberry Pi 5", "Raspberry Pi Compute Module 5", "Raspberry Pi 500"].iter().any(|name| model.starts_with(name))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use syncslate_shared::settings::Bitrate;

    use super::*;
    use crate::camera::{EncoderChoice, Kind};

    fn line(width: u32, fps: f64, gop_ms: u64, pi5: bool) -> String {
        steered_line(width, fps, gop_ms, pi5, false)
    }

    fn steered_line(width: u32, fps: f64, gop_ms: u64, pi5: bool, steered: bool) -> String {
        let settings = CameraSettings {
            kind: Kind::Rpicam,
            name: "left".into(),
            ip: Ipv4Addr::LOCALHOST,
            width,
            height: 1080,
            fps,
            bitrate: Bitrate(8_000_000),
            gop_ms,
            encoder: EncoderChoice::Auto,
            controls: Default::default(),
            sync: true,
        };
        let paths = Paths { stream: "/run/50%/cam.h264".into(), metadata: "/run/50%/metadata.txt".into() };
        arguments(&settings, &paths, pi5, steered).join(" ")
    }

    #[test]
    fn the_command_line_asks_for_what_pairing_needs() {
        assert_eq!(
            line(1920, 30.0, 500, false),
            "-n -t 0 --width 1920 --height 1080 --framerate 30 --bitrate 8000000 --codec h264 --intra 15 \
             --metadata /run/50%/metadata.txt --metadata-format txt --inline --flush -o /run/50%%/cam.h264"
        );
        let pi5 = line(1280, 29.97, 1000, true);
        assert!(pi5.contains("--framerate 29.97 ") && pi5.contains("--intra 30 "), "{pi5}");
        assert!(pi5.contains(" --low-latency -o "), "{pi5}");
        assert!(line(640, 0.5, 500, false).contains("--intra 1 "));
        let steered = steered_line(1280, 25.0, 500, false, true);
        assert!(steered.contains("--intra 25 ") && steered.contains(" --sync client -o "), "{steered}");
    }

    #[test]
    fn what_is_fixed_has_an_option_of_its_own() {
        let line = |json: serde_json::Value| controls(&serde_json::from_value(json).unwrap()).join(" ");
        assert_eq!(line(serde_json::json!({})), "");
        assert_eq!(
            line(
                serde_json::json!({"exposure_us": 10_000, "gain": 2.5, "awb": {"red": 1.5, "blue": 2}, "focus": 0.25})
            ),
            "--shutter 10000 --gain 2.5 --awbgains 1.5,2 --autofocus-mode manual --lens-position 0.25"
        );
        assert_eq!(line(serde_json::json!({"awb": "daylight"})), "--awb daylight");
    }

    #[test]
    fn pi_5s_are_known_by_their_model() {
        for (model, is) in [
            ("Raspberry Pi 5 Model B Rev 1.0\0", true),
            ("Raspberry Pi Compute Module 5 Rev 1.0\0", true),
            ("Raspberry Pi 500 Rev 1.0\0", true),
            ("Raspberry Pi 4 Model B Rev 1.5\0", false),
            ("Raspberry Pi 3 Model B Plus Rev 1.3\0", false),
        ] {
            assert_eq!(names_pi5(model), is, "{model}");
        }
    }
}
