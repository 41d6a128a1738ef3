//! Commands that came twice: MQTT promises "at least once", so after a broken connection the same message may come again.
//! One with an `id` is obeyed once; the second time it only gets its answer again. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use syncslate_shared::command::{Command, CommandResult, Wish};
use syncslate_shared::time::Mono;

/// A client that sends again does so when it is connected again; who uses an `id` anew after so long means another command.
const REMEMBERED: Duration = Duration::from_secs(30);
/// More commands than anybody gives in that time.
const MOST: usize = 256;

/// The commands of the last seconds that bore an `id` and were obeyed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Once {
    obeyed: VecDeque<Obeyed>,
}

#[derive(Clone, Debug, PartialEq)]
struct Obeyed {
    at: Mono,
    id: Value,
    wish: Wish,
    result: CommandResult,
}

impl Once {
    /// The answer that this very command got already; `None` for one that is new.
    pub fn again(&self, now: Mono, command: &Command) -> Option<&CommandResult> {
        let (id, wish) = (command.id.as_ref()?, command.wish.as_ref().ok()?);
        let fresh = self.obeyed.iter().rev().take_while(|obeyed| now.since(obeyed.at) < REMEMBERED);
        fresh.into_iter().find(|obeyed| obeyed.id == *id && obeyed.wish == *wish).map(|obeyed| &obeyed.result)
    }

    /// Remembers a command that was obeyed.
    pub fn note(&mut self, now: Mono, command: &Command, result: &CommandResult) {
        let (Some(id), Ok(wish)) = (&command.id, &command.wish) else { return };
        self.obeyed.retain(|obeyed| now.since(obeyed.at) < REMEMBERED);
        if self.obeyed.len() == MOST {
            self.obeyed.pop_front();
        }
        self.obeyed.push_back(Obeyed { at: now, id: id.clone(), wish: wish.clone(), result: result.clone() });
    }
}

#[cfg(test)]
mod tests {
    use crate::kit::Rig;

    #[test]
    fn a_mark_that_comes_twice_is_one_mark_and_answered_twice() {
        let mut rig = Rig::new(2);
        rig.command("start", "A");
        rig.pass(1_009);
        let payload = r#"{"note":"he laughs","id":"m1"}"#;
        let first = rig.command("mark", payload);
        rig.pass(2_003);
        assert_eq!(rig.command("mark", payload), first);
        assert_eq!(rig.kept.marks.len(), 1);
        // Another id, another note or no id at all are other marks.
        for other in [r#"{"note":"he laughs","id":"m2"}"#, r#"{"note":"","id":"m1"}"#, "", ""] {
            assert!(rig.command("mark", other).ok);
        }
        assert_eq!(rig.kept.marks.len(), 5);
        rig.pass(30_000);
        assert_eq!(rig.command("mark", payload).mark, Some(6), "after half a minute it is a new one");
    }

    #[test]
    fn start_and_stop_that_come_twice_are_answered_as_before_while_that_is_still_so() {
        let mut rig = Rig::new(1);
        let start = r#"{"take":"A","id":1}"#;
        let first = rig.command("start", start);
        rig.pass(307);
        assert_eq!(rig.command("start", start), first);
        let cut = rig.command("stop", r#"{"id":2}"#);
        assert_eq!(rig.command("stop", r#"{"id":2}"#), cut);
        // A desk that numbers nothing means a new take.
        let second = rig.command("start", start);
        assert!(second.ok && second.take != first.take, "{second:?}");
    }
}
