//! The timeline as OpenTimelineIO's JSON: a stack of one track for each camera, markers on the stack. Pure.

use serde_json::{Value, json};

use super::xml::url;
use crate::plan::Piece;
use crate::rate::Rate;
use crate::timeline::{Camera, Marker, Timeline};

/// The file's text.
pub fn write(line: &Timeline) -> String {
    let stack = json!({
        "OTIO_SCHEMA": "Stack.1",
        "name": "tracks",
        "source_range": null,
        "effects": [],
        "markers": line.marks.iter().map(|mark| marker(line, mark)).collect::<Vec<_>>(),
        "enabled": true,
        "metadata": {},
        "children": line.cameras.iter().map(|camera| track(line, camera)).collect::<Vec<_>>(),
    });
    let timeline = json!({
        "OTIO_SCHEMA": "Timeline.1",
        "name": line.id.to_string(),
        "global_start_time": time(line.start, line.rate),
        "tracks": stack,
        "metadata": {"syncslate": {"take": line.id, "t0": line.span.t0, "t1": line.span.t1}},
    });
    format!("{timeline:#}\n")
}

fn track(line: &Timeline, camera: &Camera) -> Value {
    json!({
        "OTIO_SCHEMA": "Track.1",
        "name": camera.name,
        "kind": "Video",
        "source_range": null,
        "effects": [],
        "markers": [],
        "enabled": true,
        "metadata": {"syncslate": {"node": camera.ip}},
        "children": camera.pieces.iter().map(|piece| child(line, camera, *piece)).collect::<Vec<_>>(),
    })
}

fn child(line: &Timeline, camera: &Camera, piece: Piece) -> Value {
    let Some(film) = camera.film.as_ref().filter(|_| piece.footage) else {
        return json!({
            "OTIO_SCHEMA": "Gap.1",
            "name": "",
            "source_range": range(0, piece.ticks, line.rate),
            "effects": [],
            "markers": [],
            "enabled": true,
            "metadata": {},
        });
    };
    json!({
        "OTIO_SCHEMA": "Clip.2",
        "name": camera.name,
        "source_range": range(line.start + piece.start, piece.ticks, line.rate),
        "effects": [],
        "markers": [],
        "enabled": true,
        "metadata": {"cmx_3600": {"reel": camera.reel}, "syncslate": {"node": camera.ip}},
        "active_media_reference_key": "DEFAULT_MEDIA",
        "media_references": {"DEFAULT_MEDIA": {
            "OTIO_SCHEMA": "ExternalReference.1",
            "name": film,
            "target_url": url(film),
            "available_range": range(line.start, line.ticks, line.rate),
            "available_image_bounds": null,
            "metadata": {},
        }},
    })
}

fn marker(line: &Timeline, mark: &Marker) -> Value {
    json!({
        "OTIO_SCHEMA": "Marker.2",
        "name": mark.name(),
        "color": "RED",
        "comment": mark.note,
        "marked_range": range(mark.tick, 1, line.rate),
        "metadata": {"syncslate": {"n": mark.n, "at": mark.at, "note": mark.note}},
    })
}

fn time(value: u64, rate: Rate) -> Value {
    json!({"OTIO_SCHEMA": "RationalTime.1", "value": value as f64, "rate": rate.fps()})
}

fn range(start: u64, ticks: u64, rate: Rate) -> Value {
    json!({"OTIO_SCHEMA": "TimeRange.1", "start_time": time(start, rate), "duration": time(ticks, rate)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::kit::line;

    #[test]
    fn gaps_are_gaps_and_clips_begin_in_their_film_where_they_lie() {
        let file: Value = serde_json::from_str(&write(&line())).unwrap();
        let children = file["tracks"]["children"][1]["children"].as_array().unwrap();
        let kinds: Vec<_> = children.iter().map(|child| child["OTIO_SCHEMA"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["Clip.2", "Gap.1", "Clip.2"]);
        assert_eq!(children[2]["source_range"]["start_time"]["value"], json!((line().start + 150) as f64));
        assert_eq!(file["tracks"]["markers"][0]["comment"], json!(line().marks[0].note));
        // A camera without a film is a track of nothing.
        assert_eq!(file["tracks"]["children"][2]["children"][0]["OTIO_SCHEMA"], "Gap.1");
    }
}
