//! How a program of ours ends: one sentence with its causes, a hint, an exit code. And how it logs.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Why a program cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// Exit code 1: it was asked the right thing and could not do it.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// Exit code 2: wrong usage or settings.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(message) }
    }

    /// Exit code 1, from an error with all its causes.
    pub fn from_error(error: &dyn Error) -> Self {
        Self::new(chain(error))
    }

    /// What to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says it on the standard error and gives the exit code.
    #[expect(clippy::print_stderr, reason = "the one place where a program says why it ends")]
    pub fn exit(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {}

/// An error and its causes in one sentence.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Starts the log on the standard error: `info` unless the variable `SYNCSLATE_LOG` says otherwise.
pub fn start_log() {
    let filter = EnvFilter::try_from_env("SYNCSLATE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,rumqttd=error,rumqttc=error,warp=off,syncslate_broker=warn"));
    // Fails only when a log runs already (two programs in one test): then that one serves.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
