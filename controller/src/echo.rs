//! The echoes of our own clearing: taking a retained command off a broker is publishing an empty message on its topic,
//! and that comes back to us live as an empty command (an empty START would start a take). Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use syncslate_shared::time::Mono;

/// An echo that has not come by then was lost; a true empty command must not be taken for it.
const LIFE: Duration = Duration::from_secs(5);

/// Echoes that are expected, by topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echoes(BTreeMap<String, Vec<Mono>>);

impl Echoes {
    /// A topic was cleared: one empty message will come back.
    pub fn expect(&mut self, now: Mono, topic: &str) {
        self.0.entry(topic.to_owned()).or_default().push(now);
    }

    /// Whether this message is such an echo; each is taken once.
    pub fn take(&mut self, now: Mono, topic: &str, payload: &[u8]) -> bool {
        let Some(expected) = self.0.get_mut(topic) else { return false };
        expected.retain(|since| now.since(*since) <= LIFE);
        let echo = payload.is_empty() && !expected.is_empty();
        if echo {
            expected.remove(0);
        }
        if expected.is_empty() {
            self.0.remove(topic);
        }
        echo
    }

    /// A new connection: what the old one owed will not come.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Mono {
        Mono::from_micros(s * 1_000_000)
    }

    #[test]
    fn exactly_one_empty_message_is_taken_for_each_clearing() {
        let mut echoes = Echoes::default();
        assert!(!echoes.take(at(0), "cmd/start", b""), "a true empty START");
        echoes.expect(at(1), "cmd/start");
        echoes.expect(at(1), "cmd/start");
        assert!(!echoes.take(at(1), "cmd/stop", b""), "another topic");
        assert!(!echoes.take(at(1), "cmd/start", b"A01"), "not empty");
        assert!(echoes.take(at(1), "cmd/start", b""));
        assert!(echoes.take(at(2), "cmd/start", b""));
        assert!(!echoes.take(at(2), "cmd/start", b""));
    }

    #[test]
    fn an_echo_that_never_came_swallows_nothing() {
        let mut echoes = Echoes::default();
        echoes.expect(at(0), "cmd/start");
        assert!(!echoes.take(at(6), "cmd/start", b""));
        echoes.expect(at(7), "cmd/start");
        echoes.forget();
        assert!(!echoes.take(at(7), "cmd/start", b""));
    }
}
