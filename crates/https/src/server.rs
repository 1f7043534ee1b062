//! TLS as a server: the certificate, who must show one, and both again when the files change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use std::{fmt, io};

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::reload::{Changed, Reloadable};
use crate::{Identity, IdentityFiles, Roots, provider};

/// The files that a TLS server is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// Its own certificate and key
    pub identity: IdentityFiles,
    /// If given, every client must show a certificate of one of these authorities (PEM)
    pub client_ca: Option<PathBuf>,
}

/// TLS 1.2 or 1.3 as a server, HTTP/1.1 only (RFC 7301). The certificates may be replaced while it
/// runs: new connections get the new ones, open connections are left alone.
///
/// A client that comes back resumes its session by a ticket, except where clients must show a
/// certificate: those are judged anew at every connection, so that an expired one ends there.
pub struct ServerTls {
    files: ServerFiles,
    current: Reloadable<Loaded>,
}

struct Loaded {
    identity: Identity,
    client_ca: Option<Roots>,
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Reads the files; it blocks for as long as that takes.
    ///
    /// # Errors
    /// A file that cannot be read or used, or a key that does not belong to its certificate.
    pub fn load(files: ServerFiles) -> Result<Self> {
        Ok(ServerTls { current: Reloadable::new(Loaded::read(&files)?), files })
    }

    /// Reads the files again; it blocks for as long as that takes.
    ///
    /// # Errors
    /// As [`ServerTls::load`]; then everything stays as it is.
    pub fn reload(&self) -> Result<Changed> {
        self.current.reload(|| Loaded::read(&self.files), Loaded::says_the_same)
    }

    /// Does the handshake, with the certificates of this moment. Set a deadline around it.
    ///
    /// # Errors
    /// The client does not speak TLS, has no certificate that is asked for, or went away.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        TlsAcceptor::from(self.config()).accept(stream).await
    }

    /// Until when the certificate of this moment is good, if that can be read.
    pub fn until(&self) -> Option<SystemTime> {
        self.current.current().identity.until()
    }

    /// The configuration of this moment. Ask for it at every connection, else a reload goes unseen.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.current().config.clone()
    }
}

/// The files alone.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Loaded {
    fn read(files: &ServerFiles) -> Result<Self> {
        let identity = Identity::load(&files.identity)?;
        let client_ca = files.client_ca.as_deref().map(|file| Roots::load(Some(file))).transpose()?;
        let config = Arc::new(server_config(&identity, client_ca.as_ref())?);
        Ok(Loaded { identity, client_ca, config })
    }

    fn says_the_same(&self, other: &Loaded) -> bool {
        self.identity.chain() == other.identity.chain() && self.client_ca == other.client_ca
    }
}

/// A new configuration has new ticket keys: a session of the old one is not resumed.
fn server_config(identity: &Identity, client_ca: Option<&Roots>) -> Result<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().context("TLS versions")?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.store(), provider()).build();
            builder.with_client_cert_verifier(verifier.context("the client CA")?)
        }
    };
    let certificate = SingleCertAndKey::from(identity.certified.clone());
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if client_ca.is_some() {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = Ticketer::new().context("ticket keys")?;
    }
    Ok(config)
}
