//! The one place where the broker reads a clock: only how much time has passed, never what time it is.

use std::time::Instant;

/// Now, of the clock that never jumps.
#[expect(
    clippy::disallowed_methods,
    reason = "the guard measures time limits of real sockets, there is nothing to simulate"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, as tokio's timers count.
pub(crate) fn timer() -> tokio::time::Instant {
    tokio::time::Instant::from_std(now())
}
