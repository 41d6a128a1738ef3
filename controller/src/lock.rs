//! Who may use the page: logins by the accounts of the settings, kept in a signed cookie.
//!
//! A session is no entry in a table but a word that only we can sign: name, end, and an HMAC-SHA256 (RFC 2104) over both
//! and the account's hash. So it survives a restart of the controller, and ends with the account or its password.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use syncslate_broker::Gate;
use syncslate_broker::rights::Role;
use syncslate_shared::time::Wall;

use crate::secret::hex;

/// How long a login lasts: a shoot, not a season.
pub const SESSION: Duration = Duration::from_secs(14 * 24 * 3600);

/// What a visitor of the page may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The account; `None` when there are no accounts.
    pub name: Option<String>,
    /// Whether commands are obeyed.
    pub commands: bool,
}

impl Visitor {
    /// Somebody where everybody may do everything.
    pub fn anybody() -> Self {
        Self { name: None, commands: true }
    }
}

/// Accounts and the key of the sessions; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lock {
    gate: Gate,
    key: [u8; 32],
}

impl Lock {
    /// With the key that signs.
    pub fn new(gate: Gate, key: [u8; 32]) -> Self {
        Self { gate, key }
    }

    /// Whether there is anything to log in for.
    pub fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// The visitor behind a name and password, if they are right. A wrong guess takes a second, and each address gets one
    /// guess at a time.
    pub async fn enter(&self, from: IpAddr, name: &str, password: &str) -> Option<Visitor> {
        let role = self.gate.verify(from, name, password.as_bytes()).await?;
        visitor(name, &role)
    }

    /// The word for a session of `name` that begins now.
    pub fn session(&self, name: &str, now: Wall) -> String {
        let end = (now + SESSION).micros() / 1_000_000;
        let signature = self.signature(name, end).map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default();
        format!("{}.{end}.{signature}", hex(name.as_bytes()))
    }

    /// The visitor with such a word, as long as it holds.
    pub fn visitor(&self, session: &str, now: Wall) -> Option<Visitor> {
        let mut parts = session.splitn(3, '.');
        let name = String::from_utf8(unhex(parts.next()?)?).ok()?;
        let end: i64 = parts.next()?.parse().ok()?;
        let signature = unhex(parts.next()?)?;
        // Compared in a time that does not depend on where they differ.
        self.signature(&name, end)?.verify_slice(&signature).ok()?;
        if now.micros() / 1_000_000 >= end {
            return None;
        }
        visitor(&name, &self.gate.account(&name)?.role)
    }

    fn signature(&self, name: &str, end: i64) -> Option<Hmac<Sha256>> {
        let account = self.gate.account(name)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        for part in [name.as_bytes(), end.to_string().as_bytes(), account.hash.as_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Some(mac)
    }
}

/// Cameras do not look at pages.
fn visitor(name: &str, role: &Role) -> Option<Visitor> {
    let commands = match role {
        Role::Operator => true,
        Role::Viewer => false,
        Role::Node { .. } | Role::Controller => return None,
    };
    Some(Visitor { name: Some(name.to_owned()), commands })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use syncslate_broker::accounts::{Account, Accounts, hash};

    use super::*;

    const NOW: Wall = Wall::from_micros(1_761_220_930_500_000);

    fn lock(key: u8, password: &str) -> Lock {
        let mut accounts = Accounts::default();
        let hash = hash(password.as_bytes()).unwrap();
        let roles =
            [("anna", Role::Operator), ("otto", Role::Viewer), ("cam1", Role::Node { ip: [1, 2, 3, 4].into() })];
        for (name, role) in roles {
            accounts.add(name, Account { hash: hash.clone(), role }).unwrap();
        }
        Lock::new(Gate::new(accounts), [key; 32])
    }

    #[test]
    fn a_session_holds_until_its_end() {
        let lock = lock(1, "secret");
        let anna = lock.session("anna", NOW);
        let commands = |word: &str, now| lock.visitor(word, now).map(|visitor| visitor.commands);
        assert_eq!(commands(&anna, NOW), Some(true));
        assert_eq!(commands(&lock.session("otto", NOW), NOW), Some(false));
        assert_eq!(commands(&lock.session("cam1", NOW), NOW), None, "a camera");
        assert_eq!(commands(&anna, NOW + SESSION), None, "too late");
        let other = anna.replace(&hex(b"anna"), &hex(b"otto"));
        assert_eq!(commands(&other, NOW), None, "another name");
        let longer = anna.replace('.', ".9");
        assert_eq!(commands(&longer, NOW), None, "another end");
        for garbage in ["", ".", "..", "é.1.00", "616e6e61.1", &lock.session("nobody", NOW)] {
            assert_eq!(commands(garbage, NOW), None, "{garbage}");
        }
    }

    #[test]
    fn a_session_ends_with_the_password_and_with_the_key() {
        let anna = lock(1, "secret").session("anna", NOW);
        // The same password has another salt: whoever sets it anew ends the sessions as well.
        assert_eq!(lock(1, "secret").visitor(&anna, NOW), None);
        assert_eq!(lock(2, "secret").visitor(&anna, NOW), None);
    }
}
