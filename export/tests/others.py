"""Reads timelines by OpenTimelineIO and says as JSON what it found: `others.py FOLDER ID RATE`."""
import json
import sys

import opentimelineio as otio

folder, name, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])


def clips(track):
    found = []
    for child in track:
        if isinstance(child, otio.schema.Gap):
            kind = "gap"
        elif isinstance(child, (otio.schema.Clip, otio.schema.Stack, otio.schema.Track)):
            kind = "clip"
        else:
            continue
        span = child.range_in_parent()
        frames = lambda time: round(time.rescaled_to(rate).value)
        media = getattr(child, "media_reference", None)
        found.append({
            "kind": kind, "start": frames(span.start_time), "frames": frames(span.duration), "name": child.name,
            "url": getattr(media, "target_url", None),
            "source": child.source_range and frames(child.source_range.start_time),
        })
    return found


def told(timeline):
    start = timeline.global_start_time
    marks = [*timeline.tracks.markers]
    for track in timeline.tracks:
        marks += track.markers
        for child in track:
            marks += child.markers
    return {
        "name": timeline.name,
        "start": start and start.to_timecode(start.rate, drop_frame=False),
        "rate": start and start.rate,
        "tracks": [{"name": track.name, "kind": track.kind, "children": clips(track)} for track in timeline.tracks],
        "marks": [{"frame": round(mark.marked_range.start_time.rescaled_to(rate).value), "name": mark.name,
                   "comment": getattr(mark, "comment", "")} for mark in marks],
    }


def read(end, **arguments):
    result = otio.adapters.read_from_file(f"{folder}/{name}{end}", **arguments)
    if isinstance(result, otio.schema.SerializableCollection):
        return [told(timeline) for timeline in result.find_children(descended_from_type=otio.schema.Timeline)]
    return [told(result)]


print(json.dumps({
    "otio": read(".otio")[0],
    "xmeml": read(".xml", adapter_name="fcp_xml")[0],
    "edl": read("_markers.edl", rate=round(rate))[0],
    "fcpxml": read(".fcpxml", adapter_name="fcpx_xml"),
}))
