//! The node's command line and settings file; flags win over the file, the file over the defaults.

use std::net::{Ipv4Addr, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use serde::Deserialize;
use syncslate_shared::access::{Access, Keys};
use syncslate_shared::protocol::GOP_MS;
use syncslate_shared::report::Failure;
use syncslate_shared::settings::{Bitrate, BrokerAddress};
use syncslate_shared::size::Size;

use crate::camera::test::{Options, TestCameraArgs};
use crate::camera::{CameraSettings, EncoderChoice, Kind};
use crate::decode::ReadPicturesArgs;
use crate::power::PowerCommands;
use crate::session::Arm;

/// Records what the take says: the program of a camera computer.
#[derive(Debug, Parser)]
#[command(name = "syncslate-node", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What else this program can do; nothing to run the node.
    #[command(subcommand)]
    pub tool: Option<Tool>,
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The broker, which is the Control Pi; mqtts://HOST:PORT for TLS [default: 127.0.0.1:1883]
    #[arg(long, value_name = "HOST:PORT")]
    pub broker: Option<BrokerAddress>,
    /// The address this node is known by [default: the one its connection to the broker comes from]
    #[arg(long)]
    pub ip: Option<Ipv4Addr>,
    /// A name for people [default: the address]
    #[arg(long)]
    pub name: Option<String>,
    /// Where footage is kept [default: ./videos]
    #[arg(long, value_name = "DIR")]
    pub videos: Option<PathBuf>,
    /// rpicam, v4l2:/dev/video0, test, or command:PROGRAM ARGS… [default: rpicam]
    #[arg(long, value_name = "KIND")]
    pub camera: Option<Kind>,
    /// Picture width in pixels [default: 1280]
    #[arg(long, value_name = "N")]
    pub width: Option<u32>,
    /// Picture height in pixels [default: 720]
    #[arg(long, value_name = "N")]
    pub height: Option<u32>,
    /// Frames a second [default: 30]
    #[arg(long, value_name = "N")]
    pub fps: Option<f64>,
    /// Bits a second, with k or M [default: 8M]
    #[arg(long, value_name = "BITS_PER_SECOND")]
    pub bitrate: Option<Bitrate>,
}

/// The program's side jobs.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Write the simulated camera's pictures to the standard output, as IVF
    TestCamera(TestCameraArgs),
    /// Read the clocks out of footage of the simulated camera, as CSV
    ReadPictures(ReadPicturesArgs),
}

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    ip: Option<Ipv4Addr>,
    name: Option<String>,
    videos: Option<PathBuf>,
    mqtt: MqttFile,
    camera: CameraFile,
    capture: CaptureFile,
    power: PowerFile,
    led: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MqttFile {
    broker: Option<BrokerAddress>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    prefix: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CameraFile {
    kind: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<f64>,
    bitrate: Option<Bitrate>,
    encoder: Option<EncoderWord>,
    sync: Option<SyncWord>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CaptureFile {
    arm: Option<ArmWord>,
    ring_s: Option<f64>,
    pre_roll_s: Option<f64>,
    reserve: Option<Size>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PowerFile {
    shutdown: Option<Vec<String>>,
    reboot: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ArmWord {
    Always,
    OnStart,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EncoderWord {
    Auto,
    Libx264,
    H264V4l2m2m,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SyncWord {
    Auto,
    Off,
}

/// Everything the node runs by.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The broker.
    pub broker: BrokerAddress,
    /// How it lets this node in.
    pub access: Access,
    /// Put before all topics.
    pub prefix: String,
    /// The address to be known by; `None` for the one the connection comes from.
    pub ip: Option<Ipv4Addr>,
    /// The name for people; `None` for the address.
    pub name: Option<String>,
    /// Where footage is kept.
    pub videos: PathBuf,
    /// The camera, but for the name and address in it.
    pub camera: CameraSettings,
    /// When the camera runs.
    pub arm: Arm,
    /// How far the pre-roll reaches back.
    pub ring: Duration,
    /// Footage kept from before T0.
    pub pre_roll: Duration,
    /// What stays free on the disk of the videos.
    pub reserve: Size,
    /// What turns the computer off, and off and on again.
    pub power: PowerCommands,
    /// The LED's folder below `/sys/class/leds`; `None` for the Pi's own.
    pub led: Option<PathBuf>,
}

impl Settings {
    /// Reads the settings file, if one is named, and puts the flags over it.
    ///
    /// # Errors
    /// Exit code 2: a value that cannot be, by its name.
    pub fn new(cli: &Cli) -> Result<Self, Failure> {
        let file: SettingsFile = match &cli.config {
            Some(path) => syncslate_shared::settings::read(path)?,
            None => SettingsFile::default(),
        };
        let kind = match (&cli.camera, &file.camera.kind) {
            (Some(kind), _) => kind.clone(),
            (None, Some(text)) => text.parse().map_err(|e| Failure::usage(format!("camera.kind: {e}")))?,
            (None, None) => Kind::Rpicam,
        };
        if let Kind::Test(options) = &kind {
            options
                .parse::<Options>()
                .map_err(|e| Failure::usage(format!("the options of the test camera are wrong: {e}")))?;
        }
        let camera = CameraSettings {
            kind,
            name: String::new(),
            ip: Ipv4Addr::UNSPECIFIED,
            width: size("width", cli.width.or(file.camera.width).unwrap_or(1280))?,
            height: size("height", cli.height.or(file.camera.height).unwrap_or(720))?,
            fps: range("fps", cli.fps.or(file.camera.fps).unwrap_or(30.0), 1.0, 240.0)?,
            bitrate: cli.bitrate.or(file.camera.bitrate).unwrap_or(Bitrate(8_000_000)),
            gop_ms: GOP_MS,
            encoder: match file.camera.encoder.unwrap_or(EncoderWord::Auto) {
                EncoderWord::Auto => EncoderChoice::Auto,
                EncoderWord::Libx264 => EncoderChoice::Libx264,
                EncoderWord::H264V4l2m2m => EncoderChoice::V4l2m2m,
            },
            controls: syncslate_shared::camera::Settings::default(),
            sync: file.camera.sync != Some(SyncWord::Off),
        };
        let ring = range("capture.ring_s", file.capture.ring_s.unwrap_or(4.0), 1.0, 60.0)?;
        let MqttFile { broker, user, password_file, ca, prefix } = file.mqtt;
        let broker = cli.broker.clone().or(broker).unwrap_or_else(|| BrokerAddress::plain("127.0.0.1", 1883));
        Ok(Self {
            access: Access::read(&broker, Keys { user, password_file, ca })?,
            broker,
            prefix: prefix.unwrap_or_default(),
            ip: cli.ip.or(file.ip),
            name: cli.name.clone().or(file.name),
            videos: cli.videos.clone().or(file.videos).unwrap_or_else(|| "videos".into()),
            camera,
            arm: match file.capture.arm.unwrap_or(ArmWord::Always) {
                ArmWord::Always => Arm::Always,
                ArmWord::OnStart => Arm::OnStart,
            },
            ring: Duration::from_secs_f64(ring),
            pre_roll: Duration::from_secs_f64(range(
                "capture.pre_roll_s",
                file.capture.pre_roll_s.unwrap_or(0.0),
                0.0,
                ring - 0.5,
            )?),
            reserve: file.capture.reserve.unwrap_or(Size(100_000_000)),
            power: PowerCommands {
                shutdown: command("power.shutdown", file.power.shutdown, "poweroff")?,
                reboot: command("power.reboot", file.power.reboot, "reboot")?,
            },
            led: file.led,
        })
    }
}

/// A program and its arguments; what systemd is asked for unless the settings say otherwise.
fn command(name: &str, words: Option<Vec<String>>, verb: &str) -> Result<Vec<String>, Failure> {
    match words {
        Some(words) if words.is_empty() => Err(Failure::usage(format!("{name}: it names no program"))),
        words => Ok(words.unwrap_or_else(|| vec!["systemctl".into(), verb.into()])),
    }
}

fn size(name: &str, pixels: u32) -> Result<u32, Failure> {
    if (16..=8192).contains(&pixels) && pixels.is_multiple_of(2) {
        Ok(pixels)
    } else {
        Err(Failure::usage(format!("{name}: {pixels} is no even number of pixels between 16 and 8192")))
    }
}

fn range(name: &str, value: f64, from: f64, to: f64) -> Result<f64, Failure> {
    if (from..=to).contains(&value) {
        Ok(value)
    } else {
        Err(Failure::usage(format!("{name}: {value} does not lie between {from} and {to}")))
    }
}

/// The address that a connection to the broker comes from; nothing is sent to find it.
///
/// # Errors
/// No way leads to the broker yet, or its name is not known.
pub fn own_address(broker: &BrokerAddress) -> Result<Ipv4Addr, String> {
    let mut targets = (broker.host.as_str(), broker.port).to_socket_addrs().map_err(|e| e.to_string())?;
    let target = targets.find(std::net::SocketAddr::is_ipv4).ok_or("it has no IPv4 address")?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|e| e.to_string())?;
    socket.connect(target).map_err(|e| e.to_string())?;
    match socket.local_addr().map_err(|e| e.to_string())?.ip() {
        std::net::IpAddr::V4(ip) => Ok(ip),
        std::net::IpAddr::V6(ip) => Err(format!("{ip} is no IPv4 address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: &[&str], file: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        std::fs::write(&path, file).unwrap();
        let mut argv = vec!["syncslate-node", "--config", path.to_str().unwrap()];
        argv.extend(args);
        let cli = Cli::try_parse_from(argv).map_err(|e| e.to_string())?;
        Settings::new(&cli).map_err(|e| e.to_string())
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let file = "name = 'left'\n[camera]\nkind = 'v4l2:/dev/video2'\nfps = 25\nbitrate = '4M'\n[capture]\narm = 'on_start'\n";
        let s = settings(&["--fps", "50"], file).unwrap();
        assert_eq!((s.camera.fps, s.camera.bitrate, s.name.as_deref()), (50.0, Bitrate(4_000_000), Some("left")));
        assert_eq!((s.camera.kind, s.arm), (Kind::V4l2("/dev/video2".into()), Arm::OnStart));
    }

    #[test]
    fn bad_settings_are_refused_by_name() {
        let table: [(&[&str], &str, &str); 12] = [
            (&[], "colour = 'red'", "unknown field `colour`"),
            (&[], "[camera]\nkind = 'webcam'", "camera.kind: `webcam` is no camera"),
            (&["--camera", "webcam"], "", "`webcam` is no camera"),
            (&["--camera", "command:"], "", "needs a program"),
            (&["--width", "641"], "", "width: 641 is no even number of pixels"),
            (&["--fps", "0"], "", "fps: 0 does not lie between 1 and 240"),
            (&["--bitrate", "fast"], "", "`fast` is no bit rate"),
            (&[], "[capture]\nring_s = 2\npre_roll_s = 3", "capture.pre_roll_s: 3 does not lie between 0 and 1.5"),
            (&[], "[capture]\nreserve = '1.5G'", "`1.5G` is no number of bytes"),
            (&[], "[camera]\nsync = 'on'", "unknown variant `on`, expected `auto` or `off`"),
            (&[], "[power]\nreboot = []", "power.reboot: it names no program"),
            (&["--ip", "cam1"], "", "invalid value 'cam1' for '--ip <IP>'"),
        ];
        for (args, file, reason) in table {
            let error = settings(args, file).unwrap_err();
            assert!(error.contains(reason), "{args:?} {file:?}: {error}");
        }
    }

    const EXAMPLE: &str = include_str!("../../guide/settings/node.toml");

    #[test]
    fn the_shipped_example_is_the_defaults() {
        assert_eq!(settings(&[], EXAMPLE), settings(&[], ""));
    }

    #[test]
    fn the_package_keeps_footage_where_its_unit_may_write() {
        let unit = include_str!("../../systemd/syncslate-node.service");
        let settings = settings(&[], include_str!("../../packaging/node/node.toml")).unwrap();
        assert!(unit.contains(&format!("\nReadWritePaths={}\n", settings.videos.display())));
    }

    #[test]
    fn the_shipped_example_shows_every_key() {
        let (top, sections) = EXAMPLE.split_once("\n[").unwrap();
        let sections = sections.split("\n[").map(|text| text.split_once(']').unwrap());
        for (section, text) in [("", top)].into_iter().chain(sections) {
            for key in keys(section) {
                let shown = text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = ")));
                assert!(shown || EXAMPLE.contains(&format!("[{key}]")), "[{section}] lacks `{key}`");
            }
        }
    }

    /// The keys of a section, as the refusal of one that it does not have names them.
    fn keys(section: &str) -> Vec<String> {
        let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let refusal = settings(&[], &format!("{header}no_such_key = 1")).unwrap_err();
        let known = refusal.split("expected").nth(1).unwrap().split('\n').next().unwrap();
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_own_address_is_the_one_that_leads_to_the_broker() {
        let broker = "127.0.0.1:1883".parse().unwrap();
        assert_eq!(own_address(&broker), Ok(Ipv4Addr::LOCALHOST));
    }
}
