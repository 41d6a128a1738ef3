//! The controller orders this computer to turn itself off, or off and on again.

use std::time::Duration;

use syncslate_shared::child::Program;
use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::order::{Order, Power};
use syncslate_shared::take::TakeId;

/// How long the command gets; it asks systemd and does not wait for the end.
const LIMIT: Duration = Duration::from_secs(10);

/// What is started, program and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerCommands {
    /// To turn the computer off.
    pub shutdown: Vec<String>,
    /// To turn it off and on again.
    pub reboot: Vec<String>,
}

/// Why an order is not obeyed, when it is not. `retained` is whether the broker had kept it.
pub fn refusal(order: &Order, retained: bool, rolling: Option<&TakeId>) -> Option<Refusal> {
    if retained {
        let message = "the broker had kept the order: it is not obeyed at each start".to_owned();
        return Some(Refusal::new(ErrorCode::Retained, message));
    }
    rolling.filter(|_| !order.force).map(|take| {
        Refusal::new(ErrorCode::Busy, format!("the take {take} is being recorded here: STOP it first, or send `force`"))
    })
}

/// Does it; gives why not.
pub async fn carry_out(power: Power, commands: &PowerCommands) -> Option<Refusal> {
    let command = match power {
        Power::Shutdown => &commands.shutdown,
        Power::Reboot => &commands.reboot,
    };
    let (program, args) = command.split_first()?;
    tracing::warn!("the controller orders a {}", power.as_str());
    let failed = Program::new(program).args(args).output(LIMIT).await.err()?;
    let hint =
        "the user of the service must be allowed to, by polkit or sudo; `power` in the settings says what is run";
    Some(Refusal::new(ErrorCode::Internal, format!("{failed}\n\nhint: {hint}")))
}

#[cfg(test)]
mod tests {
    use syncslate_shared::take::{Stamp, TakeName};
    use syncslate_shared::time::Wall;

    use super::*;

    fn commands(script: &str) -> PowerCommands {
        let command: Vec<_> = ["sh", "-c", script].into_iter().map(str::to_owned).collect();
        PowerCommands { shutdown: command.clone(), reboot: command }
    }

    #[test]
    fn a_node_that_records_obeys_by_force_only() {
        let at = Wall::from_micros(1_761_220_930_500_000);
        let take = TakeId { name: TakeName::new("A01").unwrap(), stamp: Stamp::local(at) };
        let order = |force| Order { v: 1, id: 7, power: Power::Shutdown, force, at };
        assert_eq!(refusal(&order(false), false, None), None);
        assert_eq!(refusal(&order(true), false, Some(&take)), None);
        assert_eq!(refusal(&order(false), false, Some(&take)).map(|r| r.code), Some(ErrorCode::Busy));
        assert_eq!(refusal(&order(true), true, None).map(|r| r.code), Some(ErrorCode::Retained));
    }

    #[tokio::test]
    async fn what_the_command_says_is_the_answer() {
        assert_eq!(carry_out(Power::Reboot, &commands("exit 0")).await, None);
        let refused = carry_out(Power::Shutdown, &commands("echo Access denied >&2; exit 1")).await.unwrap();
        assert!(refused.message.contains("it said last: Access denied\n\nhint: "), "{}", refused.message);
    }
}
