//! PEM files of certificates and keys (RFC 7468). Every error names the file and what to do.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A bundle of all public authorities has a quarter of that, in bytes
const MAX_FILE: u64 = 4 * 1024 * 1024;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let name = || path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(name)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(name)?;
    ensure!(bytes.len() as u64 <= MAX_FILE, "{}: longer than 4 MiB; this is no PEM file", path.display());
    Ok(bytes)
}

/// All certificates, at least one.
pub(crate) fn certificates(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.with_context(|| format!("{}: damaged PEM; copy the file again", path.display()))?;
    let none = "there is no certificate in it (`-----BEGIN CERTIFICATE-----`)";
    ensure!(!found.is_empty(), "{}: {none}", path.display());
    Ok(found)
}

/// The only or first private key: PKCS#8, PKCS#1 or SEC1, without a passphrase.
pub(crate) fn private_key(text: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>> {
    let path = path.display();
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if has(text, b"ENCRYPTED PRIVATE KEY-----") => {
            bail!("{path}: the key has a passphrase; store it without: openssl pkey -in {path} -out NEWKEY")
        }
        Err(pem::Error::NoItemsFound) if has(text, b"OPENSSH PRIVATE KEY-----") => {
            bail!("{path}: this is an OpenSSH key; convert a copy: ssh-keygen -p -m PKCS8 -f COPY")
        }
        Err(pem::Error::NoItemsFound) => {
            bail!("{path}: there is no private key in it (`-----BEGIN PRIVATE KEY-----`)")
        }
        Err(_) => bail!("{path}: damaged PEM, or a key with a passphrase; copy the file again"),
    }
}

fn has(text: &[u8], mark: &[u8]) -> bool {
    text.windows(mark.len()).any(|window| window == mark)
}
