//! Turning nodes off, or off and on again, or letting them blink: an order to each, and one answer when all of them have answered. Pure.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use syncslate_shared::command::{Command, ErrorCode, Refusal};
use syncslate_shared::order::{Action, Order, OrderAnswer};
use syncslate_shared::protocol::{self, VERSION};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Mono;
use syncslate_shared::topic::Topic;

use crate::event::{Asker, Effect, Now};
use crate::fleet::Fleet;

/// A node that has not answered after so long does not do it.
const PATIENCE: Duration = Duration::from_secs(15);

/// The orders whose answers are awaited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Orders {
    open: Vec<Open>,
    last_id: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Open {
    id: u64,
    wished: Wished,
    awaiting: BTreeSet<Ipv4Addr>,
    refused: Vec<(Ipv4Addr, Refusal)>,
    until: Mono,
}

/// A command that wishes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wished {
    /// Who waits for the answer.
    pub asker: Asker,
    /// The command.
    pub command: Command,
    /// What they are to do.
    pub action: Action,
    /// Only these; `None` for all that are there.
    pub nodes: Option<Vec<Ipv4Addr>>,
    /// Also in the middle of a take.
    pub force: bool,
}

impl Orders {
    /// Orders it, or says why not; the command is answered when the nodes have answered.
    ///
    /// # Errors
    /// A take is rolling, or a node is not there.
    pub fn wish(
        &mut self,
        now: Now,
        wished: Wished,
        rolling: Option<&TakeId>,
        fleet: &Fleet,
    ) -> Result<Vec<Effect>, Refusal> {
        if let Some(take) = rolling.filter(|_| wished.action.ends_recording() && !wished.force) {
            let message = format!("the take {take} is rolling: STOP it first, or send `\"force\":true`");
            return Err(Refusal::new(ErrorCode::AlreadyRolling, message));
        }
        let awaiting = whom(wished.nodes.as_deref(), fleet)?;
        // The clock makes them differ from those of the program's last run.
        self.last_id = u64::try_from(now.wall.micros()).unwrap_or(0).max(self.last_id + 1);
        let (id, action, force) = (self.last_id, wished.action, wished.force);
        let order = Order { v: VERSION, id, action, force, at: now.wall };
        let mut effects: Vec<_> = awaiting.iter().map(|ip| Effect::say(Topic::Order(*ip), &order)).collect();
        let list = awaiting.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        effects.push(Effect::Note(format!("{} of {list}", action.as_str())));
        self.open.push(Open { id, wished, awaiting, refused: Vec::new(), until: now.mono + PATIENCE });
        Ok(effects)
    }

    /// Hears what stands on `answer/<name>`.
    pub fn heard(&mut self, now: Now, name: &str, payload: &[u8]) -> Vec<Effect> {
        let answer = match protocol::read::<OrderAnswer>(payload) {
            Ok(answer) if name.parse() == Ok(answer.ip) => answer,
            Ok(_) => {
                return vec![Effect::Warn(format!("answer/{}: field `ip` is not the topic's", name.escape_debug()))];
            }
            Err(e) => return vec![Effect::Warn(format!("answer/{} cannot be read: {e}", name.escape_debug()))],
        };
        let open = self.open.iter_mut().find(|open| open.id == answer.id);
        if let Some(open) = open
            && open.awaiting.remove(&answer.ip)
        {
            open.refused.extend(answer.error.map(|refusal| (answer.ip, refusal)));
        }
        self.close(now)
    }

    /// Time passed.
    pub fn tick(&mut self, now: Now) -> Vec<Effect> {
        for open in self.open.iter_mut().filter(|open| now.mono >= open.until) {
            let silent = || Refusal::new(ErrorCode::Internal, format!("no answer within {} s", PATIENCE.as_secs()));
            open.refused.extend(std::mem::take(&mut open.awaiting).into_iter().map(|ip| (ip, silent())));
        }
        self.close(now)
    }

    /// Answers those that nobody is awaited for any more.
    fn close(&mut self, now: Now) -> Vec<Effect> {
        let (done, open) = std::mem::take(&mut self.open).into_iter().partition(|open| open.awaiting.is_empty());
        self.open = open;
        Vec::into_iter(done).flat_map(|open| answer(now, open)).collect()
    }
}

fn whom(named: Option<&[Ipv4Addr]>, fleet: &Fleet) -> Result<BTreeSet<Ipv4Addr>, Refusal> {
    let no = |message: String| Refusal::new(ErrorCode::NoNodes, message);
    let Some(named) = named else {
        let all: BTreeSet<_> = fleet.known().filter(|ip| fleet.is_online(*ip)).collect();
        return if all.is_empty() { Err(no("no node is reachable".into())) } else { Ok(all) };
    };
    if let Some(stranger) = named.iter().find(|ip| !fleet.known().any(|known| known == **ip)) {
        return Err(no(format!("{stranger} is no node that was ever heard of")));
    }
    match named.iter().find(|ip| !fleet.is_online(**ip)) {
        Some(away) => Err(no(format!("{away} is not reachable: nothing was ordered"))),
        None if named.is_empty() => Err(no("field `nodes`: it names none".into())),
        None => Ok(named.iter().copied().collect()),
    }
}

fn answer(now: Now, open: Open) -> Vec<Effect> {
    let Wished { asker, command, .. } = open.wished;
    let refusal = open.refused.first().map(|(_, first)| {
        let all = open.refused.iter().map(|(ip, refusal)| format!("{ip}: {refusal}")).collect::<Vec<_>>().join("; ");
        Refusal::new(first.code, all)
    });
    let warning = refusal.as_ref().map(|e| Effect::Warn(format!("cmd/{} was not done by all: {e}", command.word)));
    let outcome = refusal.map_or(Ok(None), Err);
    let result = Box::new(command.answer(outcome, now.wall));
    warning.into_iter().chain([Effect::Answer { asker, result }]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kit::{Rig, answer, ip};

    fn orders(effects: &[Effect]) -> Vec<(Ipv4Addr, Order)> {
        let order = |effect: &Effect| match effect {
            Effect::Say { topic: Topic::Order(ip), payload } => Some((*ip, protocol::read(payload).unwrap())),
            _ => None,
        };
        effects.iter().filter_map(order).collect()
    }

    fn reply(rig: &mut Rig, n: u8, order: &Order, error: Option<Refusal>) -> Vec<Effect> {
        let at = rig.now().wall;
        let said = OrderAnswer { v: 1, ip: ip(n), id: order.id, action: order.action, error, at };
        rig.message(&format!("answer/{}", ip(n)), protocol::write(&said), false)
    }

    #[test]
    fn all_nodes_are_turned_off_and_the_command_is_answered_when_all_have_answered() {
        let mut rig = Rig::new(3);
        let ordered = orders(&rig.message("cmd/shutdown", "", false));
        assert_eq!(ordered.iter().map(|(ip, _)| *ip).collect::<Vec<_>>(), [ip(1), ip(2), ip(3)]);
        assert!(ordered.iter().all(|(_, order)| order.action == Action::Shutdown && !order.force));
        for n in 1..=2 {
            assert_eq!(reply(&mut rig, n, &ordered[0].1, None), []);
            // Twice is once.
            assert_eq!(reply(&mut rig, n, &ordered[0].1, None), []);
        }
        let result = answer(&reply(&mut rig, 3, &ordered[0].1, None));
        assert_eq!((result.cmd.as_str(), result.ok), ("shutdown", true));
    }

    #[test]
    fn what_a_node_refuses_and_who_is_silent_stands_in_the_answer() {
        let mut rig = Rig::new(3);
        let payload = json!({"nodes":[ip(1), ip(3)],"id":"r7"}).to_string();
        let ordered = orders(&rig.message("cmd/reboot", payload, false));
        assert_eq!(ordered.len(), 2);
        reply(&mut rig, 1, &ordered[0].1, Some(Refusal::new(ErrorCode::Busy, "it writes")));
        for n in 1..=3 {
            rig.node(n, "armed", 900, 4.0);
        }
        rig.pass(14_000);
        let result = answer(&rig.pass(1_100));
        assert_eq!((result.id, result.ok), (Some(json!("r7")), false));
        let refusal = result.error.unwrap();
        assert_eq!(refusal.code, ErrorCode::Busy);
        assert_eq!(refusal.message, "192.168.1.101: it writes; 192.168.1.103: no answer within 15 s");
    }

    #[test]
    fn nobody_is_turned_off_in_the_middle_of_a_take_but_by_force() {
        let mut rig = Rig::new(2);
        assert!(rig.command("start", "A01").ok);
        let (code, message) = rig.refused("shutdown", "");
        assert_eq!(code, ErrorCode::AlreadyRolling);
        assert!(message.contains("is rolling: STOP it first"), "{message}");
        let forced = orders(&rig.message("cmd/shutdown", r#"{"force":true}"#, false));
        assert!(forced.len() == 2 && forced[0].1.force);
        // Blinking hurts no take.
        let blinking = orders(&rig.message("cmd/identify", r#"{"nodes":["192.168.1.102"]}"#, false));
        assert_eq!(
            blinking.iter().map(|(ip, order)| (*ip, order.action)).collect::<Vec<_>>(),
            [(ip(2), Action::Identify)]
        );
        let refused = Refusal::new(ErrorCode::NotReady, "it has no LED");
        let result = answer(&reply(&mut rig, 2, &blinking[0].1, Some(refused)));
        assert_eq!((result.cmd.as_str(), result.error.unwrap().code), ("identify", ErrorCode::NotReady));
    }

    #[test]
    fn a_node_that_is_not_there_cannot_be_ordered() {
        let mut rig = Rig::new(0);
        assert_eq!(rig.refused("shutdown", ""), (ErrorCode::NoNodes, "no node is reachable".into()));
        let mut rig = Rig::new(1);
        let (_, message) = rig.refused("reboot", r#"{"nodes":["10.0.0.7"]}"#);
        assert_eq!(message, "10.0.0.7 is no node that was ever heard of");
        rig.message(&format!("status/{}", ip(1)), json!({"v":1,"ip":ip(1),"state":"offline"}).to_string(), false);
        let (_, message) = rig.refused("reboot", &json!({"nodes":[ip(1)]}).to_string());
        assert_eq!(message, "192.168.1.101 is not reachable: nothing was ordered");
    }
}
