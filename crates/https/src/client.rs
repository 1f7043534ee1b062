//! TLS as a client: whom to trust, what to show, and both again when the files change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use std::{fmt, io};

use anyhow::{Context, Result};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::reload::{Changed, Reloadable};
use crate::{Identity, IdentityFiles, Roots, provider};

/// The files that a TLS client is made of; none has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// The authorities to trust (PEM); `None`: the system's
    pub ca: Option<PathBuf>,
    /// What is shown to a server that asks for a certificate
    pub identity: Option<IdentityFiles>,
}

/// TLS 1.2 or 1.3 as a client. Authorities, certificate and key may be replaced while it runs: new
/// connections get the new ones, open connections are left alone.
pub struct ClientTls {
    files: ClientFiles,
    current: Reloadable<Loaded>,
}

struct Loaded {
    roots: Roots,
    identity: Option<Identity>,
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Reads the files; it blocks for as long as that takes.
    ///
    /// # Errors
    /// A file that cannot be read or used, or a key that does not belong to its certificate.
    pub fn load(files: ClientFiles) -> Result<Self> {
        Ok(ClientTls { current: Reloadable::new(Loaded::read(&files)?), files })
    }

    /// Reads the files again; it blocks for as long as that takes.
    ///
    /// # Errors
    /// As [`ClientTls::load`]; then everything stays as it is.
    pub fn reload(&self) -> Result<Changed> {
        self.current.reload(|| Loaded::read(&self.files), Loaded::says_the_same)
    }

    /// Does the handshake with the server that must be `name`. Set a deadline around it.
    ///
    /// # Errors
    /// The server does not speak TLS, is not `name`, is not trusted, or went away.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        name: ServerName<'static>,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        TlsConnector::from(self.config()).connect(name, stream).await
    }

    /// Until when the certificate that is shown is good, if there is one and that can be read.
    pub fn until(&self) -> Option<SystemTime> {
        self.current.current().identity.as_ref()?.until()
    }

    /// The configuration of this moment. Ask for it at every connection, else a reload goes unseen.
    pub fn config(&self) -> Arc<ClientConfig> {
        self.current.current().config.clone()
    }
}

/// The files alone.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Loaded {
    fn read(files: &ClientFiles) -> Result<Self> {
        let roots = Roots::load(files.ca.as_deref())?;
        let identity = files.identity.as_ref().map(Identity::load).transpose()?;
        let config = client_config(&roots, identity.as_ref())?;
        Ok(Loaded { roots, identity, config })
    }

    fn says_the_same(&self, other: &Loaded) -> bool {
        let chain = |loaded: &Loaded| loaded.identity.as_ref().map(|identity| identity.chain().to_vec());
        self.roots == other.roots && chain(self) == chain(other)
    }
}

/// TLS 1.2 or 1.3 with aws-lc, HTTP/1.1 only (RFC 7301). Sessions are resumed, also with an identity:
/// a new configuration knows none of the old one's sessions.
///
/// # Errors
/// rustls cannot use what it was given.
pub fn client_config(roots: &Roots, identity: Option<&Identity>) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().context("TLS versions")?;
    let builder = builder.with_root_certificates(roots.store());
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let certificate = SingleCertAndKey::from(identity.certified.clone());
            builder.with_client_cert_resolver(Arc::new(certificate))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
