//! A certificate chain and its private key: what a server shows, and a client if it is asked.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Result, anyhow};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::{Certificate, pem_file, provider};

/// Where certificate and key are; it may be the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The chain in PEM, the own certificate first
    pub certificate: PathBuf,
    /// The private key in PEM, without a passphrase
    pub key: PathBuf,
}

/// A certificate chain with the private key that belongs to its first certificate.
#[derive(Clone)]
pub struct Identity {
    pub(crate) certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads both files. That anybody trusts the chain is not checked.
    ///
    /// # Errors
    /// A file that cannot be read, what is missing in it, or that the two do not belong together.
    pub fn load(files: &IdentityFiles) -> Result<Self> {
        let chain = pem_file::certificates(&pem_file::read(&files.certificate)?, &files.certificate)?;
        let key = pem_file::private_key(&pem_file::read(&files.key)?, &files.key)?;
        match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(certified) => Ok(Identity { certified: Arc::new(certified) }),
            Err(error) => Err(explain(error, files)),
        }
    }

    /// Until when its own certificate is good, if that can be read.
    pub(crate) fn until(&self) -> Option<SystemTime> {
        Some(Certificate::of(self.chain().first()?)?.until())
    }

    /// Two identities with one chain have one key.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }
}

fn explain(error: Error, files: &IdentityFiles) -> anyhow::Error {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => anyhow!(
            "the private key in {key} does not belong to the first certificate in {certificate}; \
             the chain begins with the own certificate"
        ),
        Error::InvalidCertificate(_) => {
            anyhow!(error).context(format!("{certificate}: the first certificate"))
        }
        error => anyhow!(error).context(format!("{key}: use an RSA, EC or Ed25519 key")),
    }
}

/// Leaves the key out.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.chain().len())
    }
}
