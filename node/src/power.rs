//! Turning this computer off, or off and on again.

use std::time::Duration;

use syncslate_shared::child::Program;
use syncslate_shared::command::{ErrorCode, Refusal};

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

/// Runs one of the commands; gives why it failed.
pub async fn run(command: &[String]) -> Option<Refusal> {
    let (program, args) = command.split_first()?;
    let failed = Program::new(program).args(args).output(LIMIT).await.err()?;
    let hint =
        "the user of the service must be allowed to, by polkit or sudo; `power` in the settings says what is run";
    Some(Refusal::new(ErrorCode::Internal, format!("{failed}\n\nhint: {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_command_says_is_the_answer() {
        let command = |script: &str| ["sh", "-c", script].map(str::to_owned);
        assert_eq!(run(&command("exit 0")).await, None);
        let refused = run(&command("echo Access denied >&2; exit 1")).await.unwrap();
        assert!(refused.message.contains("it said last: Access denied\n\nhint: "), "{}", refused.message);
    }
}
