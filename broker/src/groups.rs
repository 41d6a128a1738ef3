//! Shared subscriptions of one filter: of each group one member gets a message, in turn.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The groups that share a filter; `S` is what tells their members apart.
#[derive(Debug)]
pub(crate) struct Groups<S>(Vec<Group<S>>);

#[derive(Debug)]
struct Group<S> {
    name: Box<str>,
    members: Vec<Member<S>>,
    /// Counts messages. Atomic because matching only reads the table.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Member<S> {
    slot: S,
    /// Its client is not connected. It gets messages only when all are away.
    away: bool,
}

impl<S> Default for Groups<S> {
    fn default() -> Groups<S> {
        Groups(Vec::new())
    }
}

impl<S: Copy + PartialEq> Groups<S> {
    /// A new member.
    pub(crate) fn join(&mut self, name: &str, slot: S) {
        let member = Member { slot, away: false };
        match self.0.iter_mut().find(|g| *g.name == *name) {
            Some(group) => group.members.push(member),
            None => self.0.push(Group { name: name.into(), members: vec![member], turn: AtomicUsize::new(0) }),
        }
    }

    /// A member less.
    pub(crate) fn leave(&mut self, name: &str, slot: S) {
        if let Some(group) = self.0.iter_mut().find(|g| *g.name == *name) {
            group.members.retain(|m| m.slot != slot);
        }
        self.0.retain(|g| !g.members.is_empty());
    }

    /// A member's client is gone, or has come back.
    pub(crate) fn away(&mut self, name: &str, slot: S, away: bool) {
        let group = self.0.iter_mut().find(|g| *g.name == *name);
        if let Some(member) = group.and_then(|g| g.members.iter_mut().find(|m| m.slot == slot)) {
            member.away = away;
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next member of each group.
    pub(crate) fn take(&self, out: &mut Vec<S>) {
        for group in &self.0 {
            let turn = group.turn.fetch_add(1, Ordering::Relaxed);
            let here = group.members.iter().filter(|m| !m.away);
            let next = match here.clone().count() {
                0 => group.members.get(turn % group.members.len().max(1)),
                n => here.clone().nth(turn % n),
            };
            out.extend(next.map(|m| m.slot));
        }
    }
}
