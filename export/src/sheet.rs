//! The contact sheet: a still of each camera at each mark, as one page that needs nothing else. Pure.

use std::fmt::Write as _;

use syncslate_shared::markers::take_time;

use crate::formats::escaped;
use crate::timeline::{Marker, Timeline};

const STYLE: &str = "body{font:16px/1.4 system-ui,sans-serif;margin:1rem;color:#111;background:#fff}\
h1{font-size:1.3rem}section{margin:1.5rem 0;break-inside:avoid}h2{font-size:1rem;margin:0 0 .4rem}\
h2 span{font-weight:400;color:#444}.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,16rem),1fr));gap:.6rem}\
figure{margin:0}img{width:100%;height:auto;display:block}figcaption{font-size:.85rem;color:#333}\
.none{border:1px dashed #888;padding:2rem .5rem;text-align:center;color:#444}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#111}h2 span,figcaption,.none{color:#bbb}}";
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A camera at a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Still {
    /// The picture, or why there is none.
    pub jpeg: Result<Vec<u8>, String>,
    /// The frame's number on its camera.
    pub frame: u64,
    /// The frame's exposure minus the mark, in microseconds.
    pub away_us: i64,
}

/// The page; `stills` has for each mark one of each camera, `None` where the camera was away.
pub fn page(line: &Timeline, stills: &[Vec<Option<Still>>]) -> String {
    let title = format!("{}: contact sheet", escaped(&line.id.to_string()));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    if line.marks.is_empty() {
        out.push_str("<p>No mark was made in this take.</p>\n");
    }
    for (mark, row) in line.marks.iter().zip(stills) {
        let Marker { n, at, note, tick } = mark;
        let since = take_time(at.since_us(line.span.t0));
        let timecode = line.rate.shown(line.start + tick);
        let _ = write!(
            out,
            "<section>\n<h2>{n}. {} <span>{since} · {timecode}</span></h2>\n<div class=\"row\">\n",
            escaped(note)
        );
        for (camera, still) in line.cameras.iter().zip(row) {
            out.push_str("<figure>");
            let name = escaped(&camera.name);
            match still {
                Some(Still { jpeg: Ok(jpeg), frame, away_us }) => {
                    let away = *away_us as f64 / 1000.0;
                    let _ = write!(
                        out,
                        "<img alt=\"{name} at mark {n}\" src=\"data:image/jpeg;base64,{}\">\
                         <figcaption>{name} · frame {frame} · {away:+.1} ms</figcaption>",
                        base64(jpeg)
                    );
                }
                Some(Still { jpeg: Err(why), .. }) => {
                    let why = why.lines().next().unwrap_or_default();
                    let _ = write!(out, "<div class=\"none\">{}</div><figcaption>{name}</figcaption>", escaped(why));
                }
                None => {
                    let _ = write!(out, "<div class=\"none\">no picture</div><figcaption>{name}</figcaption>");
                }
            }
            out.push_str("</figure>\n");
        }
        out.push_str("</div>\n</section>\n");
    }
    out.push_str("</html>\n");
    out
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place) & 63) as usize;
            let digit = DIGITS.get(digit).copied().map_or('=', char::from);
            out.push(if place <= three.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::kit::line;

    #[test]
    fn bytes_are_coded_as_rfc_4648_has_them() {
        for (text, code) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), code);
        }
    }

    #[test]
    fn a_sheet_shows_who_was_there_and_no_note_breaks_out() {
        let still = Still { jpeg: Ok(b"foo".to_vec()), frame: 37, away_us: -12_340 };
        let failed = Still { jpeg: Err("no <still>\nmore".into()), ..still };
        let text = page(&line(), &[vec![Some(still), Some(failed), None], vec![None, None, None]]);
        assert!(text.contains("left · frame 37 · -12.3 ms") && text.contains("base64,Zm9v"), "{text}");
        assert!(text.contains("no &lt;still&gt;</div>") && text.contains("&lt;/note&gt;"), "{text}");
        assert_eq!(text.matches("no picture").count(), 4);
    }
}
