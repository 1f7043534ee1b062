//! A throw-away certificate authority, made by the openssl command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Authority {
    files: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        // Named after its directory: two authorities of one name would only differ by their signatures.
        let name = files.path().file_name().unwrap().to_string_lossy().into_owned();
        openssl(
            files.path(),
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
                 -days 2 -subj /CN={name} -addext basicConstraints=critical,CA:TRUE"
            ),
        );
        Self { files }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    /// Another authority takes the place of this one.
    pub(crate) fn replace(&self, other: &Authority) {
        std::fs::copy(other.file(), self.file()).unwrap();
    }

    /// A server with a certificate for `name`: `DNS:localhost` or `IP:127.0.0.1`.
    pub(crate) fn server(&self, name: &str) -> TlsAcceptor {
        self.server_that(name, WebPkiClientVerifier::no_client_auth())
    }

    /// The same, which takes only clients with a certificate of this authority.
    pub(crate) fn server_that_asks(&self, name: &str) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
        self.server_that(name, verifier.unwrap())
    }

    /// Files of the certificate and the key that were made last.
    pub(crate) fn last(&self) -> [PathBuf; 2] {
        ["server.pem", "server.key"].map(|name| self.files.path().join(name))
    }

    fn server_that(&self, name: &str, clients: Arc<dyn ClientCertVerifier>) -> TlsAcceptor {
        let dir = self.files.path();
        openssl(
            dir,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key \
                 -out server.pem -days 1 -subj /CN=server -CA ca.pem -CAkey ca.key \
                 -addext basicConstraints=critical,CA:FALSE -addext subjectAltName={name}"
            ),
        );
        let chain = vec![CertificateDer::from_pem_file(dir.join("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

fn openssl(dir: &Path, line: &str) {
    let output = Command::new("openssl").args(line.split_whitespace()).current_dir(dir).output();
    let output = output.expect("the openssl command is missing: apt-get install openssl");
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
}
