//! Which pictures a USB camera has, as `ffmpeg -f v4l2 -list_formats all` tells it, and which of them are taken. Pure.

use std::fmt;

/// A form that pictures come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Encoded by the camera: nothing is left to do.
    H264,
    /// Each picture a JPEG: fits through USB 2 at full size, is decoded and encoded again.
    Mjpeg,
    /// Uncompressed, 16 bits a pixel: only small or slow pictures fit through USB 2.
    Yuyv,
}

/// In the order in which they are preferred.
const FORMATS: [Format; 3] = [Format::H264, Format::Mjpeg, Format::Yuyv];

/// A form that a camera has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    format: Format,
    sizes: Vec<Sizes>,
}

/// One size, or all from the first to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    from: (u32, u32),
    to: (u32, u32),
}

impl Format {
    /// ffmpeg's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Mjpeg => "mjpeg",
            Self::Yuyv => "yuyv422",
        }
    }
}

/// Reads the list; forms that are not known are passed over.
pub(super) fn parse(list: &str) -> Vec<Offer> {
    list.lines().filter_map(offer).collect()
}

/// The most preferred form that has pictures of this size.
pub(super) fn choose(offers: &[Offer], width: u32, height: u32) -> Result<Format, String> {
    let fits = |offer: &&Offer| offer.sizes.iter().any(|sizes| sizes.contain(width, height));
    let has = |format: &Format| offers.iter().filter(fits).any(|offer| offer.format == *format);
    FORMATS.into_iter().find(has).ok_or_else(|| {
        let all: Vec<String> = offers.iter().map(Offer::to_string).collect();
        format!("the camera has no {width}x{height} pictures; it has {}", all.join("; "))
    })
}

/// A line such as `[video4linux2,v4l2 @ 0x1] Compressed:       mjpeg :          Motion-JPEG : 1280x720 640x480`.
fn offer(line: &str) -> Option<Offer> {
    let (_, rest) = line.split_once("Compressed:").or_else(|| line.split_once("Raw       :"))?;
    let (word, rest) = rest.split_once(':')?;
    let format = FORMATS.into_iter().find(|format| format.word() == word.trim())?;
    // The description between the colons is the driver's and may have colons itself: sizes stand behind the last.
    let (_, sizes) = rest.rsplit_once(':')?;
    Some(Offer { format, sizes: parse_sizes(sizes) })
}

/// `1280x720 640x480` or `{32-2592, 2}x{32-1944, 2}`.
fn parse_sizes(text: &str) -> Vec<Sizes> {
    if let Some((width, height)) = text.trim().split_once("}x{") {
        let range = |text: &str| -> Option<(u32, u32)> {
            let (from, to) = text.trim_matches(['{', '}']).split_once(',')?.0.split_once('-')?;
            Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
        };
        let sizes = range(width).zip(range(height));
        return sizes.map(|(w, h)| Sizes { from: (w.0, h.0), to: (w.1, h.1) }).into_iter().collect();
    }
    let size = |word: &str| {
        let (width, height) = word.split_once('x')?;
        let size = (width.parse().ok()?, height.parse().ok()?);
        Some(Sizes { from: size, to: size })
    };
    text.split_whitespace().filter_map(size).collect()
}

impl Sizes {
    fn contain(&self, width: u32, height: u32) -> bool {
        (self.from.0..=self.to.0).contains(&width) && (self.from.1..=self.to.1).contains(&height)
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.word())?;
        for Sizes { from, to } in &self.sizes {
            write!(f, " {}x{}", from.0, from.1)?;
            if from != to {
                write!(f, " to {}x{}", to.0, to.1)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const C920: &str = "\
[video4linux2,v4l2 @ 0x55f0a8c3e6c0] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 160x90 320x240 2304x1536
[video4linux2,v4l2 @ 0x55f0a8c3e6c0] Compressed:        h264 :                H.264 : 640x480 1280x720 1920x1080
[video4linux2,v4l2 @ 0x55f0a8c3e6c0] Compressed:       mjpeg :          Motion-JPEG : 640x480 800x600 1280x720 1920x1080
/dev/video0: Immediate exit requested
";
    const CHEAP: &str = "\
[video4linux2,v4l2 @ 0xaaaae5b1c430] Compressed:       mjpeg :          Motion-JPEG : 1280x720 640x480
[video4linux2,v4l2 @ 0xaaaae5b1c430] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 1280x720 320x240
[video4linux2,v4l2 @ 0xaaaae5b1c430] Raw       : Unsupported :  16-bit: depth thing : 640x480
";
    const STEPWISE: &str =
        "[video4linux2,v4l2 @ 0x1] Raw       :     yuyv422 :           YUYV 4:2:2 : {32-2592, 2}x{32-1944, 2}";

    #[test]
    fn what_needs_least_work_is_taken() {
        let chosen = |list: &str, w, h| choose(&parse(list), w, h).map(Format::word);
        assert_eq!(chosen(C920, 1280, 720), Ok("h264"));
        assert_eq!(chosen(C920, 800, 600), Ok("mjpeg"));
        assert_eq!(chosen(C920, 320, 240), Ok("yuyv422"));
        assert_eq!(chosen(CHEAP, 640, 480), Ok("mjpeg"));
        assert_eq!(chosen(STEPWISE, 1280, 720), Ok("yuyv422"));
    }

    #[test]
    fn a_size_that_is_not_there_is_told_with_those_that_are() {
        assert_eq!(
            choose(&parse(CHEAP), 1920, 1080).unwrap_err(),
            "the camera has no 1920x1080 pictures; it has mjpeg 1280x720 640x480; yuyv422 640x480 1280x720 320x240"
        );
        assert!(choose(&parse(STEPWISE), 4000, 20).unwrap_err().ends_with("it has yuyv422 32x32 to 2592x1944"));
    }

    proptest! {
        #[test]
        fn no_list_makes_the_reader_panic(text in "((Raw       |Compressed):|mjpeg|[{}x:, 0-9-]|\\PC){0,30}") {
            let _ = choose(&parse(&text), 640, 480);
        }
    }
}
