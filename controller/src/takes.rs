//! The take: START, STOP and MARK, as a state machine over the [`Journal`]. Pure: the instant is an argument, and what
//! it wants done comes back as effects, the journal always before what is said.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use syncslate_shared::command::{ErrorCode, MarkChange, Refusal};
use syncslate_shared::protocol::{CurrentTake, Take};
use syncslate_shared::take::{Mark, Stamp, TakeId, TakeName};
use syncslate_shared::time::Wall;
use syncslate_shared::topic::Topic;

use crate::event::Effect;
use crate::journal::Journal;
use crate::marks;
use crate::naming;
use crate::roll::{Candidate, choose_t0, step};

/// Numbers from here on were typed by somebody: counting on from `take_99999999` would help nobody.
const LAST_NUMBER: u32 = 999_999;

/// The state of the take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takes {
    journal: Journal,
    segment_s: u32,
    /// Takes that are known from elsewhere: the downloads folder, the nodes' words.
    elsewhere: BTreeSet<TakeId>,
    /// The names of the folders in the downloads folder, which may have been renamed.
    folders: BTreeSet<TakeName>,
}

impl Takes {
    /// Goes on where the journal ends; new takes get segments of `segment_s` seconds.
    pub fn new(journal: Journal, segment_s: u32) -> Self {
        Self { journal, segment_s, elsewhere: BTreeSet::new(), folders: BTreeSet::new() }
    }

    /// New takes get segments of so many seconds from now on.
    pub fn set_segment_s(&mut self, segment_s: u32) {
        self.segment_s = segment_s;
    }

    /// What is to be kept.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The take that is being recorded.
    pub fn rolling(&self) -> Option<&Take> {
        self.journal.rolling()
    }

    /// `take/current`.
    pub fn current(&self) -> CurrentTake {
        CurrentTake::of(self.journal.take.as_ref())
    }

    /// Whether this node was of the roster of a take of this name; `None` when no such take is remembered.
    pub fn recorded(&self, name: &TakeName, ip: Ipv4Addr) -> Option<bool> {
        let mut of_name = self.journal.history.iter().filter(|past| past.id.name == *name).peekable();
        of_name.peek()?;
        Some(of_name.any(|past| past.nodes.contains(&ip)))
    }

    /// Hears of a take that exists, so that no new one gets its name and stamp.
    pub fn heard_of(&mut self, ids: impl IntoIterator<Item = TakeId>) {
        self.elsewhere.extend(ids);
    }

    /// Hears which names the takes in the downloads folder bear now.
    pub fn heard_of_folders(&mut self, folders: impl IntoIterator<Item = TakeName>) {
        self.folders = folders.into_iter().collect();
    }

    /// The name that is proposed for the next take.
    pub fn proposal(&self) -> TakeName {
        let last = self.journal.take.as_ref().map(|take| &take.id.name);
        naming::next(last, |name| !self.uses(name), self.next_name())
    }

    /// Whether a take of this name is known.
    fn uses(&self, name: &TakeName) -> bool {
        let past = self.journal.history.iter().map(|past| &past.id);
        self.folders.contains(name) || past.chain(&self.elsewhere).any(|id| id.name == *name)
    }

    /// The next free `take_NNN`: above all that are known.
    pub fn next_name(&self) -> TakeName {
        let past = self.journal.history.iter().map(|past| &past.id);
        let names = past.chain(&self.elsewhere).map(|id| &id.name).chain(&self.folders);
        let highest = names.filter_map(TakeName::number).filter(|n| *n < LAST_NUMBER).max();
        let kept = Some(self.journal.numbered).filter(|n| *n < LAST_NUMBER);
        TakeName::numbered(highest.max(kept).unwrap_or(0) + 1)
    }

    /// Rolls.
    ///
    /// # Errors
    /// Why not; nothing has changed then.
    pub fn start(
        &mut self,
        now: Wall,
        name: Option<TakeName>,
        at: Option<Wall>,
        roster: &[Candidate],
    ) -> Result<Vec<Effect>, Refusal> {
        if let Some(take) = self.rolling() {
            return Err(Refusal::new(
                ErrorCode::AlreadyRolling,
                format!("the take {} is rolling: STOP it first", take.id),
            ));
        }
        let first = choose_t0(now, at, roster, self.last_cut(now))?;
        let (id, t0) = self.new_id(name.unwrap_or_else(|| self.next_name()), first, step(roster));
        let nodes = roster.iter().map(|node| node.ip).collect::<BTreeSet<_>>().into_iter().collect();
        self.journal.take = Some(Take { id, t0, t1: None, segment_s: self.segment_s, nodes });
        self.journal.marks.clear();
        self.journal.marked = 0;
        self.journal.note_past();
        Ok(vec![self.keep(), self.say_take(), self.say_marks()])
    }

    /// Cuts.
    ///
    /// # Errors
    /// Why not; nothing has changed then.
    pub fn stop(&mut self, now: Wall, at: Option<Wall>) -> Result<Vec<Effect>, Refusal> {
        let take = rolling(&mut self.journal)?;
        if let Some(at) = at {
            within(now, at)?;
            if at <= take.t0 {
                return Err(Refusal::new(
                    ErrorCode::TooLate,
                    format!("field `at`: {at} does not lie after the take's beginning, {}", take.t0),
                ));
            }
        }
        // A STOP before T0 (slow cameras, or a clock that was set back) must still end the take: with nothing in it.
        take.t1 = Some(at.unwrap_or(now).max(take.t0.offset_us(1)));
        Ok(vec![self.keep(), self.say_take()])
    }

    /// Marks a moment.
    ///
    /// # Errors
    /// Why not; nothing has changed then.
    pub fn mark(&mut self, now: Wall, at: Option<Wall>, note: String) -> Result<Vec<Effect>, Refusal> {
        let t0 = rolling(&mut self.journal)?.t0;
        if let Some(at) = at {
            within(now, at)?;
            if at < t0 {
                return Err(Refusal::new(
                    ErrorCode::TooLate,
                    format!("field `at`: {at} lies before the take's beginning, {t0}"),
                ));
            }
        }
        // A number that was deleted is not given again: somebody may have written it down.
        let n = self.journal.marks.iter().map(|mark| mark.n).chain([self.journal.marked]).max().unwrap_or(0) + 1;
        self.journal.marked = n;
        // A press between START and a T0 that lies ahead means the beginning: marks are never lost.
        self.journal.marks.push(Mark { n, at: at.unwrap_or(now).max(t0), note });
        Ok(vec![self.keep(), self.say_marks()])
    }

    /// Changes a mark of the present or last take, or takes it away.
    ///
    /// # Errors
    /// There is no such mark; nothing has changed then.
    pub fn remark(&mut self, n: u32, change: &MarkChange) -> Result<Vec<Effect>, Refusal> {
        let Some(take) = &self.journal.take else {
            return Err(Refusal::new(ErrorCode::NotRolling, "there is no take yet, so it has no marks"));
        };
        if !marks::change(&mut self.journal.marks, n, change) {
            return Err(marks::unknown(n, &take.id));
        }
        Ok(vec![self.keep(), self.say_marks()])
    }

    /// A node is there: when a take rolls, it belongs to it from now on.
    pub fn joined(&mut self, ip: Ipv4Addr) -> Vec<Effect> {
        let Ok(take) = rolling(&mut self.journal) else { return Vec::new() };
        if take.nodes.contains(&ip) {
            return Vec::new();
        }
        take.nodes.push(ip);
        take.nodes.sort_unstable();
        let note = Effect::Note(format!("{ip} joins the take {}", take.id));
        self.journal.note_past();
        vec![note, self.keep(), self.say_take()]
    }

    /// All that is said on connect, and at the start.
    pub fn say_all(&self) -> Vec<Effect> {
        vec![self.say_take(), self.say_marks()]
    }

    /// The end of the last take, before which no new one may begin: a frame belongs to one take. An end that lies ahead
    /// is that of a take without footage, or of another clock: it binds nobody.
    fn last_cut(&self, now: Wall) -> Option<Wall> {
        self.journal.take.as_ref()?.t1.filter(|t1| *t1 <= now)
    }

    /// A second take of one name within a second waits for the next grid instant with a stamp of its own.
    fn new_id(&self, name: TakeName, first: Wall, step: Duration) -> (TakeId, Wall) {
        let mut t0 = first;
        let mut id = TakeId { name, stamp: Stamp::local(t0) };
        while self.elsewhere.contains(&id) || self.journal.history.iter().any(|past| past.id == id) {
            t0 = t0 + step;
            id.stamp = Stamp::local(t0);
        }
        (id, t0)
    }

    fn keep(&self) -> Effect {
        Effect::Keep(Box::new(self.journal.clone()))
    }

    fn say_take(&self) -> Effect {
        Effect::say(Topic::Take, &self.current())
    }

    fn say_marks(&self) -> Effect {
        Effect::say(Topic::Marks, &self.journal.marks())
    }
}

fn rolling(journal: &mut Journal) -> Result<&mut Take, Refusal> {
    journal
        .take
        .as_mut()
        .filter(|take| take.rolling())
        .ok_or_else(|| Refusal::new(ErrorCode::NotRolling, "no take is rolling: START one first"))
}

/// A browser knows the shared clock to a few milliseconds: a press may seem to lie so far ahead.
const AHEAD: Duration = Duration::from_millis(100);

fn within(now: Wall, at: Wall) -> Result<(), Refusal> {
    if at > now + AHEAD {
        return Err(Refusal::new(
            ErrorCode::Malformed,
            format!("field `at`: {at} lies ahead of the shared clock, {now}: is the sender's clock right?"),
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "takes_tests.rs"]
mod tests;
