//! The table of all filters that somebody is subscribed to, each with a small number.
//!
//! Pure. rumqttd never sees a client's topic: it routes on `f/<number>`. Its own tables of topics and filters only ever
//! grow (`router/logs.rs:63`) and its matching panics on some names (`protocol/mod.rs:658`); numbers are used again, so
//! behind the guard there are never more of them than there were filters at one time.

use std::collections::HashMap;

/// A filter's number inside rumqttd.
pub(crate) type Slot = u32;

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    slot: Option<Slot>,
}

/// Filters, counted, as a tree of their levels. Depth is bounded by [`crate::topic::MAX_LEVELS`].
#[derive(Debug, Default)]
pub(crate) struct Filters {
    root: Node,
    /// Users of each slot.
    users: Vec<usize>,
    free: Vec<Slot>,
}

impl Filters {
    /// One more user of a filter.
    pub(crate) fn add(&mut self, filter: &str) -> Slot {
        let mut node = &mut self.root;
        for level in filter.split('/') {
            node = node.children.entry(level.into()).or_default();
        }
        let slot = *node.slot.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.users.push(0);
                Slot::try_from(self.users.len() - 1).unwrap_or(Slot::MAX)
            })
        });
        if let Some(n) = self.users.get_mut(slot as usize) {
            *n += 1;
        }
        slot
    }

    /// One user less. The number is free for another filter when nobody is left.
    pub(crate) fn remove(&mut self, filter: &str) {
        let levels: Vec<&str> = filter.split('/').collect();
        if let Some(freed) = remove(&mut self.root, &levels, &mut self.users) {
            self.free.push(freed);
        }
    }

    /// The numbers of all filters that a topic belongs to.
    pub(crate) fn matching(&self, topic: &str, out: &mut Vec<Slot>) {
        let levels: Vec<&str> = topic.split('/').collect();
        find(&self.root, &levels, topic.starts_with('$'), out);
    }

    /// How many numbers were ever needed at one time.
    #[cfg(test)]
    fn slots(&self) -> usize {
        self.users.len()
    }
}

fn remove(node: &mut Node, levels: &[&str], users: &mut [usize]) -> Option<Slot> {
    let Some((level, rest)) = levels.split_first() else {
        let slot = node.slot?;
        let count = users.get_mut(slot as usize)?;
        *count = count.saturating_sub(1);
        return if *count == 0 { node.slot.take() } else { None };
    };
    let child = node.children.get_mut(*level)?;
    let freed = remove(child, rest, users);
    if child.slot.is_none() && child.children.is_empty() {
        node.children.remove(*level);
    }
    freed
}

fn find(node: &Node, levels: &[&str], dollar: bool, out: &mut Vec<Slot>) {
    if !dollar && let Some(hash) = node.children.get("#") {
        out.extend(hash.slot);
    }
    let Some((level, rest)) = levels.split_first() else {
        out.extend(node.slot);
        return;
    };
    if !dollar && let Some(plus) = node.children.get("+") {
        find(plus, rest, false, out);
    }
    if let Some(child) = node.children.get(*level) {
        find(child, rest, false, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::topic;

    fn filter() -> impl Strategy<Value = String> {
        "(a|b|\\+|)(/(a|b|\\+|)){0,3}(/#)?".prop_filter("allowed", |f| topic::check_filter(f).is_ok())
    }

    fn name() -> impl Strategy<Value = String> {
        "(a|b|\\$a|)(/(a|b|)){0,4}".prop_filter("allowed", |t| topic::check_name(t).is_ok())
    }

    proptest! {
        #[test]
        fn agrees_with_matching_one_by_one(filters in prop::collection::vec(filter(), 1..12), topic in name(),
                                           gone in prop::collection::vec(any::<bool>(), 12)) {
            let mut table = Filters::default();
            let mut slots: Vec<_> = filters.iter().map(|f| Some(table.add(f))).collect();
            for (i, f) in filters.iter().enumerate() {
                if gone[i] {
                    table.remove(f);
                    slots[i] = None;
                }
            }
            let mut found = Vec::new();
            table.matching(&topic, &mut found);
            found.sort_unstable();
            let mut expected: Vec<_> = filters.iter().zip(&slots)
                .filter(|(f, s)| s.is_some() && topic::matches(&topic, f)).filter_map(|(_, s)| *s).collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn numbers_are_used_again() {
        let mut table = Filters::default();
        for i in 0..1000 {
            let filter = format!("a/{i}/+");
            table.add(&filter);
            table.remove(&filter);
        }
        assert_eq!(table.slots(), 1);
        assert!(table.root.children.is_empty());
    }
}
