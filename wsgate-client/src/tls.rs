//! TLS: whom we trust, and what its errors mean.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use relay::Socket;
use rustls::crypto::aws_lc_rs;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How TLS is spoken: 1.2 or 1.3, by aws-lc, ALPN http/1.1 only (the upgrade is HTTP/1.1).
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    roots: usize,
}

impl Tls {
    /// Trusts the root certificates in a PEM file, and no others.
    pub(crate) fn trusting_file(path: &Path) -> Result<Self> {
        let file = || format!("--ca {}", path.display());
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(path).with_context(file)?;
        for (number, certificate) in (1..).zip(certificates) {
            let added = certificate.map_err(anyhow::Error::from).and_then(|c| Ok(roots.add(c)?));
            added.with_context(|| format!("--ca {}: certificate {number}", path.display()))?;
        }
        if roots.is_empty() {
            bail!("--ca {}: no certificate in it; give root certificates as PEM", path.display());
        }
        Self::trusting(roots)
    }

    /// Trusts the system's root certificates, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    pub(crate) fn trusting_system() -> Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "root certificates not loaded");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs); // there are old ones that nobody can parse
        if roots.is_empty() {
            bail!("the system has no root certificates; install ca-certificates, or give --ca FILE");
        }
        Self::trusting(roots)
    }

    fn trusting(roots: RootCertStore) -> Result<Self> {
        let count = roots.len();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), roots: count })
    }

    /// Shakes hands with whoever has a certificate for `name`. The caller bounds the time.
    pub(crate) async fn connect(
        &self,
        name: ServerName<'static>,
        socket: Socket,
    ) -> io::Result<TlsStream<Socket>> {
        TlsConnector::from(self.config.clone()).connect(name, socket).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({} roots)", self.roots)
    }
}

/// What the user can do about a failed handshake; a text in brackets, to stand before rustls's words.
pub(crate) fn hint(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            " (the certificate's issuer is not trusted; --ca FILE names the roots to trust)"
        }
        Some(rustls::Error::InvalidMessage(_)) => " (what answers there is not TLS; is the URL http?)",
        None if error.kind() == io::ErrorKind::UnexpectedEof => " (the other end closed the connection)",
        _ => "",
    }
}
