//! The command lines of the ffmpeg that takes pictures from a USB camera. Pure.

use std::path::Path;

use super::formats::Format;
use crate::camera::CameraSettings;

/// The FIFOs that it writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    /// The pictures'.
    pub(super) pictures: String,
    /// Their stamps' and sizes'.
    pub(super) index: String,
}

/// Reads from the device.
///
/// `-ts default` leaves the kernel's stamps as they are: ffmpeg's own conversion (`abs`, `mono2abs`) samples the
/// clocks once and lags after a step.
pub(super) fn from_device(device: &Path, format: Format, settings: &CameraSettings) -> Vec<String> {
    let (num, den) = settings.fps_ratio();
    let mut args: Vec<String> = ["-f", "v4l2", "-ts", "default"].map(str::to_owned).into();
    let options = [
        ("-input_format", format.word().to_owned()),
        ("-video_size", format!("{}x{}", settings.width, settings.height)),
        ("-framerate", format!("{num}/{den}")),
        ("-i", device.display().to_string()),
    ];
    args.extend(options.into_iter().flat_map(|(key, value)| [key.to_owned(), value]));
    args
}

/// Copies what the camera encoded.
pub(super) fn coded(input: Vec<String>, paths: &Paths) -> Vec<String> {
    assemble(input, &["-c", "copy", "-copytb", "1"], "h264", paths)
}

/// Decodes to I420.
pub(super) fn decoded(input: Vec<String>, paths: &Paths) -> Vec<String> {
    let codec = "-fps_mode passthrough -enc_time_base 1:1000000 -c:v rawvideo -pix_fmt yuv420p";
    assemble(input, &codec.split(' ').collect::<Vec<_>>(), "rawvideo", paths)
}

fn assemble(input: Vec<String>, codec: &[&str], muxer: &str, paths: &Paths) -> Vec<String> {
    let Paths { pictures, index } = paths;
    // `onfail` written out: without it ffmpeg goes on when one output fails, and ends with 0.
    let tee = format!("[f={muxer}:onfail=abort]{pictures}|[f=framecrc:onfail=abort]{index}");
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    [
        owned(&["-nostdin", "-hide_banner", "-loglevel", "warning"]),
        input,
        owned(&["-map", "0:v", "-copyts"]),
        owned(codec),
        owned(&["-f", "tee", &tee, "-y"]),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use syncslate_shared::settings::Bitrate;

    use super::*;
    use crate::camera::{EncoderChoice, Kind};

    fn input(format: Format) -> Vec<String> {
        let settings = CameraSettings {
            kind: Kind::V4l2("/dev/video2".into()),
            name: "left".into(),
            ip: Ipv4Addr::LOCALHOST,
            width: 1280,
            height: 720,
            fps: 29.97,
            bitrate: Bitrate(8_000_000),
            gop_ms: 500,
            encoder: EncoderChoice::Auto,
            controls: Default::default(),
            sync: true,
        };
        from_device(Path::new("/dev/video2"), format, &settings)
    }

    #[test]
    fn stamps_go_through_unchanged() {
        let paths = Paths { pictures: "/run/a/pictures".into(), index: "/run/a/index".into() };
        assert_eq!(
            coded(input(Format::H264), &paths).join(" "),
            "-nostdin -hide_banner -loglevel warning -f v4l2 -ts default -input_format h264 -video_size 1280x720 \
             -framerate 30000/1001 -i /dev/video2 -map 0:v -copyts -c copy -copytb 1 \
             -f tee [f=h264:onfail=abort]/run/a/pictures|[f=framecrc:onfail=abort]/run/a/index -y"
        );
        assert_eq!(
            decoded(input(Format::Mjpeg), &paths).join(" "),
            "-nostdin -hide_banner -loglevel warning -f v4l2 -ts default -input_format mjpeg -video_size 1280x720 \
             -framerate 30000/1001 -i /dev/video2 -map 0:v -copyts -fps_mode passthrough -enc_time_base 1:1000000 \
             -c:v rawvideo -pix_fmt yuv420p \
             -f tee [f=rawvideo:onfail=abort]/run/a/pictures|[f=framecrc:onfail=abort]/run/a/index -y"
        );
    }
}
