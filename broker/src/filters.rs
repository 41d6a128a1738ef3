//! The table of all filters that somebody is subscribed to, each with a small number.
//!
//! Pure. rumqttd never sees a client's topic: it routes on `f/<number>`. Its own tables of topics and filters only ever
//! grow (`router/logs.rs:63`) and its matching panics on some names (`protocol/mod.rs:658`); numbers are used again, so
//! behind the guard there are hardly more of them than there were filters at one time.

use std::collections::{BTreeSet, HashMap};

use crate::groups::Groups;
use crate::topic;

/// A filter's number inside rumqttd; of a shared subscription each member has one of its own.
pub(crate) type Slot = u32;

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    slot: Option<Slot>,
    groups: Groups<Slot>,
}

/// Where a message goes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Matched {
    /// The filters that it belongs to, ascending.
    pub(crate) all: Vec<Slot>,
    /// One member of each group that shares a subscription.
    pub(crate) one: Vec<Slot>,
}

/// Filters, counted, as a tree of their levels. Depth is bounded by [`crate::topic::MAX_LEVELS`].
#[derive(Debug, Default)]
pub(crate) struct Filters {
    root: Node,
    /// Users of each slot.
    users: Vec<usize>,
    /// The smallest is given first, so that the same few are used again and again.
    free: BTreeSet<Slot>,
}

impl Filters {
    /// One more user of a filter.
    pub(crate) fn add(&mut self, whole: &str) -> Slot {
        let (group, filter) = split(whole);
        let node = filter.split('/').fold(&mut self.root, |node, level| node.children.entry(level.into()).or_default());
        let slot = match (group, node.slot) {
            (None, Some(slot)) => slot,
            _ => self.free.pop_first().unwrap_or_else(|| {
                self.users.push(0);
                Slot::try_from(self.users.len() - 1).unwrap_or(Slot::MAX)
            }),
        };
        match group {
            None => node.slot = Some(slot),
            Some(group) => node.groups.join(group, slot),
        }
        if let Some(n) = self.users.get_mut(slot as usize) {
            *n += 1;
        }
        slot
    }

    /// One user less. When nobody is left the number is free for another filter.
    pub(crate) fn remove(&mut self, whole: &str, slot: Slot) {
        let (group, filter) = split(whole);
        let levels: Vec<&str> = filter.split('/').collect();
        if remove(&mut self.root, &levels, group, slot, &mut self.users) {
            self.free.insert(slot);
        }
    }

    /// A member of a group is away, or here again. Filters that nobody shares are not concerned.
    pub(crate) fn away(&mut self, filter: &str, slot: Slot, away: bool) {
        let (Some(group), filter) = split(filter) else { return };
        let node = filter.split('/').try_fold(&mut self.root, |node, level| node.children.get_mut(level));
        if let Some(node) = node {
            node.groups.away(group, slot, away);
        }
    }

    /// Where a message to this topic goes. Of each group it is the next one's turn.
    pub(crate) fn matching(&self, topic: &str) -> Matched {
        let levels: Vec<&str> = topic.split('/').collect();
        let mut out = Matched::default();
        find(&self.root, &levels, topic.starts_with('$'), &mut out);
        out.all.sort_unstable();
        out
    }

    /// How many numbers were ever needed at one time.
    #[cfg(test)]
    fn slots(&self) -> usize {
        self.users.len()
    }
}

fn split(filter: &str) -> (Option<&str>, &str) {
    topic::shared(filter).map_or((None, filter), |(group, filter)| (Some(group), filter))
}

/// True if nobody uses the number any more.
fn remove(node: &mut Node, levels: &[&str], group: Option<&str>, slot: Slot, users: &mut [usize]) -> bool {
    let Some((level, rest)) = levels.split_first() else {
        let Some(count) = users.get_mut(slot as usize) else { return false };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return false;
        }
        match group {
            None => node.slot = None,
            Some(group) => node.groups.leave(group, slot),
        }
        return true;
    };
    let Some(child) = node.children.get_mut(*level) else { return false };
    let freed = remove(child, rest, group, slot, users);
    if child.slot.is_none() && child.children.is_empty() && child.groups.is_empty() {
        node.children.remove(*level);
        if node.children.is_empty() {
            node.children = HashMap::new();
        }
    }
    freed
}

fn find(node: &Node, levels: &[&str], dollar: bool, out: &mut Matched) {
    if !dollar && let Some(hash) = node.children.get("#") {
        hash.take(out);
    }
    let Some((level, rest)) = levels.split_first() else {
        node.take(out);
        return;
    };
    if !dollar && let Some(plus) = node.children.get("+") {
        find(plus, rest, false, out);
    }
    if let Some(child) = node.children.get(*level) {
        find(child, rest, false, out);
    }
}

impl Node {
    fn take(&self, out: &mut Matched) {
        out.all.extend(self.slot);
        self.groups.take(&mut out.one);
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
                    table.remove(f, slots[i].unwrap());
                    slots[i] = None;
                }
            }
            let found = table.matching(&topic).all;
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
            let slot = table.add(&filter);
            table.remove(&filter, slot);
        }
        assert_eq!(table.slots(), 1);
        assert!(table.root.children.is_empty());
    }

    #[test]
    fn members_take_turns_and_those_away_are_passed_over() {
        let mut table = Filters::default();
        let all = table.add("a/+");
        let (one, two) = (table.add("$share/g/a/+"), table.add("$share/g/a/+"));
        let other = table.add("$share/h/a/#");
        let turns = || {
            let Matched { all: found, one } = table.matching("a/b");
            assert_eq!((found, one.len(), one.contains(&other)), (vec![all], 2, true));
            one.into_iter().find(|s| *s != other).unwrap()
        };
        assert_eq!([turns(), turns(), turns()], [one, two, one]);
        table.away("$share/g/a/+", one, true);
        for _ in 0..3 {
            assert!(table.matching("a/b").one.contains(&two));
        }
        table.away("$share/g/a/+", two, true);
        assert_eq!(table.matching("a/b").one.len(), 2, "somebody gets it even if all are away");
        table.away("$share/g/a/+", one, false);
        assert!(table.matching("a/b").one.contains(&one));
        for (filter, slot) in [("$share/g/a/+", one), ("$share/g/a/+", two), ("$share/h/a/#", other), ("a/+", all)] {
            table.remove(filter, slot);
        }
        assert_eq!(table.matching("a/b"), Matched::default());
        assert!(table.root.children.is_empty());
    }
}
