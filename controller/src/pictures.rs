//! A node's pictures, decoded by ffmpeg and searched for the slate. The frame table says which stamp each one has.

use std::path::Path;
use std::process::Stdio;

use syncslate_shared::child::Program;
use syncslate_shared::files::FrameRow;
use syncslate_shared::report::Failure;
use syncslate_shared::time::Wall;
use syncslate_slate::finder::Finder;
use syncslate_slate::image::Luma;
use syncslate_slate::timeline::Seen;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;

/// Larger pictures are made smaller: a slate that fills a twentieth of the width can be read at this.
const WIDEST: u32 = 1920;
/// Where the size is not known; the slate's own marks tell how it is stretched.
const USUAL: [u32; 2] = [1280, 720];
/// Pictures beyond those that are wanted are decoded so far, to see that stream and table tell the same count.
const TO_THE_END: usize = 2000;

/// The frames of one footage file, by the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reel {
    /// The segment.
    pub segment: u32,
    /// The stamps of its frames, in the order of the file.
    pub stamps: Vec<Wall>,
}

impl Reel {
    /// The files that a table tells of.
    pub fn of(rows: &[FrameRow]) -> Vec<Self> {
        let mut reels: Vec<Self> = Vec::new();
        for row in rows {
            match reels.last_mut().filter(|reel| reel.segment == row.segment) {
                Some(reel) => reel.stamps.push(row.time),
                None => reels.push(Self { segment: row.segment, stamps: vec![row.time] }),
            }
        }
        reels
    }
}

/// Which part of the take is searched.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The begin of the take.
    pub from: Wall,
    /// Its end.
    pub to: Wall,
    /// Seconds from its begin and up to its end; `None` for all.
    pub window_s: Option<f64>,
}

impl Wanted {
    fn holds(&self, stamp: Wall) -> bool {
        let within = |us: i64, window_s: f64| us as f64 <= window_s * 1e6;
        self.window_s.is_none_or(|s| within(stamp.since_us(self.from), s) || within(self.to.since_us(stamp), s))
    }
}

/// What came of one file.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Pictures that were searched.
    pub pictures: u64,
    /// Those that show the slate.
    pub seen: Vec<Seen>,
    /// Why the file was left out.
    pub problem: Option<String>,
}

/// Searches the wanted frames of a footage file.
///
/// When the decoder gives fewer pictures than the table has lines nobody knows which stamp belongs to which picture,
/// and the file is left out.
///
/// # Errors
/// ffmpeg cannot be started.
pub async fn search(file: &Path, size: Option<[u32; 2]>, reel: &Reel, wanted: &Wanted) -> Result<Found, Failure> {
    let Some(last) = reel.stamps.iter().rposition(|stamp| wanted.holds(*stamp)) else { return Ok(Found::default()) };
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if !file.is_file() {
        return Ok(Found { problem: Some(format!("{name} is not here")), ..Found::default() });
    }
    let [width, height] = fitted(size.unwrap_or(USUAL));
    let mut ffmpeg = decoder(file, width, height).spawn().map_err(Failure::new)?;
    let Some(mut pictures) = ffmpeg.take_stdout() else { return Ok(Found::default()) };
    let (mut found, mut finder) = (Found::default(), Finder::default());
    let mut picture = vec![0; width as usize * height as usize];
    let mut count = 0;
    let (mut stamps, whole) = (reel.stamps.iter(), reel.stamps.len() - last <= TO_THE_END);
    while count <= last || whole {
        if !next(&mut pictures, &mut picture).await {
            break;
        }
        count += 1;
        let Some(stamp) = stamps.next().filter(|stamp| wanted.holds(**stamp)) else { continue };
        found.pictures += 1;
        let looked = tokio::task::spawn_blocking(move || {
            let sight = Luma::new(width as usize, height as usize, &picture).and_then(|luma| finder.look(&luma));
            (picture, finder, sight)
        });
        let sight;
        (picture, finder, sight) = looked.await.map_err(|e| Failure::new(e.to_string()))?;
        found.seen.extend(sight.map(|sight| Seen { stamp_us: stamp.micros(), sight }));
    }
    let read = count;
    if (whole && read != reel.stamps.len()) || read <= last {
        drop(pictures);
        let evidence = ffmpeg.wait().await.stderr.last().map(|line| format!(": {line}")).unwrap_or_default();
        let told = reel.stamps.len();
        let problem = format!(
            "{name} has {read} pictures that can be decoded and {told} lines in the table, so it is left out{evidence}"
        );
        return Ok(Found { problem: Some(problem), ..Found::default() });
    }
    Ok(found)
}

/// Reads a picture whole; false at the end.
async fn next(pictures: &mut ChildStdout, picture: &mut [u8]) -> bool {
    pictures.read_exact(picture).await.is_ok()
}

fn decoder(file: &Path, width: u32, height: u32) -> Program {
    let input = ["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "2", "-f", "h264", "-i"];
    let scale = format!("scale={width}:{height}:flags=area");
    // Every picture once, whatever times the demuxer makes up for them.
    let output =
        ["-map", "0:v:0", "-vf", &scale, "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"];
    Program::new("ffmpeg").args(input).arg(file).args(output).stdout(Stdio::piped())
}

/// The size in which pictures are searched.
fn fitted([width, height]: [u32; 2]) -> [u32; 2] {
    if width == 0 || height == 0 {
        return USUAL;
    }
    if width <= WIDEST {
        return [width, height.min(WIDEST)];
    }
    let height = u64::from(height) * u64::from(WIDEST) / u64::from(width);
    [WIDEST, u32::try_from(height).unwrap_or(WIDEST).clamp(2, WIDEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(segment: u32, us: i64) -> FrameRow {
        FrameRow { frame: 0, segment, offset: 0, bytes: 1, key: false, time: Wall::from_micros(us) }
    }

    #[test]
    fn frames_are_told_apart_by_file() {
        let reels = Reel::of(&[row(0, 1), row(0, 2), row(1, 3)]);
        assert_eq!(reels.iter().map(|reel| (reel.segment, reel.stamps.len())).collect::<Vec<_>>(), [(0, 2), (1, 1)]);
        assert_eq!(Reel::of(&[]), []);
    }

    #[test]
    fn begin_and_end_are_wanted_and_what_lies_between_is_not() {
        let at = |s: i64| Wall::from_micros(s * 1_000_000);
        let wanted = Wanted { from: at(1000), to: at(1600), window_s: Some(60.0) };
        let held: Vec<_> = [999, 1060, 1061, 1539, 1540, 1601].map(|s| wanted.holds(at(s))).to_vec();
        assert_eq!(held, [true, true, false, false, true, true]);
        assert!(Wanted { window_s: None, ..wanted }.holds(at(1300)));
    }

    #[test]
    fn pictures_are_searched_in_a_size_that_is_bounded() {
        let sizes = [[1920, 1080], [4056, 3040], [640, 360], [0, 9], [100, 100_000], [u32::MAX, 1]];
        let fitted: Vec<_> = sizes.into_iter().map(fitted).collect();
        assert_eq!(fitted, [[1920, 1080], [1920, 1439], [640, 360], [1280, 720], [100, 1920], [1920, 2]]);
    }
}
