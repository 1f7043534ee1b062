//! A throw-away certificate authority, made by the openssl command.

use std::path::{Path, PathBuf};
use std::process::Command;

use https::{ClientFiles, ClientTls, IdentityFiles};
use tempfile::TempDir;

pub(crate) struct Authority(TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Named after its directory: two authorities of one name would only differ by their signatures.
        let name = dir.path().file_name().unwrap().to_string_lossy().into_owned();
        let extension = "basicConstraints=critical,CA:TRUE";
        make(dir.path(), &format!("-keyout ca.key -out ca.pem -subj /CN={name} -addext {extension}"));
        Self(dir)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Makes `name.pem` and `name.key`, for localhost and for a client.
    pub(crate) fn issue(&self, name: &str) {
        make(
            self.0.path(),
            &format!(
                "-keyout {name}.key -out {name}.pem -subj /CN={name} -CA ca.pem -CAkey ca.key \
                 -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost"
            ),
        );
    }

    /// A client that trusts this authority and shows the certificate called `identity`.
    pub(crate) fn client(&self, identity: Option<&str>) -> ClientTls {
        let identity = identity.map(|name| IdentityFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        });
        ClientTls::load(ClientFiles { ca: Some(self.path("ca.pem")), identity }).unwrap()
    }
}

fn make(dir: &Path, arguments: &str) {
    let line = format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 {arguments}");
    let output = Command::new("openssl").args(line.split_whitespace()).current_dir(dir).output();
    let output = output.expect("the openssl command is missing: apt-get install openssl");
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
}
