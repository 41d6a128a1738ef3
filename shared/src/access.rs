//! How a client is let in by a broker: its account, and TLS by certificates of one's own.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use crate::report::Failure;
use crate::settings::BrokerAddress;

/// What a client shows, and whom it trusts. The default shows nothing and does not encrypt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Its account.
    pub login: Option<Login>,
    /// Certificates that vouch for the broker; `None` speaks without TLS.
    pub trusted: Option<Vec<CertificateDer<'static>>>,
}

/// A name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The account's name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Login {
    /// Without the password: settings are written to logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login {{ user: {:?}, .. }}", self.user)
    }
}

/// The three keys of `[mqtt]` that say how a broker lets one in.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// `mqtt.user`
    pub user: Option<String>,
    /// `mqtt.password_file`
    pub password_file: Option<PathBuf>,
    /// `mqtt.ca`
    pub ca: Option<PathBuf>,
}

impl Access {
    /// Reads what the settings name, for a broker at this address.
    ///
    /// # Errors
    /// Exit code 2: keys that do not belong together, a file that cannot be read, a password that everybody can read.
    pub fn read(broker: &BrokerAddress, keys: Keys) -> Result<Self, Failure> {
        let login = match (keys.user, keys.password_file) {
            (Some(user), Some(file)) => Some(Login { user, password: password(&file)? }),
            (None, None) => None,
            (Some(_), None) => return Err(Failure::usage("`mqtt.user` needs `mqtt.password_file`")),
            (None, Some(_)) => return Err(Failure::usage("`mqtt.password_file` needs `mqtt.user`")),
        };
        let trusted = match (broker.tls, keys.ca) {
            (true, Some(file)) => Some(certificates(&file)?),
            (false, None) => None,
            (true, None) => {
                return Err(Failure::usage(format!("the broker {broker} speaks TLS, so `mqtt.ca` is needed"))
                    .hint("it names a PEM file with the certificate that vouches for the broker"));
            }
            (false, Some(_)) => {
                return Err(Failure::usage("`mqtt.ca` is set, but the broker's address does not ask for TLS")
                    .hint(format!("write it as mqtts://{}:8883", broker.host)));
            }
        };
        Ok(Self { login, trusted })
    }
}

/// The first line of a file that not everybody can read.
fn password(file: &Path) -> Result<String, Failure> {
    let cannot = |e| Failure::usage(format!("cannot read `mqtt.password_file` {}: {e}", file.display()));
    let mode = std::fs::metadata(file).map_err(cannot)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(Failure::usage(format!("everybody on this machine can read the password in {}", file.display()))
            .hint(format!("chmod 640 {}", file.display())));
    }
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::usage(format!(
            "`mqtt.password_file` {} has no password in its first line",
            file.display()
        )));
    }
    Ok(line.to_owned())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("cannot use `mqtt.ca` {}: {why}", file.display()))
            .hint("it is a PEM file with one or more certificates")
    };
    let found: Vec<_> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|e| wrong(e.to_string()))?;
    let mut store = RootCertStore::empty();
    for certificate in &found {
        store.add(certificate.clone()).map_err(|e| wrong(e.to_string()))?;
    }
    if found.is_empty() { Err(wrong("it holds no certificate".into())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str, mode: u32, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn read(
        broker: &str,
        user: Option<&str>,
        password_file: Option<PathBuf>,
        ca: Option<PathBuf>,
    ) -> Result<Access, String> {
        let keys = Keys { user: user.map(str::to_owned), password_file, ca };
        Access::read(&broker.parse().unwrap(), keys).map_err(|e| e.to_string())
    }

    #[test]
    fn a_password_is_the_first_line_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let secret = file(&folder, "secret", 0o640, "swordfish\nmore\n");
        let access = read("h:1", Some("cam1"), Some(secret), None).unwrap();
        assert_eq!(access.login.as_ref().unwrap().password, "swordfish");
        assert!(!format!("{access:?}").contains("swordfish"));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = file(&folder, "open", 0o644, "swordfish\n");
        let empty = file(&folder, "empty", 0o600, "\n");
        let no_ca = file(&folder, "ca.pem", 0o644, "hello\n");
        let gone = folder.path().join("gone");
        let table = [
            (read("h", Some("me"), None, None), "`mqtt.user` needs"),
            (read("h", None, Some(open.clone()), None), "`mqtt.password_file` needs"),
            (read("h", Some("me"), Some(open), None), "everybody on this machine can read"),
            (read("h", Some("me"), Some(empty), None), "has no password in its first line"),
            (read("h", Some("me"), Some(gone), None), "cannot read `mqtt.password_file`"),
            (read("mqtts://h", None, None, None), "so `mqtt.ca` is needed"),
            (read("h", None, None, Some(no_ca.clone())), "does not ask for TLS"),
            (read("mqtts://h", None, None, Some(no_ca)), "it holds no certificate"),
        ];
        for (outcome, reason) in table {
            let error = outcome.unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }
}
