//! `GET /api/takes/{take}/marks` and `marks.csv`: the marks of the takes of a name, for programs and for spreadsheets.

use std::fmt::Write as _;

use serde::Serialize;
use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::markers::take_time;
use syncslate_shared::take::TakeName;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::Site;
use super::answer::{Refused, json, text};
use crate::marks::{TakeMarks, find};
use crate::snapshot::Snapshot;

#[derive(Serialize)]
struct Listed<'a> {
    takes: Vec<Take<'a>>,
}

#[derive(Serialize)]
struct Take<'a> {
    id: &'a syncslate_shared::take::TakeId,
    t0: Option<syncslate_shared::time::Wall>,
    marks: &'a [syncslate_shared::take::Mark],
}

/// The marks of the takes of a name, newest first; of the present or last one also when its footage is not here.
///
/// # Errors
/// There is no such take, or its list cannot be read.
pub(super) async fn look(site: &Site, snapshot: &Snapshot, name: &str) -> Result<Vec<TakeMarks>, Refused> {
    let name = TakeName::new(name).map_err(Refusal::from)?;
    let live = snapshot.take.id.clone().filter(|id| snapshot.marks.id.as_ref() == Some(id));
    let here = snapshot.takes.iter().find(|take| take.take == name);
    let mut found = Vec::new();
    if let Some(id) = live.clone().filter(|id| id.name == name || here.is_some_and(|take| take.ids.contains(id))) {
        found.push(TakeMarks { id, t0: snapshot.take.t0, marks: snapshot.marks.marks.clone() });
    }
    let older: Vec<_> =
        here.iter().flat_map(|take| &take.ids).filter(|id| Some(*id) != live.as_ref()).cloned().collect();
    if here.is_none() && found.is_empty() {
        let what = format!("there is no take {name} in the downloads folder, and it is not the last one");
        return Err(Refusal::new(ErrorCode::UnknownTake, what).into());
    }
    let downloads = site.door.downloads.clone();
    let work = move || older.iter().map(|id| find(&downloads, &name, id)).collect::<Result<Vec<_>, _>>();
    let failed = |why: String| Refused::from(Refusal::new(ErrorCode::Internal, why));
    found.extend(tokio::task::spawn_blocking(work).await.map_err(|e| failed(e.to_string()))?.map_err(failed)?);
    Ok(found)
}

/// For programs.
pub(super) fn listed(takes: &[TakeMarks]) -> Response {
    let takes = takes.iter().map(|TakeMarks { id, t0, marks }| Take { id, t0: *t0, marks }).collect();
    json(StatusCode::OK, &Listed { takes })
}

/// For spreadsheets.
pub(super) fn sheet(takes: &[TakeMarks], name: &str) -> Response {
    let mut response = text(StatusCode::OK, "text/csv; charset=utf-8; header=present", csv(takes));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}_marks.csv\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// RFC 4180.
fn csv(takes: &[TakeMarks]) -> String {
    let mut out = String::from("take,n,time,take_time,note\r\n");
    for TakeMarks { id, t0, marks } in takes {
        for mark in marks {
            let since = t0.map_or_else(String::new, |t0| take_time(mark.at.since_us(t0)));
            let _ = write!(out, "{id},{},{},{since},{}\r\n", mark.n, mark.at, field(&mark.note));
        }
    }
    out
}

/// A text as a field in quotes. Spreadsheets take one that begins like a formula for one, wherever it comes from: an
/// apostrophe before it makes it text (CWE-1236).
pub(super) fn field(text: &str) -> String {
    let formula =
        text.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use syncslate_shared::take::{Mark, TakeId};
    use syncslate_shared::time::Wall;

    use super::*;

    #[test]
    fn a_sheet_holds_what_was_written_and_no_formula() {
        let t0 = Wall::from_micros(1_761_220_930_500_000);
        let notes = [
            "",
            "he laughs, \"twice\"",
            "two\nlines",
            "=HYPERLINK(\"http://x\")",
            " +1",
            "-",
            "@SUM(A1)",
            "ＡＢ=1",
            "😀 \u{202e}x",
        ];
        let mark =
            |(i, note): (usize, &&str)| Mark { n: i as u32 + 1, at: t0.offset_us(1_250_000), note: (*note).to_owned() };
        let marks = notes.iter().enumerate().map(mark).collect();
        let id = TakeId::try_from("A01_20251023_140210".to_owned()).unwrap();
        let sheet = csv(&[TakeMarks { id, t0: Some(t0), marks }]);
        let start = "A01_20251023_140210,1,2025-10-23T12:02:11.750000Z,00:00:01.250,\"\"\r\n";
        assert!(sheet.starts_with(&format!("take,n,time,take_time,note\r\n{start}")), "{sheet}");
        for line in [
            "\"he laughs, \"\"twice\"\"\"",
            "\"two\nlines\"",
            "\"'=HYPERLINK(\"\"http://x\"\")\"",
            "\"' +1\"",
            "\"'-\"",
            "\"'@SUM(A1)\"",
            "\"ＡＢ=1\"",
            "\"😀 \u{202e}x\"",
        ] {
            assert!(sheet.contains(&format!(",00:00:01.250,{line}\r\n")), "{line}\n{sheet}");
        }
    }
}
