//! USB cameras, through ffmpeg's `v4l2` input.
//!
//! Of the camera's own forms the one that needs least work is taken: H.264 goes through as it is, JPEGs and raw
//! pictures are decoded and go to the encoder. Stamps are the kernel's, taken when a picture's transfer began or was
//! complete: they lie some milliseconds after the exposure, by an amount that only the driver knows.
//!
//! UNTESTED with a device: the pipelines are tested with real ffmpeg and another input, the list of formats by
//! examples.

mod arguments;
mod capture;
mod formats;
mod index;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use syncslate_shared::child::Program;

use self::formats::Format;
use super::{CameraEnd, CameraSettings, Sink};
use crate::encoder;

/// How long the device may take to say what it has.
const LIST_LIMIT: Duration = Duration::from_secs(5);

/// Runs the camera until it ends. Dropping the future ends its children.
pub async fn run_once(device: &Path, settings: &CameraSettings, sink: &Sink) -> CameraEnd {
    let format = match find_format(device, settings).await {
        Ok(format) => format,
        Err(message) => return CameraEnd::not_found(message),
    };
    let input = arguments::from_device(device, format, settings);
    let model = model(device);
    if format == Format::H264 {
        return capture::coded(input, model, sink).await;
    }
    match capture::decoded(input, model, settings) {
        Ok(camera) => encoder::run_once(camera, settings, sink).await,
        Err(end) => end,
    }
}

async fn find_format(device: &Path, settings: &CameraSettings) -> Result<Format, String> {
    let shown = device.display();
    if !device.exists() {
        return Err(format!("there is no {shown}\n\nhint: `ls /dev/video*` shows the cameras that are plugged in"));
    }
    // ffmpeg writes the list to its standard error and then fails, for it has nothing to do.
    let list = Program::new("sh")
        .args(["-c", "ffmpeg -nostdin -hide_banner -f v4l2 -list_formats all -i \"$0\" 2>&1 || true"])
        .arg(device)
        .output(LIST_LIMIT)
        .await?;
    let list = String::from_utf8_lossy(&list);
    let offers = formats::parse(&list);
    if offers.is_empty() {
        let said = list.lines().last().unwrap_or("nothing");
        return Err(format!("{shown} has no pictures in H.264, MJPEG or YUYV; ffmpeg says: {said}"));
    }
    formats::choose(&offers, settings.width, settings.height).map_err(|e| format!("{shown}: {e}"))
}

/// What the camera calls itself, as the kernel knows it.
fn model(device: &Path) -> Option<String> {
    let device = device.canonicalize().ok()?;
    let name = Path::new("/sys/class/video4linux").join(device.file_name()?).join("name");
    Some(std::fs::read_to_string(name).ok()?.trim().to_owned()).filter(|name| !name.is_empty())
}
