//! The retained messages, owned by the guard.
//!
//! Pure. rumqttd cuts what a new subscriber gets to 200 messages, lets a NON-retained empty publish delete
//! (`router/routing.rs:1230`), sends nothing on a second subscribe (`:967`) and forgets all when it ends; here all of a
//! filter's messages are found, in the order of their topics, on every subscribe.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::message::Message;
use crate::topic;

/// Topic to message, sorted.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    map: BTreeMap<Arc<str>, Message>,
    bytes: usize,
    /// Counts changes, so that a writer knows whether there is something to write.
    version: u64,
}

fn cost(m: &Message) -> usize {
    m.topic.len() + m.payload.len() + m.forward.len() + 160
}

impl Retained {
    /// Takes a message that was published with the retain flag; an empty one clears. False: no room (`limit` bytes).
    /// Only a `weighty` one is a change to be written soon.
    pub(crate) fn set(&mut self, message: &Message, limit: usize, weighty: bool) -> bool {
        let old = self.map.get(&message.topic).map_or(0, cost);
        if message.payload.is_empty() {
            if self.map.remove(&message.topic).is_some() {
                self.bytes -= old;
                self.version += u64::from(weighty);
            }
            return true;
        }
        let new = cost(message);
        if self.bytes - old + new > limit {
            return false;
        }
        // The payload is a slice of a read buffer: a copy lets that buffer go.
        let mut kept = message.clone();
        kept.payload = Bytes::copy_from_slice(&message.payload);
        kept.forward = Bytes::copy_from_slice(&message.forward);
        self.bytes = self.bytes - old + new;
        self.version += u64::from(weighty);
        self.map.insert(message.topic.clone(), kept);
        true
    }

    /// All that belong to a filter and are still worth something.
    pub(crate) fn matching(&self, filter: &str, now_ms: u64) -> Vec<Message> {
        if !filter.contains(['+', '#']) {
            return self.map.get(filter).filter(|m| m.left(now_ms).is_ok()).cloned().into_iter().collect();
        }
        let front = &filter[..filter.find(['+', '#']).unwrap_or(0)];
        // `a/#` means `a` too, so the search starts at the name without its last slash.
        let start = front.strip_suffix('/').unwrap_or(front);
        self.map
            .range::<str, _>((std::ops::Bound::Included(start), std::ops::Bound::Unbounded))
            .take_while(|(topic, _)| topic.starts_with(start))
            .filter(|(topic, m)| topic::matches(topic, filter) && m.left(now_ms).is_ok())
            .map(|(_, m)| m.clone())
            .collect()
    }

    /// Forgets what has expired.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        let before = self.map.len();
        let bytes = &mut self.bytes;
        self.map.retain(|_, m| {
            let keep = m.left(now_ms).is_ok();
            if !keep {
                *bytes -= cost(m);
            }
            keep
        });
        if self.map.len() != before {
            self.version += 1;
        }
    }

    /// All, in the order of their topics.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Message> {
        self.map.values()
    }

    /// Another number after each change that is to be written soon.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(topic: &str, payload: &str) -> Message {
        Message {
            topic: topic.into(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            qos: 1,
            retain: true,
            sender: 0,
            at_ms: 0,
            expiry: None,
            forward: Bytes::new(),
        }
    }

    #[test]
    fn keeps_the_last_and_an_empty_one_clears() {
        let mut r = Retained::default();
        assert!(r.set(&message("a", "1"), 1000, true) && r.set(&message("a", "2"), 1000, true));
        assert_eq!(r.matching("a", 0)[0].payload, "2");
        r.set(&message("a", ""), 1000, true);
        assert_eq!((r.len(), r.bytes), (0, 0));
    }

    #[test]
    fn only_weighty_changes_ask_to_be_written() {
        let mut r = Retained::default();
        r.set(&message("status/1", "x"), 1000, false);
        r.set(&message("status/1", ""), 1000, false);
        assert_eq!(r.version(), 0);
        r.set(&message("take", "x"), 1000, true);
        assert_eq!(r.version(), 1);
    }

    #[test]
    fn room_is_bounded_and_expired_ones_go() {
        let mut r = Retained::default();
        let mut short = message("b", "x");
        short.expiry = Some(2);
        assert!(r.set(&short, 500, true));
        assert!(!r.set(&message("c", &"x".repeat(400)), 500, true));
        assert_eq!(r.matching("#", 1999).len(), 1);
        assert_eq!(r.matching("#", 2000).len(), 0);
        r.expire(2000);
        assert_eq!((r.len(), r.bytes), (0, 0));
    }

    proptest! {
        #[test]
        fn a_search_finds_what_matches(topics in prop::collection::vec("(a|b|ab|\\$x|)(/(a|b|ab|)){0,3}", 1..20),
                                       filter in "(a|b|ab|\\+|)(/(a|b|\\+|)){0,3}(/#)?|#") {
            let topics: std::collections::BTreeSet<_> = topics.into_iter().filter(|t| !t.is_empty()).collect();
            prop_assume!(topic::check_filter(&filter).is_ok());
            let mut r = Retained::default();
            for t in &topics {
                r.set(&message(t, "x"), usize::MAX, true);
            }
            let found: Vec<_> = r.matching(&filter, 0).iter().map(|m| m.topic.to_string()).collect();
            let expected: Vec<_> = topics.iter().filter(|t| topic::matches(t, &filter)).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
