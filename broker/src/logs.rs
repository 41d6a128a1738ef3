//! How full rumqttd's logs are, one for each filter's number, and when one is to be emptied.
//!
//! Pure. rumqttd keeps the last messages of a filter also when nobody reads them any more, sixteen of any size, and
//! never drops a log. A filter that comes back may get another number, so without this a few large messages now and then
//! might fill the log of every number.

use crate::filters::Slot;

/// What a message costs in a log besides its payload.
const ENTRY: usize = 400;
/// A log that holds less is left as it is.
const WORTHWHILE: usize = 256 << 10;

#[derive(Debug, Clone, Copy, Default)]
struct Log {
    /// Links that read it.
    readers: usize,
    /// About as many bytes as were put on it since it was emptied.
    bytes: usize,
}

/// All logs, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Logs(Vec<Log>);

impl Logs {
    fn log(&mut self, slot: Slot) -> &mut Log {
        let slot = slot as usize;
        if self.0.len() <= slot {
            self.0.resize(slot + 1, Log::default());
        }
        &mut self.0[slot]
    }

    /// One more reads it.
    pub(crate) fn joined(&mut self, slot: Slot) {
        self.log(slot).readers += 1;
    }

    /// One less. True: nobody is left, and it is worth emptying; it counts as empty from now on.
    pub(crate) fn left(&mut self, slot: Slot) -> bool {
        let log = self.log(slot);
        log.readers = log.readers.saturating_sub(1);
        let empty = log.readers == 0 && log.bytes >= WORTHWHILE;
        if empty {
            log.bytes = 0;
        }
        empty
    }

    /// A message was put on it.
    pub(crate) fn grown(&mut self, slot: Slot, payload: usize) {
        let log = self.log(slot);
        log.bytes = log.bytes.saturating_add(ENTRY + payload);
    }

    /// There is a new router, whose logs are empty.
    pub(crate) fn renewed(&mut self) {
        self.0.iter_mut().for_each(|log| log.bytes = 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_emptied_once_when_the_last_reader_leaves() {
        let mut logs = Logs::default();
        logs.joined(7);
        logs.joined(7);
        (0..1000).for_each(|_| logs.grown(7, 10));
        assert!(!logs.left(7), "somebody reads it");
        assert!(logs.left(7));
        logs.joined(7);
        logs.grown(7, 10);
        assert!(!logs.left(7), "hardly anything in it");
        logs.grown(3, WORTHWHILE);
        logs.renewed();
        assert!(!logs.left(3));
    }
}
