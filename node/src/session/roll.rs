//! What is kept of one take: each picture is looked at once, in order. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use syncslate_shared::manifest::{Drop, DropSide, Gap, Pause};
use syncslate_shared::protocol::{Drops, Fault, Take};
use syncslate_shared::time::{Mono, Wall, micros};

use super::SessionSettings;
use crate::event::{Effect, StoreCommand};
use crate::ring::{Break, Ring, Slot};

/// More than this a disk that fails does not take back: at 30 dropped frames a second the wait of a minute.
const MAX_COUNTED: usize = 2048;

/// What pictures are judged by.
pub(super) struct Shot<'a> {
    pub(super) ring: &'a Ring,
    pub(super) settings: &'a SessionSettings,
    /// Whether the frame is that of the nearest instant of the frame grid.
    pub(super) on_grid: bool,
}

impl Shot<'_> {
    /// From when on pictures belong to a take of this T0. Frames of a camera on the grid lie some microseconds before or
    /// after its instants: there it is half a period before the nearest one, so that no chance decides which frame is the
    /// first, and all such cameras begin with the same one.
    fn from(&self, t0: Wall) -> Wall {
        let grid = self.settings.grid;
        if self.on_grid { grid.nearest(t0) - grid.period() / 2 } else { t0 }
    }

    /// The instant that a frame is meant to lie at.
    fn meant(&self, stamp: Wall) -> Wall {
        if self.on_grid { self.settings.grid.nearest(stamp) } else { stamp }
    }
}

/// A take that is being recorded.
#[derive(Debug)]
pub(super) struct Roll {
    pub(super) take: Take,
    /// Whether the disk has opened its files.
    pub(super) opened: bool,
    /// The next picture to look at.
    pub(super) cursor: u64,
    /// The last kept picture's exposure.
    pub(super) last: Option<Wall>,
    /// Which `segment_s` since T0 the open segment belongs to; `None` while none is open.
    pub(super) window: Option<i64>,
    /// Why the next kept picture does not join on to the last one.
    pub(super) gap: Option<Break>,
    /// Frames that are missing, by the stamps.
    pub(super) drops: Drops,
    /// How many gaps there are, and the last one.
    pub(super) gaps: u64,
    pub(super) last_gap: Option<Gap>,
    /// What was counted of late, and with which picture: it is taken back when that could not be written.
    counted: VecDeque<(Wall, Drops, Option<Gap>)>,
    /// Nothing is written before this, because the disk failed.
    pub(super) retry_at: Option<Mono>,
    /// Nothing is written for now, because the disk is full.
    pub(super) paused: bool,
}

impl Roll {
    /// A take whose files the disk was asked to open.
    pub(super) fn new(take: Take) -> Self {
        Self {
            take,
            opened: false,
            cursor: 0,
            last: None,
            window: None,
            gap: None,
            drops: Drops::default(),
            gaps: 0,
            last_gap: None,
            counted: VecDeque::new(),
            retry_at: None,
            paused: false,
        }
    }

    /// The disk has opened its files; the last picture in them was exposed at `last`.
    pub(super) fn open(&mut self, last: Option<Wall>) {
        self.opened = true;
        self.last = last;
        if last.is_some() {
            let detail = "the node's program was started again".into();
            self.gap = Some(Break { cause: "node_restarted", detail });
        }
    }

    /// Something could not be written: what comes after `last` is kept from the ring, once the disk takes it again.
    pub(super) fn fail(&mut self, last: Option<Wall>, why: Break, ring: &Ring, retry_at: Mono) {
        self.window = None;
        let lost = |to: Wall| last.is_none_or(|last| to > last);
        while self.counted.back().is_some_and(|(to, ..)| lost(*to)) {
            let Some((_, drops, gap)) = self.counted.pop_back() else { break };
            self.drops.camera -= drops.camera;
            self.drops.encoder -= drops.encoder;
            self.drops.gaps -= drops.gaps;
            self.gaps -= u64::from(gap.is_some());
        }
        self.last_gap = self.counted.iter().rev().find_map(|(.., gap)| gap.clone());
        self.last = last;
        self.cursor = ring.after(last);
        self.gap = Some(why);
        self.retry_at = Some(retry_at);
    }

    /// The disk is full or takes nothing: the open segment is closed whole.
    pub(super) fn pause(&mut self, why: Break, effects: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.paused, true) {
            return;
        }
        self.window = None;
        let pause = Pause { from: self.last, cause: why.cause.into(), detail: why.detail.clone() };
        effects.push(Effect::Store(StoreCommand::Pause(pause)));
        self.gap = Some(why);
    }

    /// There is room again: what is still in the ring is kept after all.
    pub(super) fn resume(&mut self, ring: &Ring) {
        if std::mem::take(&mut self.paused) {
            self.cursor = ring.after(self.last);
        }
    }

    pub(super) fn look_at(&mut self, slot: &Slot, shot: &Shot<'_>, effects: &mut Vec<Effect>) {
        let unit = &slot.unit;
        if let Some(why) = &slot.broken
            && self.last.is_some()
        {
            self.window = None;
            self.gap.get_or_insert_with(|| why.clone());
        }
        let begins = self.window.is_none();
        if begins {
            if self.last.is_none() {
                // Pictures before T0 are looked back at once the first one after it is here.
                if unit.time < shot.from(self.take.t0) - shot.settings.pre_roll {
                    return;
                }
                if !unit.key {
                    return self.lead_in(slot, shot, effects);
                }
            }
            if !unit.key {
                return;
            }
        }
        self.keep(slot, shot, effects);
    }

    /// The first picture after T0 is no IDR (the camera sets them where it likes): what it needs to be played is
    /// kept from the IDR before it.
    fn lead_in(&mut self, slot: &Slot, shot: &Shot<'_>, effects: &mut Vec<Effect>) {
        let from = shot.from(self.take.t0);
        let Some(key) = shot.ring.key_before(slot.seq).filter(|_| slot.unit.time >= from) else { return };
        let lead: Vec<_> = shot.ring.from(key.seq).take_while(|s| s.seq <= slot.seq).collect();
        let before = lead.iter().filter(|s| s.unit.time < from).count();
        for slot in lead {
            self.keep(slot, shot, effects);
        }
        effects.push(Effect::Store(StoreCommand::LeadIn(before as u64)));
    }

    fn keep(&mut self, slot: &Slot, shot: &Shot<'_>, effects: &mut Vec<Effect>) {
        let (unit, period) = (&slot.unit, shot.settings.grid.period());
        let length = i64::from(self.take.segment_s) * 1_000_000;
        let window = shot.meant(unit.time).since_us(self.take.t0).max(0) / length;
        let missed = self.missed(slot, period);
        let begins = self.window.is_none() || (unit.key && self.window.is_some_and(|current| window > current));
        let gap = self.gap_before(slot, period);
        if self.last.is_none() {
            effects.push(Effect::Store(StoreCommand::From(shot.from(self.take.t0))));
        }
        match &gap {
            Some(gap) => self.count(unit.time, Drops { gaps: missed, ..Drops::default() }, Some(gap), effects),
            None if missed > 0 => self.drop(slot, missed, effects),
            None => {}
        }
        if begins {
            effects.push(Effect::Store(StoreCommand::Segment));
            self.window = Some(window);
        }
        self.last = Some(unit.time);
        effects.push(Effect::Store(StoreCommand::Keep(unit.clone())));
    }

    fn count(&mut self, to: Wall, drops: Drops, gap: Option<&Gap>, effects: &mut Vec<Effect>) {
        self.drops.camera += drops.camera;
        self.drops.encoder += drops.encoder;
        self.drops.gaps += drops.gaps;
        if let Some(gap) = gap {
            self.gaps += 1;
            self.last_gap = Some(gap.clone());
            effects.push(Effect::Store(StoreCommand::Gap(gap.clone())));
        }
        if self.counted.len() == MAX_COUNTED {
            self.counted.pop_front();
        }
        self.counted.push_back((to, drops, gap.cloned()));
    }

    /// Single frames are missing before this picture: those that the encoder took are its own.
    fn drop(&mut self, slot: &Slot, missed: u64, effects: &mut Vec<Effect>) {
        let encoder = if slot.behind { missed } else { missed.min(slot.swallowed) };
        let camera = missed - encoder;
        let (from, to) = (self.last.unwrap_or(self.take.t0), slot.unit.time);
        self.count(to, Drops { camera, encoder, gaps: 0 }, None, effects);
        for (frames, by) in [(encoder, DropSide::Encoder), (camera, DropSide::Camera)] {
            if frames > 0 {
                effects.push(Effect::Store(StoreCommand::Dropped(Drop { from, to, frames, by })));
            }
        }
    }

    /// How many frames are missing before a picture, by the stamps. The first one may come up to a period after T0.
    fn missed(&self, slot: &Slot, period: Duration) -> u64 {
        let time = slot.unit.time;
        let periods = |from: Wall| time.since_us(from) as f64 / micros(period).max(1) as f64;
        let missed = match self.last {
            Some(last) => (periods(last.offset_us(slot.stepped_us)) - 1.0).round(),
            None => (periods(self.take.t0) - 0.01).floor(),
        };
        missed.max(0.0) as u64
    }

    /// The gap before this picture, if there is one.
    fn gap_before(&mut self, slot: &Slot, period: Duration) -> Option<Gap> {
        let to = slot.unit.time;
        let why = if self.window.is_none() { self.gap.take() } else { None };
        let (from, why) = match (self.last, why) {
            (Some(last), why) if slot.stepped_us != 0 => (last, stepped(slot.stepped_us, why)),
            (Some(last), Some(why)) => (last, why),
            (None, why) if to.since_us(self.take.t0) > micros(period) * 3 / 2 => {
                let late = || Break { cause: "joined_late", detail: "the camera was not there yet at T0".into() };
                (self.take.t0, why.unwrap_or_else(late))
            }
            _ => return None,
        };
        Some(Gap { from, to, cause: why.cause.into(), detail: why.detail })
    }

    /// The gap at the end of a take whose camera or disk did not come back before T1.
    pub(super) fn gap_to_end(&self, t1: Wall, period: Duration, fault: Option<&Fault>) -> Option<Gap> {
        let from = self.last.unwrap_or(self.take.t0);
        let missing = t1.since_us(from) > micros(period) * 2;
        let cause = match (&self.gap, self.last) {
            (Some(why), _) => why.cause,
            (None, None) => "never_rolled",
            (None, Some(_)) => "camera_lost",
        };
        let detail = self.gap.as_ref().map(|why| why.detail.clone()).or_else(|| fault.map(|f| f.message.clone()));
        missing.then(|| Gap {
            from,
            to: t1,
            cause: cause.into(),
            detail: detail.unwrap_or_else(|| "no picture came".into()),
        })
    }
}

/// Stamps jump here because the clock was set, whatever else happened.
fn stepped(us: i64, why: Option<Break>) -> Break {
    let also = why.map(|why| format!("; {}", why.detail)).unwrap_or_default();
    Break { cause: "clock_stepped", detail: format!("the node's clock was {}{also}", crate::steps::told(us)) }
}
