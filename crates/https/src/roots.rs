//! Which authorities are trusted.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::RootCertStore;

use crate::pem_file;

/// The authorities whose certificates are taken.
#[derive(Clone)]
pub struct Roots {
    store: Arc<RootCertStore>,
}

impl Roots {
    /// The file if there is one, else the system's authorities.
    ///
    /// # Errors
    /// As [`Roots::system`] and [`Roots::from_pem`]; a file that cannot be read.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        match file {
            Some(file) => Roots::from_pem(&pem_file::read(file)?, file),
            None => Roots::system(),
        }
    }

    /// The system's authorities, as OpenSSL finds them (`SSL_CERT_FILE` and `SSL_CERT_DIR` count).
    /// Of these, ones that cannot be read are left out: no system has only good ones.
    ///
    /// # Errors
    /// None at all could be read.
    pub fn system() -> Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "a system certificate was left out");
        }
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(found.certs);
        ensure!(added > 0, "the system has no root certificates; install ca-certificates, or name a CA file");
        Ok(Roots { store: Arc::new(store) })
    }

    /// The certificates in the text of a PEM file, and no others. `file` is for errors.
    ///
    /// # Errors
    /// Damaged PEM, no certificate in it, or one that cannot be an authority.
    pub fn from_pem(pem: &[u8], file: &Path) -> Result<Self> {
        let mut store = RootCertStore::empty();
        for (index, certificate) in pem_file::certificates(pem, file)?.into_iter().enumerate() {
            let added = store.add(certificate);
            added.with_context(|| format!("{}: certificate {} is damaged", file.display(), index + 1))?;
        }
        Ok(Roots { store: Arc::new(store) })
    }

    pub(crate) fn store(&self) -> Arc<RootCertStore> {
        self.store.clone()
    }
}

impl PartialEq for Roots {
    fn eq(&self, other: &Self) -> bool {
        self.store.roots == other.store.roots
    }
}

/// How many.
impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.store.len())
    }
}
