//! The one crypto provider, aws-lc.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// aws-lc. What this crate makes uses it explicitly and does not ask for the process's default.
pub fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}

/// Makes aws-lc the process's default, for libraries that ask for one; a default that was installed
/// before stays.
pub fn install_provider() {
    let _ = CryptoProvider::install_default((*provider()).clone());
}
