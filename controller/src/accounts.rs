//! The accounts of the settings, and the command that makes a hash for one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::net::IpAddr;

use serde::Deserialize;
use syncslate_broker::accounts::{Account, Accounts, hash};
use syncslate_broker::rights::Role;
use syncslate_shared::report::Failure;

/// The account by which the controller speaks to its own broker; nobody else can have it.
pub const OWN: &str = "syncslate-controller";
/// A password that is longer is a mistake.
const LONGEST: usize = 1024;

/// `[accounts.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSection {
    role: Word,
    /// The argon2 hash of its password, as `hash-password` prints it.
    hash: String,
    /// Of a node: its address.
    ip: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Node,
    Operator,
    Viewer,
}

/// Puts the sections together.
///
/// # Errors
/// Exit code 2: what is wrong with which account.
pub fn read(sections: BTreeMap<String, AccountSection>) -> Result<Accounts, Failure> {
    let mut accounts = Accounts::default();
    for (name, AccountSection { role, hash, ip }) in sections {
        let wrong = |why: &str| Failure::usage(format!("`accounts.{}` {why}", name.escape_debug()));
        if name == OWN {
            return Err(wrong("is the controller's own account: choose another name"));
        }
        if name.is_empty() || name.len() > 64 || name.contains(':') || name.chars().any(char::is_control) {
            return Err(wrong("is no name: it has 1 to 64 bytes, no colon and nothing that is not seen"));
        }
        let role = match (role, ip) {
            (Word::Node, Some(ip)) => Role::Node { ip },
            (Word::Node, None) => return Err(wrong("needs `ip`: the address whose status this node may publish")),
            (_, Some(_)) => return Err(wrong("has an `ip`, but only nodes have one")),
            (Word::Operator, None) => Role::Operator,
            (Word::Viewer, None) => Role::Viewer,
        };
        accounts.add(name, Account { hash, role }).map_err(|e| Failure::usage(e.to_string()))?;
    }
    Ok(accounts)
}

/// Reads a password, without showing it on a terminal, and prints its hash.
///
/// # Errors
/// There is no password, or the two that were typed differ.
pub fn hash_password() -> Result<(), Failure> {
    let terminal = std::io::stdin().is_terminal();
    let password = ask("Password: ", terminal)?;
    if password.is_empty() {
        return Err(Failure::new("there is no password in the first line of the standard input"));
    }
    if password.len() > LONGEST {
        return Err(Failure::new(format!("the password is longer than {LONGEST} bytes")));
    }
    if terminal && ask("Again: ", true)? != password {
        return Err(Failure::new("the two passwords differ"));
    }
    let hash = hash(password.as_bytes()).map_err(|e| Failure::new(format!("cannot make a hash: {e}")))?;
    writeln!(std::io::stdout(), "{hash}").map_err(|e| Failure::new(format!("cannot print the hash: {e}")))
}

/// One line from the standard input.
fn ask(prompt: &str, terminal: bool) -> Result<String, Failure> {
    let cannot = |e: std::io::Error| Failure::new(format!("cannot read the password: {e}"));
    let _hidden = terminal.then(|| Hidden::start(prompt)).transpose().map_err(cannot)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(cannot)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn start(prompt: &str) -> std::io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        write!(std::io::stderr(), "{prompt}")?;
        let before = tcgetattr(std::io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Flush, &self.0);
        let _ = writeln!(std::io::stderr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        accounts: BTreeMap<String, AccountSection>,
    }

    fn load(text: &str) -> Result<Accounts, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        read(file.accounts).map_err(|e| e.to_string())
    }

    #[test]
    fn each_role_is_read() {
        let hash = hash(b"swordfish").unwrap();
        let text = format!(
            "[accounts.anna]\nrole = 'operator'\nhash = '{hash}'\n[accounts.cam1]\nrole = 'node'\nip = '192.168.1.101'\nhash = '{hash}'\n"
        );
        let accounts = load(&text).unwrap();
        assert_eq!(accounts.verify("anna", b"swordfish"), Some(Role::Operator));
        assert_eq!(accounts.verify("cam1", b"swordfish"), Some(Role::Node { ip: [192, 168, 1, 101].into() }));
    }

    #[test]
    fn wrong_accounts_are_refused_by_name() {
        let table = [
            ("[accounts.a]\nrole = 'operator'\nhash = 'swordfish'", "the password of account a is no argon2 hash"),
            ("[accounts.a]\nrole = 'boss'\nhash = ''", "unknown variant `boss`"),
            ("[accounts.a]\nrole = 'node'\nhash = ''", "`accounts.a` needs `ip`"),
            ("[accounts.a]\nrole = 'viewer'\nip = '1.2.3.4'\nhash = ''", "only nodes have one"),
            ("[accounts.syncslate-controller]\nrole = 'viewer'\nhash = ''", "is the controller's own account"),
            ("[accounts.'a:b']\nrole = 'viewer'\nhash = ''", "is no name"),
            ("[accounts.a]\nrole = 'viewer'\nhash = ''\npassword = 'x'", "unknown field `password`"),
        ];
        for (text, reason) in table {
            let error = load(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
