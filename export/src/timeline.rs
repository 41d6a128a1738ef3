//! A take as a timeline: all cameras above each other in step, its marks on it. Pure; the formats write it down.

use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use crate::plan::{Piece, Span, ticks};
use crate::rate::{Rate, Zone};

/// The timeline of a take.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// The take.
    pub id: TakeId,
    /// From T0 to T1.
    pub span: Span,
    /// Its rate: the one that most cameras have, of two that are as many the higher one.
    pub rate: Rate,
    /// The timecode of T0, in frames from midnight.
    pub start: u64,
    /// Its length in ticks.
    pub ticks: u64,
    /// The cameras, the lowest first.
    pub cameras: Vec<Camera>,
    /// The marks that lie in the take.
    pub marks: Vec<Marker>,
}

/// A camera of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// The name people gave it.
    pub name: String,
    /// Its address, which tells cameras of one name apart.
    pub ip: String,
    /// Its reel.
    pub reel: String,
    /// The film's name, beside the timeline; `None` when there is none.
    pub film: Option<String>,
    /// Its own rate.
    pub rate: Rate,
    /// Width and height in pixels.
    pub size: (u16, u16),
    /// Where it has pictures. A film begins at T0, so a piece begins in it where it does on the timeline.
    pub pieces: Vec<Piece>,
}

/// A mark on a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The last tick at or before it.
    pub tick: u64,
    /// Its number in the take.
    pub n: u32,
    /// The instant of the press.
    pub at: Wall,
    /// The operator's note; empty when there is none.
    pub note: String,
}

impl Timeline {
    /// The timeline of these cameras.
    pub fn new(id: TakeId, span: Span, zone: Zone, rate: Rate, cameras: Vec<Camera>, marks: &[Mark]) -> Self {
        let inside = marks.iter().filter(|mark| mark.at >= span.t0 && mark.at < span.t1);
        let all = ticks(span, rate);
        let mut marks: Vec<_> = inside
            .map(|Mark { n, at, note }| Marker {
                tick: rate.at_or_before(at.since_us(span.t0)).min(all - 1),
                n: *n,
                at: *at,
                note: note.clone(),
            })
            .collect();
        marks.sort_by_key(|mark| (mark.tick, mark.n));
        Self { id, span, rate, start: rate.timecode(span.t0, zone).into(), ticks: all, cameras, marks }
    }
}

impl Marker {
    /// What it is called where there is room for a word.
    pub fn name(&self) -> String {
        format!("mark {}", self.n)
    }
}

/// The rate of a timeline of cameras with these rates; 25 without any.
pub fn common_rate(rates: &[Rate]) -> Rate {
    let times = |rate: &Rate| rates.iter().filter(|other| *other == rate).count();
    rates.iter().copied().max_by_key(|rate| (times(rate), *rate)).unwrap_or(Rate { frames: 25, seconds: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_cameras_give_the_rate() {
        let rate = |fps| Rate::of(fps).unwrap();
        assert_eq!(common_rate(&[rate(25.0), rate(50.0), rate(25.0)]), rate(25.0));
        assert_eq!(common_rate(&[rate(29.97), rate(30.0)]), rate(30.0));
        assert_eq!(common_rate(&[]), rate(25.0));
    }

    #[test]
    fn marks_lie_on_the_tick_at_or_before_and_those_outside_are_left_out() {
        let t0 = Wall::from_micros(1_761_220_930_500_000);
        let span = Span { t0, t1: t0.offset_us(10_000_000) };
        let mark = |n, us| Mark { n, at: t0.offset_us(us), note: String::new() };
        let marks = [mark(3, 9_999_999), mark(1, -1), mark(2, 79_999), mark(4, 10_000_000), mark(5, 80_000)];
        let id = TakeId::try_from("A_20251023_140210".to_owned()).unwrap();
        let line = Timeline::new(id, span, Zone::Utc, Rate { frames: 25, seconds: 1 }, Vec::new(), &marks);
        let found: Vec<_> = line.marks.iter().map(|mark| (mark.n, mark.tick)).collect();
        assert_eq!(found, [(2, 1), (5, 2), (3, 249)]);
        assert_eq!((line.ticks, line.rate.shown(line.start).as_str()), (250, "12:02:10:12"));
    }
}
