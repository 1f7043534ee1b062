//! An engine behind TLS, with the certificates that the engine's own tools use.

use std::path::Path;

use anyhow::{Context, Result};
use bollard::{API_DEFAULT_VERSION, Docker};

/// A client that shows `cert.pem` and trusts `ca.pem` of `certificates`. The engine is always verified: a
/// DOCKER_TLS_VERIFY that is empty does not turn that off.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn client(host: &str, certificates: &Path, seconds: u64) -> Result<Docker> {
    // Another program in this process may have chosen one before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let file = |name: &str| certificates.join(name);
    let (key, own, authority) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
    for path in [&key, &own, &authority] {
        std::fs::File::open(path).with_context(|| path.display().to_string())?;
    }
    Ok(Docker::connect_with_ssl(host, &key, &own, &authority, seconds, API_DEFAULT_VERSION)?)
}
