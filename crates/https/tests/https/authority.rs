//! A throw-away authority: X.509 v3 (RFC 5280 §4.1) with P-256, in a few lines of DER.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use https::{ClientFiles, ClientTls, IdentityFiles, ServerFiles, ServerTls};
use tempfile::TempDir;

const ECDSA_SHA256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: &[u8] = &[6, 3, 0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 0x13];
const ALTERNATIVE_NAMES: &[u8] = &[6, 3, 0x55, 0x1d, 0x11];
const TRUE: &[u8] = &[1, 1, 0xff];

/// From when to when, as UTCTime
pub(crate) const GOOD: [&str; 2] = ["200101000000Z", "491231235959Z"];
pub(crate) const EXPIRED: [&str; 2] = ["200101000000Z", "210101000000Z"];

pub(crate) struct Authority {
    name: &'static str,
    key: EcdsaKeyPair,
}

/// A directory of certificates and keys.
pub(crate) struct Files(pub(crate) TempDir);

impl Authority {
    pub(crate) fn new(name: &'static str) -> Self {
        Authority { name, key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        let ca = seq(&[BASIC_CONSTRAINTS, TRUE, &tlv(4, &[&seq(&[TRUE])])]);
        pem("CERTIFICATE", &self.certify(self.name, &self.key, GOOD, &ca))
    }

    /// A certificate for `name`, `localhost` and 127.0.0.1, and its key.
    pub(crate) fn issue(&self, name: &str, validity: [&str; 2]) -> [String; 2] {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let names = seq(&[
            &tlv(0x82, &[name.as_bytes()]),
            &tlv(0x82, &[b"localhost"]),
            &tlv(0x87, &[&[127, 0, 0, 1]]),
        ]);
        let extension = seq(&[ALTERNATIVE_NAMES, &tlv(4, &[&names])]);
        let certificate = self.certify(name, &key, validity, &extension);
        let key = key.to_pkcs8v1().unwrap();
        [pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", key.as_ref())]
    }

    fn certify(&self, name: &str, key: &EcdsaKeyPair, validity: [&str; 2], extension: &[u8]) -> Vec<u8> {
        let algorithm = seq(&[ECDSA_SHA256]);
        let spki = seq(&[&seq(&[EC, P256]), &bits(key.public_key().as_ref())]);
        let validity = validity.map(|time| tlv(0x17, &[time.as_bytes()]));
        let tbs = seq(&[
            &tlv(0xa0, &[&[2, 1, 2]]),
            &[2, 1, 1],
            &algorithm,
            &distinguished(self.name),
            &seq(&[&validity[0], &validity[1]]),
            &distinguished(name),
            &spki,
            &tlv(0xa3, &[&seq(&[extension])]),
        ]);
        let signature = self.key.sign(&SystemRandom::new(), &tbs).unwrap();
        seq(&[&tbs, &algorithm, &bits(signature.as_ref())])
    }
}

fn distinguished(name: &str) -> Vec<u8> {
    seq(&[&tlv(0x31, &[&seq(&[COMMON_NAME, &tlv(12, &[name.as_bytes()])])])])
}

fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes])
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = match value.len() {
        short @ 0..0x80 => vec![short as u8],
        one @ 0x80..0x100 => vec![0x81, one as u8],
        two => [vec![0x82], (two as u16).to_be_bytes().to_vec()].concat(),
    };
    [vec![tag], length, value].concat()
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

impl Files {
    pub(crate) fn new() -> Self {
        Files(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes NAME.pem and NAME.key.
    pub(crate) fn identity(&self, name: &str, [certificate, key]: [String; 2]) -> IdentityFiles {
        IdentityFiles {
            certificate: self.write(&format!("{name}.pem"), certificate),
            key: self.write(&format!("{name}.key"), key),
        }
    }

    /// A server with a good certificate for `gw.test`.
    pub(crate) fn server(&self, authority: &Authority, client_ca: Option<&Authority>) -> ServerTls {
        let identity = self.identity("server", authority.issue("gw.test", GOOD));
        let client_ca = client_ca.map(|authority| self.write("clients.pem", authority.pem()));
        ServerTls::load(ServerFiles { identity, client_ca }).unwrap()
    }

    /// A client that trusts this authority alone.
    pub(crate) fn client(&self, authority: &Authority, identity: Option<IdentityFiles>) -> ClientTls {
        let ca = self.write("ca.pem", authority.pem());
        ClientTls::load(ClientFiles { ca: Some(ca), identity }).unwrap()
    }
}

pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
