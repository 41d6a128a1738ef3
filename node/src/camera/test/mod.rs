//! The simulated camera: a program of the node's own binary that behaves as a free-running camera with hardware
//! stamps, and whose pictures tell when they were taken.
//!
//! [`start`] starts it as a child, as any other `command:` camera, so that nothing in the node knows that it is
//! simulated; [`run`] is the program itself.

mod options;
mod sensor;

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;

use syncslate_shared::camera::{Key, Settings, Value};
use syncslate_shared::child::Program;
use syncslate_shared::report::Failure;
use syncslate_shared::time::SystemClocks;

pub use self::options::Options;
pub use self::sensor::{SensorClocks, run};
use super::raw::{self, RawCamera};
use super::{CameraEnd, CameraSettings};

/// The hidden subcommand of the node that this program is.
pub const SUBCOMMAND: &str = "test-camera";

/// The program's command line.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct TestCameraArgs {
    /// The node's address, written into the machine-readable blocks
    #[arg(long)]
    pub ip: Ipv4Addr,
    /// The node's name, drawn into the pictures
    #[arg(long)]
    pub name: String,
    /// Picture width in pixels, even
    #[arg(long)]
    pub width: u32,
    /// Picture height in pixels, even
    #[arg(long)]
    pub height: u32,
    /// Frames a second
    #[arg(long)]
    pub fps: f64,
    /// How bright the pictures' colour bars are, 1 for as ever: exposure and gain of a real camera
    #[arg(long, default_value_t = 1.0)]
    pub light: f64,
    /// How the camera behaves, such as phase_ms=11,ppm=-80,latency_ms=20,start_ms=300
    #[arg(long, default_value = "")]
    pub options: Options,
}

impl TestCameraArgs {
    /// The words of the command line, the subcommand first, that make the program a camera with these settings.
    pub fn argv(settings: &CameraSettings, options: &str) -> Vec<String> {
        vec![
            SUBCOMMAND.to_owned(),
            format!("--ip={}", settings.ip),
            // With `=`, so that a name may begin with a dash.
            format!("--name={}", settings.name),
            format!("--width={}", settings.width),
            format!("--height={}", settings.height),
            format!("--fps={}", settings.fps),
            format!("--light={}", light(settings)),
            format!("--options={options}"),
        ]
    }
}

/// What its automatic exposure comes to in the light that there is, in microseconds.
const EXPOSURE_US: f64 = 10_000.0;

/// What a simulated camera with these settings has of exposure and gain: its automatic ones never change.
pub fn simulated(settings: &CameraSettings) -> Settings {
    let mut has = settings.controls.clone();
    let automatic = [(Key::ExposureUs, EXPOSURE_US.min((1e6 / settings.fps).floor())), (Key::Gain, 1.0)];
    for (key, value) in automatic {
        has.set(key, has.get(key).or(Value::number(value)));
    }
    has
}

/// How much more light than automatic these settings let in.
fn light(settings: &CameraSettings) -> f64 {
    let of = |key, automatic: f64| settings.controls.number(key).unwrap_or(automatic);
    of(Key::ExposureUs, EXPOSURE_US) / EXPOSURE_US * of(Key::Gain, 1.0)
}

/// The program: writes to the standard output in real time until nobody reads it any more.
///
/// # Errors
/// The picture size is impossible, or writing failed.
pub fn main(args: &TestCameraArgs) -> Result<(), Failure> {
    // Past the buffer of `std::io::Stdout`, which waits for line ends that pictures do not have.
    let out = std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| Failure::new(format!("the test camera has no standard output: {e}")))?;
    run(args, File::from(out), &SystemClocks)
}

/// Starts the simulated camera as a child of its own.
///
/// # Errors
/// The options are wrong, or the program could not be started.
pub fn start(settings: &CameraSettings, options: &str) -> Result<RawCamera, CameraEnd> {
    options.parse::<Options>().map_err(CameraEnd::not_found)?;
    let program = std::env::current_exe().map_err(|e| {
        CameraEnd::not_found(format!("cannot find the node's own program, which the test camera is: {e}"))
    })?;
    raw::start(Program::new(program).args(TestCameraArgs::argv(settings, options)), Some("simulated".to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use syncslate_shared::settings::Bitrate;

    use super::*;
    use crate::camera::{EncoderChoice, Kind};

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: TestCameraArgs,
    }

    #[test]
    fn the_node_and_its_test_camera_agree_on_the_command_line() {
        let settings = CameraSettings {
            kind: Kind::Test("ppm=-80".into()),
            name: "-stage left-".into(),
            ip: Ipv4Addr::new(127, 0, 1, 101),
            width: 1280,
            height: 720,
            fps: 29.97,
            bitrate: Bitrate(8_000_000),
            gop_ms: 500,
            encoder: EncoderChoice::Auto,
            controls: Default::default(),
            sync: true,
        };
        let args = Cli::try_parse_from(TestCameraArgs::argv(&settings, "ppm=-80")).map_err(|e| e.to_string());
        let args = args.unwrap().args;
        assert_eq!((args.name.as_str(), args.width, args.height, args.fps), ("-stage left-", 1280, 720, 29.97));
        assert_eq!(args.light, 1.0);
        assert_eq!(args.options, "ppm=-80".parse().unwrap());
        assert_eq!(args.ip, settings.ip);
    }

    #[test]
    fn exposure_and_gain_make_light() {
        let mut settings = CameraSettings {
            kind: Kind::Test(String::new()),
            name: String::new(),
            ip: Ipv4Addr::LOCALHOST,
            width: 640,
            height: 360,
            fps: 30.0,
            bitrate: Bitrate(1_000_000),
            gop_ms: 500,
            encoder: EncoderChoice::Auto,
            controls: Settings::default(),
            sync: true,
        };
        assert_eq!((light(&settings), simulated(&settings).number(Key::ExposureUs)), (1.0, Some(10_000.0)));
        settings.controls.set(Key::ExposureUs, Value::number(5_000.0));
        settings.controls.set(Key::Gain, Value::number(3.0));
        assert_eq!(light(&settings), 1.5);
        assert_eq!(simulated(&settings), settings.controls);
    }
}
