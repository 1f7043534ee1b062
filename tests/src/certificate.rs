//! Throw-away keys and certificates, made by the openssl command.

use std::process::Command;

use crate::programs::{needed, output_of};
use crate::scratch::Scratch;

/// Runs openssl in a directory.
///
/// # Panics
/// When it fails.
pub fn openssl(dir: &Scratch, arguments: &str) -> String {
    let mut command = Command::new(needed("openssl", "openssl"));
    output_of(command.args(arguments.split_whitespace()).current_dir(dir.path()))
}

/// A certificate authority and what it has signed for localhost.
#[derive(Debug)]
pub struct Authority {
    dir: Scratch,
}

impl Authority {
    /// Makes `ca.pem`, and `server.pem` with `server.key` for localhost and 127.0.0.1.
    pub fn new() -> Authority {
        let dir = Scratch::new();
        dir.write("names", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
        openssl(
            &dir,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=throw-away \
             -keyout ca.key -out ca.pem",
        );
        openssl(
            &dir,
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
             -keyout server.key -out server.csr",
        );
        openssl(
            &dir,
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names \
             -out server.pem",
        );
        Authority { dir }
    }

    /// Signs another pair, `NAME.pem` with `NAME.key`, for this common name and for localhost.
    pub fn issue(&self, name: &str) -> (String, String) {
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(&self.dir, &format!("{new} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        let sign = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names";
        openssl(&self.dir, &format!("{sign} -in {name}.csr -out {name}.pem"));
        (self.dir.file(&format!("{name}.pem")), self.dir.file(&format!("{name}.key")))
    }

    /// The authority's certificate.
    pub fn ca(&self) -> String {
        self.dir.file("ca.pem")
    }

    /// The server's certificate.
    pub fn certificate(&self) -> String {
        self.dir.file("server.pem")
    }

    /// The server's key.
    pub fn key(&self) -> String {
        self.dir.file("server.key")
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
