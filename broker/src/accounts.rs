//! Accounts: names, argon2 hashes, roles. A clear password is never kept.

use std::collections::HashMap;
use std::fmt;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::rights::Role;

/// One account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its password as a PHC string: `$argon2id$v=19$…`, as [`hash`] makes it.
    pub hash: String,
    /// What it may do.
    pub role: Role,
}

impl fmt::Debug for Account {
    /// Without the hash: settings are written to logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account {{ role: {:?}, .. }}", self.role)
    }
}

/// All accounts by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    by_name: HashMap<String, Account>,
}

/// Why an account cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the password of account {name} is no argon2 hash\n\nhint: make one with `syncslate-controller hash-password`")]
pub struct BadHash {
    /// The account's name.
    pub name: String,
}

/// What the password check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    Wrong,
}

/// The hash of a password, with a salt of its own, for the settings.
pub fn hash(password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    cheap_enough().hash_password(password).map(|h| h.to_string())
}

/// 19 MiB, two passes, as OWASP advises: 30 ms on a desktop and a few tenths of a second on a Pi.
fn cheap_enough() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

fn check(hash: &str, password: &[u8]) -> Verdict {
    let right = PasswordHash::new(hash).is_ok_and(|h| Argon2::default().verify_password(password, &h).is_ok());
    if right { Verdict::Right } else { Verdict::Wrong }
}

impl Accounts {
    /// Takes an account in, if its hash is one.
    pub fn add(&mut self, name: impl Into<String>, account: Account) -> Result<(), BadHash> {
        let name = name.into();
        let usable = account.hash.starts_with("$argon2") && PasswordHash::new(&account.hash).is_ok();
        if !usable {
            return Err(BadHash { name });
        }
        self.by_name.insert(name, account);
        Ok(())
    }

    /// The account of this name.
    pub fn get(&self, name: &str) -> Option<&Account> {
        self.by_name.get(name)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.by_name.iter().map(|(name, account)| (name.as_str(), account))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The role behind a name and its password. Takes as long for a name that does not exist, so that names cannot be
    /// found out. Tens of milliseconds of computing: not for an async thread.
    pub fn verify(&self, name: &str, password: &[u8]) -> Option<Role> {
        const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                              AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let account = self.by_name.get(name);
        let verdict = check(account.map_or(NOBODY, |a| &a.hash), password);
        account.filter(|_| verdict == Verdict::Right).map(|a| a.role.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_opens() {
        let mut accounts = Accounts::default();
        let hash = hash(b"secret").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        accounts.add("me", Account { hash, role: Role::Operator }).unwrap();
        assert_eq!(accounts.verify("me", b"secret"), Some(Role::Operator));
        assert_eq!(accounts.verify("me", b"Secret"), None);
        assert_eq!(accounts.verify("me", b""), None);
        assert_eq!(accounts.verify("you", b"secret"), None);
    }

    #[test]
    fn a_clear_password_is_refused_and_no_hash_is_shown() {
        let mut accounts = Accounts::default();
        let clear = Account { hash: "secret".to_owned(), role: Role::Viewer };
        assert_eq!(format!("{clear:?}"), "Account { role: Viewer, .. }");
        assert_eq!(accounts.add("me", clear), Err(BadHash { name: "me".to_owned() }));
    }
}
