//! The timeline as FCPXML 1.10 for Final Cut Pro: a multicam clip of all cameras, and a project that shows it with the
//! marks on it. Pure.

use super::xml::{Element, element, url};
use crate::plan::Piece;
use crate::rate::Rate;
use crate::timeline::{Camera, Timeline};

const VERSION: &str = "1.10";
const FORMAT: &str = "r1";
const MULTICAM: &str = "r2";

/// The file's text.
pub fn write(line: &Timeline) -> String {
    let name = line.id.to_string();
    let size = line.cameras.iter().find(|camera| camera.film.is_some()).map_or((1920, 1080), |camera| camera.size);
    let resources = element("resources")
        .add(format(FORMAT, line.rate, size))
        .all(films(line).map(|(n, camera, _)| format(&format!("f{n}"), camera.rate, camera.size)))
        .all(films(line).map(|(n, camera, film)| asset(line, n, camera, film)))
        .add(element("media").with("id", MULTICAM).with("name", &name).add(multicam(line)));
    let project = element("project").with("name", &name).add(sequence(line));
    let event = element("event").with("name", line.id.name.to_string()).add(clip(line)).add(project);
    element("fcpxml").with("version", VERSION).add(resources).add(event).document()
}

/// The cameras that have a film, with a number of their own.
fn films(line: &Timeline) -> impl Iterator<Item = (usize, &Camera, &str)> {
    let cameras = line.cameras.iter().enumerate();
    cameras.filter_map(|(n, camera)| Some((n + 1, camera, camera.film.as_deref()?)))
}

fn format(id: &str, rate: Rate, (width, height): (u16, u16)) -> Element {
    element("format").with("id", id).with("frameDuration", time(1, rate)).with("width", width).with("height", height)
}

fn asset(line: &Timeline, n: usize, camera: &Camera, film: &str) -> Element {
    let tag = |key: &str, value: &str| {
        element("md").with("key", format!("com.apple.proapps.studio.{key}")).with("value", value)
    };
    element("asset")
        .with("id", format!("a{n}"))
        .with("name", &camera.name)
        .with("start", time(line.start, line.rate))
        .with("duration", time(line.ticks, line.rate))
        .with("hasVideo", 1)
        .with("videoSources", 1)
        .with("format", format!("f{n}"))
        .add(element("media-rep").with("kind", "original-media").with("src", format!("./{}", url(film))))
        .add(element("metadata").add(tag("reel", &camera.reel)).add(tag("cameraName", &camera.name)))
}

fn multicam(line: &Timeline) -> Element {
    let angles = line.cameras.iter().zip(1..).map(|(camera, n): (_, usize)| {
        let pieces = camera.pieces.iter().map(|piece| child(line, n, camera, *piece));
        element("mc-angle").with("name", &camera.name).with("angleID", angle(n)).all(pieces)
    });
    placed(element("multicam"), line).all(angles)
}

fn placed(element: Element, line: &Timeline) -> Element {
    element
        .with("format", FORMAT)
        .with("duration", time(line.ticks, line.rate))
        .with("tcStart", time(line.start, line.rate))
        .with("tcFormat", "NDF")
}

fn child(line: &Timeline, n: usize, camera: &Camera, piece: Piece) -> Element {
    let at = time(line.start + piece.start, line.rate);
    let long = time(piece.ticks, line.rate);
    if camera.film.is_none() || !piece.footage {
        return element("gap").with("name", "Gap").with("offset", &at).with("start", &at).with("duration", long);
    }
    element("asset-clip")
        .with("ref", format!("a{n}"))
        .with("offset", &at)
        .with("name", &camera.name)
        .with("start", &at)
        .with("duration", long)
        .with("format", format!("f{n}"))
        .with("tcFormat", "NDF")
}

/// The multicam clip, the lowest camera with a film seen, with the marks.
fn clip(line: &Timeline) -> Element {
    let at = time(line.start, line.rate);
    let seen = films(line).next().map_or(1, |(n, ..)| n);
    let marks = line.marks.iter().map(|mark| {
        let marker = element("marker")
            .with("start", time(line.start + mark.tick, line.rate))
            .with("duration", time(1, line.rate));
        let named = if mark.note.is_empty() { mark.name() } else { mark.note.clone() };
        marker.with("value", named).with("note", format!("{} {}", mark.name(), mark.at))
    });
    element("mc-clip")
        .with("ref", MULTICAM)
        .with("offset", &at)
        .with("name", line.id.to_string())
        .with("start", &at)
        .with("duration", time(line.ticks, line.rate))
        .add(element("mc-source").with("angleID", angle(seen)).with("srcEnable", "all"))
        .all(marks)
}

fn sequence(line: &Timeline) -> Element {
    placed(element("sequence"), line).add(element("spine").add(clip(line)))
}

fn angle(n: usize) -> String {
    format!("angle{n}")
}

/// So many ticks as seconds, `1001/30000s`.
fn time(ticks: u64, rate: Rate) -> String {
    let seconds = ticks.saturating_mul(rate.seconds.into());
    if seconds % u64::from(rate.frames) == 0 {
        return format!("{}s", seconds / u64::from(rate.frames));
    }
    format!("{seconds}/{}s", rate.frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::kit::line;

    #[test]
    fn times_are_fractions_of_a_second() {
        let rate = Rate { frames: 30_000, seconds: 1001 };
        assert_eq!(
            (time(1, rate).as_str(), time(30_000, rate).as_str(), time(0, rate).as_str()),
            ("1001/30000s", "1001s", "0s")
        );
    }

    #[test]
    fn every_reference_has_its_resource_and_every_camera_its_angle() {
        let text = write(&line());
        let values = |name: &str| -> Vec<String> {
            text.split(&format!(" {name}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        let ids = values("id");
        for reference in values("ref").into_iter().chain(values("format")) {
            assert!(ids.contains(&reference), "{reference} in\n{text}");
        }
        assert_eq!(text.matches("<mc-angle ").count(), 3);
        assert_eq!((text.matches("<gap ").count(), text.matches("<asset-clip ").count()), (2, 3));
        assert_eq!(text.matches("<marker ").count(), 4);
        assert!(text.contains("value=\"&lt;/note&gt;\u{fffd}&#10;&quot;he laughs&quot; &amp; waits\""), "{text}");
    }
}
