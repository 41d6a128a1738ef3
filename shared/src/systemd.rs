//! Telling systemd how a service does: that it is ready, that it lives, that it ends. Where no systemd listens nothing
//! happens. The protocol of sd_notify(3): a datagram of lines to the socket that `NOTIFY_SOCKET` names.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::time::Mono;

/// The service's voice to systemd.
#[derive(Debug)]
pub struct Systemd {
    listener: Option<(UnixDatagram, SocketAddr)>,
    /// How often a sign of life is due; `None` without a watchdog.
    every: Option<Duration>,
    last: Option<Mono>,
}

impl Systemd {
    /// What this process was given when it was started: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn from_env() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        Self::new(std::env::var_os("NOTIFY_SOCKET"), number("WATCHDOG_USEC").filter(|_| ours))
    }

    fn new(socket: Option<OsString>, watchdog_us: Option<u64>) -> Self {
        let listener = socket.and_then(|name| {
            let socket = UnixDatagram::unbound().ok()?;
            // A systemd that is too busy to listen must not hold up the loop that matters.
            socket.set_nonblocking(true).ok()?;
            Some((socket, address(&name)?))
        });
        // Three chances before systemd takes us for dead.
        let every = watchdog_us.filter(|us| *us > 0).map(|us| Duration::from_micros(us / 3));
        Self { listener, every, last: None }
    }

    /// The service does its work from now on.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// It was asked to end and closes what is open.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// One line for people, shown by `systemctl status`.
    pub fn status(&self, line: &str) {
        self.say(&format!("STATUS={}", line.replace('\n', " ")));
    }

    /// A sign of life, from the loop that matters; may be called as often as it turns.
    pub fn alive(&mut self, now: Mono) {
        let Some(every) = self.every else { return };
        if self.last.is_none_or(|last| now.since(last) >= every) {
            self.last = Some(now);
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, line: &str) {
        if let Some((socket, to)) = &self.listener
            && let Err(e) = socket.send_to_addr(line.as_bytes(), to)
        {
            tracing::debug!("systemd does not hear `{line}`: {e}");
        }
    }
}

/// A path, or with `@` a name that lies in no file system.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram) -> Vec<String> {
        listener.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 200];
        while let Ok(n) = listener.recv(&mut buffer) {
            heard.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
        heard
    }

    #[test]
    fn a_service_says_how_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let mut systemd = Systemd::new(Some(path.into_os_string()), Some(9_000_000));
        systemd.ready();
        systemd.status("armed\nand well");
        for ms in (0..7_000).step_by(100) {
            systemd.alive(Mono::from_micros(5_000_003 + ms * 1000));
        }
        systemd.stopping();
        let alive = "WATCHDOG=1";
        assert_eq!(heard(&listener), ["READY=1", "STATUS=armed and well", alive, alive, alive, "STOPPING=1"]);
    }

    #[test]
    fn a_name_in_no_file_system_is_reached_too() {
        let name = format!("syncslate-test-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Systemd::new(Some(format!("@{name}").into()), None).ready();
        assert_eq!(heard(&listener), ["READY=1"]);
    }

    #[test]
    fn one_that_does_not_listen_holds_nobody_up() {
        let name = format!("syncslate-deaf-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let systemd = Systemd::new(Some(format!("@{name}").into()), None);
        for _ in 0..1_000 {
            systemd.ready();
        }
        assert!(heard(&listener).len() < 1_000);
    }

    #[test]
    fn without_systemd_nothing_happens() {
        for socket in [None, Some("/no/such/socket".into()), Some("relative".into()), Some("".into())] {
            let mut systemd = Systemd::new(socket, Some(1));
            systemd.ready();
            systemd.alive(Mono::from_micros(1));
        }
        assert!(Systemd::new(None, None).listener.is_none());
    }
}
