//! TLS by rustls, with certificates of one's own.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{StartError, Tls};

/// Reads certificate and key. A client may connect by name or by IP address: the guard does not look at SNI.
pub(crate) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, StartError> {
    let bad = |file: &std::path::Path, e: String| StartError::Certificate(file.to_owned(), e);
    let chain: Vec<_> = CertificateDer::pem_file_iter(&tls.chain)
        .and_then(Iterator::collect)
        .map_err(|e| bad(&tls.chain, e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| bad(&tls.key, e.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| bad(&tls.chain, e.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
