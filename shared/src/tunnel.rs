//! TLS for the link: rumqttc speaks to a socket in a private folder, and what it says goes on through rustls.
//!
//! rumqttc's own TLS brings either a certificate check with known faults or OpenSSL, which does not cross-compile by
//! itself. A tunnel serves one connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::report::chain;
use crate::settings::BrokerAddress;

/// For the connection and for the handshake, each.
const PATIENCE: Duration = Duration::from_secs(5);

/// A way to the broker for one connection. It ends when either side does.
#[derive(Debug)]
pub(crate) struct Tunnel {
    folder: TempDir,
    broken: Arc<Mutex<Option<String>>>,
}

impl Tunnel {
    /// Opens it; nothing goes to the broker before somebody connects to [`Tunnel::socket`].
    pub(crate) fn open(broker: &BrokerAddress, trusted: &[CertificateDer<'static>]) -> Result<Self, String> {
        let connector = connector(trusted)?;
        let name = ServerName::try_from(broker.host.clone()).map_err(|e| format!("{}: {e}", broker.host))?;
        let folder = TempDir::with_prefix("syncslate-").map_err(|e| format!("no folder for a socket: {e}"))?;
        let listener = UnixListener::bind(socket(folder.path())).map_err(|e| format!("no socket: {e}"))?;
        let broken = Arc::new(Mutex::new(None));
        let (said, broker) = (Arc::clone(&broken), broker.clone());
        tokio::spawn(async move {
            if let Err(why) = serve(&listener, &broker, name, connector).await {
                *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            }
        });
        Ok(Self { folder, broken })
    }

    /// Where it begins. The folder is this user's alone.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.folder.path())
    }

    /// Why it ended, if by a fault.
    pub(crate) fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("mqtt")
}

fn connector(trusted: &[CertificateDer<'static>]) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).map_err(|e| format!("a trusted certificate cannot be used: {e}"))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS: {e}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn serve(
    listener: &UnixListener,
    broker: &BrokerAddress,
    name: ServerName<'static>,
    connector: TlsConnector,
) -> Result<(), String> {
    let late = |what: &str| format!("{what} took longer than {} s", PATIENCE.as_secs());
    // Nobody comes when the link is closed before it connects.
    let Ok(Ok((mut inner, _))) = timeout(PATIENCE, listener.accept()).await else { return Ok(()) };
    let outer = timeout(PATIENCE, TcpStream::connect((broker.host.as_str(), broker.port)))
        .await
        .map_err(|_| late("the connection"))?
        .map_err(|e| e.to_string())?;
    outer.set_nodelay(true).map_err(|e| e.to_string())?;
    let mut outer = timeout(PATIENCE, connector.connect(name, outer))
        .await
        .map_err(|_| late("the TLS handshake"))?
        .map_err(|e| format!("TLS: {}", chain(&e)))?;
    carry(&mut inner, &mut outer).await;
    Ok(())
}

/// A connection that ends is told by its end alone; what rumqttc makes of it is the reason that counts.
async fn carry(inner: &mut UnixStream, outer: &mut tokio_rustls::client::TlsStream<TcpStream>) {
    let _ = copy_bidirectional(inner, outer).await;
}
