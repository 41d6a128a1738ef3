//! What is kept of one take: each picture is looked at once, in order. Pure.

use std::time::Duration;

use syncslate_shared::manifest::{Gap, Pause};
use syncslate_shared::protocol::{Fault, Take};
use syncslate_shared::time::{Mono, Wall, micros};

use super::SessionSettings;
use crate::camera::AccessUnit;
use crate::event::{Effect, StoreCommand};
use crate::ring::{Break, Ring, Slot};

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
    /// Frames missing by the stamps.
    pub(super) dropped: u64,
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
            dropped: 0,
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
        self.last = last;
        self.cursor = ring.after(last);
        self.gap = Some(why);
        self.retry_at = Some(retry_at);
    }

    /// The disk is full: the open segment is closed whole.
    pub(super) fn pause(&mut self, fault: &Fault, effects: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.paused, true) {
            return;
        }
        self.window = None;
        let detail = fault.message.clone();
        let pause = Pause { from: self.last, cause: "disk_full".into(), detail: detail.clone() };
        effects.push(Effect::Store(StoreCommand::Pause(pause)));
        self.gap = Some(Break { cause: "disk_full", detail });
    }

    /// There is room again: what is still in the ring is kept after all.
    pub(super) fn resume(&mut self, ring: &Ring) {
        if std::mem::take(&mut self.paused) {
            self.cursor = ring.after(self.last);
        }
    }

    pub(super) fn look_at(&mut self, slot: &Slot, ring: &Ring, settings: &SessionSettings, effects: &mut Vec<Effect>) {
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
                if unit.time < self.take.t0 - settings.pre_roll {
                    return;
                }
                if !unit.key {
                    return self.lead_in(slot, ring, settings, effects);
                }
            }
            if !unit.key {
                return;
            }
        }
        self.keep(unit, settings, effects);
    }

    /// The first picture after T0 is no IDR (the camera sets them where it likes): what it needs to be played is
    /// kept from the IDR before it.
    fn lead_in(&mut self, slot: &Slot, ring: &Ring, settings: &SessionSettings, effects: &mut Vec<Effect>) {
        let Some(key) = ring.key_before(slot.seq).filter(|_| slot.unit.time >= self.take.t0) else { return };
        let lead: Vec<_> = ring.from(key.seq).take_while(|s| s.seq <= slot.seq).collect();
        let before = lead.iter().filter(|s| s.unit.time < self.take.t0).count();
        for slot in lead {
            self.keep(&slot.unit, settings, effects);
        }
        effects.push(Effect::Store(StoreCommand::LeadIn(before as u64)));
    }

    fn keep(&mut self, unit: &AccessUnit, settings: &SessionSettings, effects: &mut Vec<Effect>) {
        let length = i64::from(self.take.segment_s) * 1_000_000;
        let window = unit.time.since_us(self.take.t0).max(0) / length;
        let missed = self.missed(unit.time, settings.period);
        let boundary = unit.key && self.window.is_some_and(|current| window > current);
        if self.window.is_none() || boundary {
            if let Some((from, why)) = self.gap_before(unit.time, settings.period) {
                let gap = Gap { from, to: unit.time, cause: why.cause.into(), detail: why.detail };
                effects.push(Effect::Store(StoreCommand::Gap(gap)));
            }
            effects.push(Effect::Store(StoreCommand::Segment));
            self.window = Some(window);
        }
        self.dropped += missed;
        self.last = Some(unit.time);
        effects.push(Effect::Store(StoreCommand::Keep(unit.clone())));
    }

    /// How many frames are missing before a picture, by the stamps. The first one may come up to a period after T0.
    fn missed(&self, time: Wall, period: Duration) -> u64 {
        let periods = |from: Wall| time.since_us(from) as f64 / micros(period).max(1) as f64;
        let missed = match self.last {
            Some(last) => (periods(last) - 1.0).round(),
            None => (periods(self.take.t0) - 0.01).floor(),
        };
        missed.max(0.0) as u64
    }

    /// Where a gap before this picture began and why, if there is one.
    fn gap_before(&mut self, time: Wall, period: Duration) -> Option<(Wall, Break)> {
        match (self.last, self.gap.take()) {
            (Some(last), Some(why)) => Some((last, why)),
            (None, why) if time.since_us(self.take.t0) > micros(period) * 3 / 2 => {
                let late = || Break { cause: "joined_late", detail: "the camera was not there yet at T0".into() };
                Some((self.take.t0, why.unwrap_or_else(late)))
            }
            _ => None,
        }
    }

    /// The gap at the end of a take whose camera or disk did not come back before T1.
    pub(super) fn last_gap(&self, t1: Wall, period: Duration, fault: Option<&Fault>) -> Option<Gap> {
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
