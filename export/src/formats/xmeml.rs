//! The timeline as Final Cut Pro 7's XML (xmeml 5), which Premiere reads: a track for each camera, the marks as the
//! sequence's markers. Pure.

use super::xml::{Element, element, url};
use crate::plan::Piece;
use crate::rate::Rate;
use crate::timeline::{Camera, Timeline};

/// The file's text.
pub fn write(line: &Timeline) -> String {
    let size = line.cameras.iter().find(|camera| camera.film.is_some()).map_or((1920, 1080), |camera| camera.size);
    let tracks = line.cameras.iter().zip(1..).map(|(camera, n)| track(line, n, camera));
    let format = element("format").add(characteristics(line.rate, size));
    let markers = line.marks.iter().map(|mark| {
        let named = if mark.note.is_empty() { mark.name() } else { mark.note.clone() };
        element("marker")
            .say("name", named)
            .say("comment", format!("{} {}", mark.name(), mark.at))
            .say("in", mark.tick)
            .say("out", -1)
    });
    let sequence = element("sequence")
        .with("id", "sequence-1")
        .say("name", line.id.to_string())
        .say("duration", line.ticks)
        .add(rate(line.rate))
        .add(timecode(line.rate, line.start, None))
        .add(element("media").add(element("video").add(format).all(tracks)))
        .all(markers);
    element("xmeml").with("version", 5).add(sequence).document()
}

fn track(line: &Timeline, n: usize, camera: &Camera) -> Element {
    let footage = camera.pieces.iter().filter(|piece| piece.footage && camera.film.is_some());
    let clips = footage.zip(1..).map(|(piece, part)| clip(line, (n, part), camera, *piece));
    element("track").say("enabled", "TRUE").say("locked", "FALSE").all(clips)
}

fn clip(line: &Timeline, (n, part): (usize, usize), camera: &Camera, piece: Piece) -> Element {
    let end = piece.start + piece.ticks;
    let file = element("file").with("id", format!("file-{n}"));
    element("clipitem")
        .with("id", format!("clip-{n}-{part}"))
        .say("name", &camera.name)
        .say("enabled", "TRUE")
        .say("duration", line.ticks)
        .add(rate(line.rate))
        .say("start", piece.start)
        .say("end", end)
        .say("in", piece.start)
        .say("out", end)
        // Only the first mention describes the file.
        .add(if part == 1 { described(file, line, camera) } else { file })
}

fn described(file: Element, line: &Timeline, camera: &Camera) -> Element {
    let film = camera.film.as_deref().unwrap_or_default();
    let start = line.start.saturating_mul(camera.rate.base().into()) / u64::from(line.rate.base());
    file.say("name", film)
        .say("pathurl", url(film))
        .add(rate(camera.rate))
        .say("duration", crate::plan::ticks(line.span, camera.rate))
        .add(timecode(camera.rate, start, Some(&camera.reel)))
        .add(element("media").add(element("video").add(characteristics(camera.rate, camera.size))))
}

fn characteristics(of: Rate, (width, height): (u16, u16)) -> Element {
    element("samplecharacteristics")
        .add(rate(of))
        .say("width", width)
        .say("height", height)
        .say("pixelaspectratio", "square")
        .say("fielddominance", "none")
}

fn rate(rate: Rate) -> Element {
    element("rate").say("timebase", rate.base()).say("ntsc", if rate.is_ntsc() { "TRUE" } else { "FALSE" })
}

fn timecode(of: Rate, start: u64, reel: Option<&String>) -> Element {
    let timecode = element("timecode")
        .add(rate(of))
        .say("string", of.shown(start))
        .say("frame", start)
        .say("displayformat", "NDF");
    match reel {
        Some(reel) => timecode.add(element("reel").say("name", reel)),
        None => timecode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::kit::line;

    #[test]
    fn a_file_is_described_once_and_gaps_are_where_no_clip_is() {
        let text = write(&line());
        assert_eq!((text.matches("<track>").count(), text.matches("<clipitem ").count()), (3, 3));
        assert_eq!(text.matches("<pathurl>").count(), 2);
        assert!(text.contains("<file id=\"file-2\"/>"), "{text}");
        let words: Vec<_> = text.split_whitespace().collect();
        let placed = ["<start>150</start>", "<end>300</end>", "<in>150</in>", "<out>300</out>"];
        assert!(words.windows(4).any(|found| found == placed), "{text}");
        assert!(text.contains("<ntsc>TRUE</ntsc>") && text.contains("<string>12:02:10:15</string>"), "{text}");
        assert_eq!(text.matches("<marker>").count(), 2);
    }
}
