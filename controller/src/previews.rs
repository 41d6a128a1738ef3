//! Live pictures: who is looked at, which lease that takes, and the newest picture of each. Pure.
//!
//! A look is what renews a lease: when nobody asks for a node's picture any more, nothing is published for it and its
//! picture is forgotten. At most one picture a node is held.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use syncslate_shared::preview::{LeaseMessage, MAX_PICTURE, Width};
use syncslate_shared::time::Mono;

/// Pictures a second that are asked for: one of each key frame.
const FPS: f64 = 2.0;
/// How long a lease lasts.
const LASTS: Duration = Duration::from_secs(10);
/// It is renewed by the first look after so long.
const RENEWED_AFTER: Duration = Duration::from_secs(5);
/// Whoever was looked at within this time is named in the same lease as the one whose turn it is.
const TOGETHER: Duration = Duration::from_secs(3);
/// A node that nobody has looked at for so long is forgotten, with its picture.
const FORGOTTEN: Duration = Duration::from_secs(15);
/// A picture that is older says nothing any more.
const OUTDATED: Duration = Duration::from_secs(60);

/// A picture of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Counts all pictures since the program's start.
    pub number: u64,
    /// When it arrived.
    pub at: Mono,
    /// A JPEG of at most [`MAX_PICTURE`] bytes.
    pub jpeg: Bytes,
}

/// How large a picture is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For a tile.
    Usual,
    /// As the camera takes it.
    Native,
}

impl Size {
    fn width(self) -> Option<u32> {
        match self {
            Self::Usual => None,
            Self::Native => Some(Width::Native.pixels()),
        }
    }
}

/// All nodes that somebody looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Previews {
    nodes: BTreeMap<Ipv4Addr, Looked>,
    count: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Looked {
    usual: Turn,
    native: Turn,
    picture: Option<Picture>,
}

/// One size of a node's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Turn {
    /// When somebody looked last.
    asked: Option<Mono>,
    /// When the last lease was published.
    leased: Option<Mono>,
}

impl Turn {
    fn asked_within(&self, now: Mono, time: Duration) -> bool {
        self.asked.is_some_and(|asked| now.since(asked) <= time)
    }

    fn leased_within(&self, now: Mono, time: Duration) -> bool {
        self.leased.is_some_and(|leased| now.since(leased) < time)
    }
}

impl Looked {
    fn turn(&mut self, size: Size) -> &mut Turn {
        match size {
            Size::Usual => &mut self.usual,
            Size::Native => &mut self.native,
        }
    }
}

impl Previews {
    /// Somebody looks at a node; gives the lease to be published, if one is due.
    pub fn look(&mut self, ip: Ipv4Addr, size: Size, now: Mono) -> Option<LeaseMessage> {
        self.forget(now);
        let turn = self.nodes.entry(ip).or_default().turn(size);
        turn.asked = Some(now);
        if turn.leased_within(now, RENEWED_AFTER) {
            return None;
        }
        let mut nodes = Vec::new();
        for (ip, looked) in &mut self.nodes {
            let turn = looked.turn(size);
            // Named together, so that a page with many tiles costs one message each time and not one a tile.
            if turn.asked_within(now, TOGETHER) && !turn.leased_within(now, RENEWED_AFTER / 2) {
                turn.leased = Some(now);
                nodes.push(*ip);
            }
        }
        Some(LeaseMessage { nodes: Some(nodes), fps: FPS, for_s: LASTS.as_secs_f64(), width: size.width() })
    }

    /// A picture came; kept when somebody looks at that node.
    pub fn show(&mut self, ip: Ipv4Addr, jpeg: Bytes, now: Mono) {
        self.forget(now);
        let is_jpeg = jpeg.starts_with(&[0xff, 0xd8]) && jpeg.len() <= MAX_PICTURE;
        if let Some(looked) = self.nodes.get_mut(&ip).filter(|_| is_jpeg) {
            self.count += 1;
            looked.picture = Some(Picture { number: self.count, at: now, jpeg });
        }
    }

    /// The newest picture of a node that somebody looks at.
    pub fn newest(&self, ip: Ipv4Addr) -> Option<&Picture> {
        self.nodes.get(&ip)?.picture.as_ref()
    }

    /// Forgets whom nobody looks at any more.
    pub fn forget(&mut self, now: Mono) {
        let looked_at = |turn: &Turn| turn.asked_within(now, FORGOTTEN);
        self.nodes.retain(|_, looked| looked_at(&looked.usual) || looked_at(&looked.native));
        for looked in self.nodes.values_mut() {
            looked.picture.take_if(|picture| now.since(picture.at) > OUTDATED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::ip;

    const JPEG: &[u8] = &[0xff, 0xd8, 7];

    fn at(ms: u64) -> Mono {
        Mono::from_micros(11_000_003) + Duration::from_millis(ms)
    }

    fn named(lease: Option<LeaseMessage>) -> Vec<Ipv4Addr> {
        lease.map(|lease| lease.nodes.unwrap()).unwrap_or_default()
    }

    #[test]
    fn a_look_renews_the_lease_at_half_of_it_and_nothing_else_does() {
        let mut previews = Previews::default();
        let mut published = Vec::new();
        for ms in (0..21_000).step_by(530) {
            if let Some(lease) = previews.look(ip(1), Size::Usual, at(ms)) {
                assert_eq!((lease.fps, lease.for_s, lease.width), (2.0, 10.0, None));
                published.push(ms);
            }
        }
        assert_eq!(published, [0, 5_300, 10_600, 15_900]);
        previews.forget(at(60_000));
        assert_eq!(previews.nodes.len(), 0);
    }

    #[test]
    fn one_message_names_all_that_are_looked_at() {
        let mut previews = Previews::default();
        for n in 1..=12 {
            assert_eq!(named(previews.look(ip(n), Size::Usual, at(u64::from(n) * 40))), [ip(n)]);
        }
        let mut messages = 0;
        for ms in (600..30_000).step_by(40) {
            let n = u8::try_from(ms / 40 % 12).unwrap() + 1;
            let nodes = named(previews.look(ip(n), Size::Usual, at(ms)));
            messages += usize::from(!nodes.is_empty());
            assert!(nodes.is_empty() || nodes.len() == 12, "{nodes:?}");
        }
        assert_eq!(messages, 5);
        // One that scrolled out of sight is named no more.
        previews.look(ip(1), Size::Usual, at(33_500));
        assert_eq!(named(previews.look(ip(1), Size::Usual, at(38_600))), [ip(1)]);
    }

    #[test]
    fn a_large_picture_is_a_lease_of_its_own() {
        let mut previews = Previews::default();
        assert!(previews.look(ip(1), Size::Usual, at(0)).is_some());
        let lease = previews.look(ip(1), Size::Native, at(100)).unwrap();
        assert_eq!((lease.width, lease.nodes), (Some(0), Some(vec![ip(1)])));
        assert!(previews.look(ip(1), Size::Native, at(200)).is_none());
    }

    #[test]
    fn pictures_are_kept_only_while_somebody_looks() {
        let mut previews = Previews::default();
        previews.show(ip(1), JPEG.into(), at(0));
        assert_eq!(previews.newest(ip(1)), None);
        previews.look(ip(1), Size::Usual, at(100));
        previews.show(ip(1), JPEG.into(), at(200));
        previews.show(ip(1), Bytes::from_static(b"no picture"), at(300));
        previews.show(ip(1), [JPEG, &vec![0; MAX_PICTURE]].concat().into(), at(400));
        assert_eq!(previews.newest(ip(1)).map(|picture| (picture.number, picture.at)), Some((1, at(200))));
        previews.show(ip(1), JPEG.into(), at(700));
        assert_eq!(previews.newest(ip(1)).map(|picture| picture.number), Some(2));
        previews.forget(at(15_101));
        assert_eq!(previews.newest(ip(1)), None);
        // One that somebody looks at but that sends none any more shows its last one for a while.
        previews.look(ip(2), Size::Usual, at(20_000));
        previews.show(ip(2), JPEG.into(), at(20_100));
        for ms in (20_000..=80_100).step_by(5_000) {
            previews.look(ip(2), Size::Usual, at(ms));
            assert!(previews.newest(ip(2)).is_some());
        }
        previews.look(ip(2), Size::Usual, at(85_000));
        assert_eq!(previews.newest(ip(2)), None);
    }
}
