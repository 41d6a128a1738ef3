//! What the controller orders this computer to do, and whether it does it.

use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::order::{Action, Order};
use syncslate_shared::take::TakeId;

use crate::led::{BLINKS_FOR, Led};
use crate::power::{self, PowerCommands};

/// What orders are carried out with; cheap to clone.
#[derive(Clone, Debug)]
pub struct Means {
    /// What turns the computer off, and off and on again.
    pub power: PowerCommands,
    /// What blinks.
    pub led: Led,
}

/// Why an order is not obeyed, when it is not. `retained` is whether the broker had kept it.
pub fn refusal(order: &Order, retained: bool, rolling: Option<&TakeId>) -> Option<Refusal> {
    if retained {
        let message = "the broker had kept the order: it is not obeyed at each start".to_owned();
        return Some(Refusal::new(ErrorCode::Retained, message));
    }
    rolling.filter(|_| order.action.ends_recording() && !order.force).map(|take| {
        Refusal::new(ErrorCode::Busy, format!("the take {take} is being recorded here: STOP it first, or send `force`"))
    })
}

/// Does it; gives why not.
pub async fn carry_out(action: Action, means: &Means) -> Option<Refusal> {
    let command = match action {
        Action::Shutdown => &means.power.shutdown,
        Action::Reboot => &means.power.reboot,
        Action::Identify => return means.led.blink(BLINKS_FOR).err(),
    };
    tracing::warn!("the controller orders a {}", action.as_str());
    power::run(command).await
}

#[cfg(test)]
mod tests {
    use syncslate_shared::take::{Stamp, TakeName};
    use syncslate_shared::time::Wall;

    use super::*;

    #[test]
    fn a_node_that_records_obeys_by_force_only() {
        let at = Wall::from_micros(1_761_220_930_500_000);
        let take = TakeId { name: TakeName::new("A01").unwrap(), stamp: Stamp::local(at) };
        let order = |action, force| Order { v: 1, id: 7, action, force, at };
        let off = |force| order(Action::Shutdown, force);
        assert_eq!(refusal(&off(false), false, None), None);
        assert_eq!(refusal(&off(true), false, Some(&take)), None);
        assert_eq!(refusal(&off(false), false, Some(&take)).map(|r| r.code), Some(ErrorCode::Busy));
        assert_eq!(refusal(&off(true), true, None).map(|r| r.code), Some(ErrorCode::Retained));
        assert_eq!(refusal(&order(Action::Identify, false), false, Some(&take)), None);
        assert_eq!(refusal(&order(Action::Identify, false), true, None).map(|r| r.code), Some(ErrorCode::Retained));
    }
}
