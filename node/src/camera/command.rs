//! A program of the user's own as camera: `command:PROGRAM ARGS…` writes IVF to its standard output, FourCC `I420`,
//! time base 1/1000000, each frame's pts the wall clock of its exposure in microseconds.

use syncslate_shared::child::Program;

use super::raw::{self, RawCamera};
use super::{CameraEnd, CameraSettings};

/// Starts the program `argv`. What is asked of the camera stands in its environment: `SYNCSLATE_WIDTH`,
/// `SYNCSLATE_HEIGHT`, `SYNCSLATE_FPS`, `SYNCSLATE_NAME`, `SYNCSLATE_IP`.
///
/// # Errors
/// It could not be started.
pub fn start(settings: &CameraSettings, argv: &[String]) -> Result<RawCamera, CameraEnd> {
    let (name, args) =
        argv.split_first().ok_or_else(|| CameraEnd::not_found("a camera `command:` needs a program".to_owned()))?;
    let program = Program::new(name)
        .args(args)
        .env("SYNCSLATE_WIDTH", settings.width.to_string())
        .env("SYNCSLATE_HEIGHT", settings.height.to_string())
        .env("SYNCSLATE_FPS", settings.fps.to_string())
        .env("SYNCSLATE_NAME", &settings.name)
        .env("SYNCSLATE_IP", settings.ip.to_string());
    raw::start(program, None)
}
