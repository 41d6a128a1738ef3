//! A timeline for the formats' tests.

use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use crate::plan::{Piece, Span};
use crate::rate::{Rate, Zone};
use crate::timeline::{Camera, Timeline};

/// Three cameras at 29.97: one whole, one with a gap, one without a film; two marks, one hostile.
pub(crate) fn line() -> Timeline {
    let t0 = Wall::from_micros(1_761_220_930_500_000);
    let rate = Rate { frames: 30_000, seconds: 1001 };
    let span = Span { t0, t1: t0.offset_us(10_010_000) };
    let camera = |name: &str, ip: &str, film: bool, pieces: &[(u64, u64, bool)]| Camera {
        name: name.into(),
        ip: ip.into(),
        reel: name.chars().filter(char::is_ascii_alphanumeric).collect(),
        film: film.then(|| format!("A_{}_20251023_140210.mp4", ip.replace('.', "_"))),
        rate,
        size: (640, 360),
        pieces: pieces.iter().map(|&(start, ticks, footage)| Piece { start, ticks, footage }).collect(),
    };
    let cameras = vec![
        camera("left", "10.0.0.1", true, &[(0, 300, true)]),
        camera("<right> & \"co\"", "10.0.0.2", true, &[(0, 90, true), (90, 60, false), (150, 150, true)]),
        camera("gone", "10.0.0.3", false, &[(0, 300, false)]),
    ];
    let mark = |n, us, note: &str| Mark { n, at: t0.offset_us(us), note: note.into() };
    let marks = [mark(1, 1_251_000, "</note>\u{1}\n\"he laughs\" & waits"), mark(2, 9_000_000, "")];
    let id = TakeId::try_from("A_20251023_140210".to_owned()).unwrap();
    Timeline::new(id, span, Zone::Utc, rate, cameras, &marks)
}
