//! When rumqttd's logs, one for each filter's number, are turned, so that they forget, and are never too short.
//!
//! Pure: the instant is an argument. rumqttd keeps the last messages of each filter for ever, a quarter megabyte or two
//! segments of any size, whether somebody reads them or not, and never drops a log; hundreds of nodes with a filter of
//! their own each would fill hundreds of them. A blank message that fills a segment makes it drop the oldest one. A log
//! that has got something is turned by one every [`TURN`], until nothing but blanks is left in it; and at once when half
//! a segment has been put on it, because rumqttd also drops what nobody has read yet (`segments/mod.rs:148`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::filters::Slot;
use crate::router::{SEGMENT_BYTES, SEGMENTS};

/// A message lies in its log for a turn at least, as far as there is room. Sessions take it within milliseconds.
const TURN: Duration = Duration::from_secs(4);
/// A segment's table has room for 1,024 messages (`segments/segment.rs:34`) and grows with more, for good.
const MESSAGES: usize = 1000;
const BYTES: usize = SEGMENT_BYTES / 2;

#[derive(Debug, Clone, Copy, Default)]
struct Log {
    /// How many turns it takes until it is empty; 0 if it is.
    turns: usize,
    /// What has been put on it since it was full.
    messages: usize,
    bytes: usize,
}

/// All logs, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    logs: Vec<Log>,
    /// The next turn of each that is not, in the order of time.
    due: VecDeque<(Instant, Slot)>,
}

impl Logs {
    /// A message of so many bytes was put on it. True if its segment is full by that and wants to be turned.
    pub(crate) fn grown(&mut self, slot: Slot, bytes: usize, now: Instant) -> bool {
        let number = slot as usize;
        if self.logs.len() <= number {
            self.logs.resize(number + 1, Log::default());
        }
        let log = &mut self.logs[number];
        if log.turns == 0 {
            self.due.push_back((now + TURN, slot));
        }
        // One more than there are segments: the blank that fills the active one does not close it.
        log.turns = SEGMENTS + 1;
        log.messages += 1;
        log.bytes = log.bytes.saturating_add(bytes);
        let full = log.messages >= MESSAGES || log.bytes >= BYTES;
        if full {
            (log.messages, log.bytes) = (0, 0);
        }
        full
    }

    /// The next one to be turned now; `None` when there is no more.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Slot> {
        let (at, slot) = *self.due.front()?;
        if at > now {
            return None;
        }
        self.due.pop_front();
        let turns = &mut self.logs[slot as usize].turns;
        *turns -= 1;
        if *turns > 0 {
            self.due.push_back((now + TURN, slot));
        }
        Some(slot)
    }

    /// There is a new router, whose logs are empty.
    pub(crate) fn renewed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_due(logs: &mut Logs, now: Instant) -> Vec<Slot> {
        std::iter::from_fn(|| logs.due(now)).collect()
    }

    #[test]
    fn a_log_is_turned_until_it_is_empty_and_then_left_alone() {
        let (mut logs, begin) = (Logs::default(), crate::clock::now());
        logs.grown(7, 1, begin);
        logs.grown(7, 1, begin + TURN / 2);
        assert_eq!(all_due(&mut logs, begin + TURN / 2), [0; 0]);
        for turn in 1..=SEGMENTS + 1 {
            assert_eq!(all_due(&mut logs, begin + TURN * turn as u32), [7], "turn {turn}");
        }
        assert_eq!(all_due(&mut logs, begin + TURN * 1000), [0; 0]);
        logs.grown(7, 1, begin + TURN * 1000);
        assert_eq!(all_due(&mut logs, begin + TURN * 1001), [7]);
    }

    #[test]
    fn who_gets_messages_all_the_time_is_turned_all_the_time_and_once_each() {
        let (mut logs, begin) = (Logs::default(), crate::clock::now());
        let mut turned = [0; 3];
        for ms in 0..15_000 * TURN.as_secs() {
            let now = begin + Duration::from_millis(ms);
            logs.grown(u32::try_from(ms % 3).unwrap(), 1, now);
            all_due(&mut logs, now).iter().for_each(|slot| turned[*slot as usize] += 1);
        }
        assert_eq!(turned, [14; 3]);
    }

    #[test]
    fn a_log_is_full_by_messages_or_by_bytes() {
        let (mut logs, begin) = (Logs::default(), crate::clock::now());
        assert_eq!((0..5 * MESSAGES).filter(|_| logs.grown(7, 1, begin)).count(), 5);
        assert_eq!((0..40).filter(|_| logs.grown(7, BYTES / 4, begin)).count(), 10);
        assert!(logs.grown(7, 100 * BYTES, begin), "one alone");
        assert!(!logs.grown(7, 1, begin), "and then there is room again");
    }

    #[test]
    fn a_new_router_has_nothing_to_forget() {
        let (mut logs, begin) = (Logs::default(), crate::clock::now());
        logs.grown(3, 1, begin);
        logs.renewed();
        assert_eq!(all_due(&mut logs, begin + TURN * 2), [0; 0]);
        logs.grown(0, 1, begin + TURN * 2);
        assert_eq!(all_due(&mut logs, begin + TURN * 3), [0]);
    }
}
