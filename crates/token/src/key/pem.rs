//! One key out of the text of a PEM file (RFC 7468 §2; text around the blocks is allowed, as
//! `openssl x509 -text` and many a mail write it).

use super::KeyError;
use super::der::{self, Shape};

/// What an OpenSSH private key starts with, inside its PEM block
pub(crate) const OPENSSH_MAGIC: &[u8] = b"openssh-key-v1\0";

/// The DER inside the only PEM block. The block of EC parameters that `openssl ecparam -genkey`
/// writes in front of its key does not count.
pub(crate) fn one_block(text: &[u8]) -> Result<Vec<u8>, KeyError> {
    let blocks = pem::parse_many(text).map_err(|_| KeyError::DamagedPem)?;
    if blocks.len() != count(text, b"-----BEGIN ") {
        return Err(KeyError::DamagedPem);
    }
    if blocks.iter().any(|block| block.headers().get("DEK-Info").is_some()) {
        return Err(KeyError::Encrypted); // OpenSSL's old form, RFC 1421 §4.6.1.3
    }
    let mut blocks: Vec<Vec<u8>> = blocks.into_iter().map(pem::Pem::into_contents).collect();
    blocks.retain(|block| !matches!(der::shape(block), Shape::Parameters));
    match (blocks.pop(), blocks.len()) {
        (None, _) => Err(no_block(text)),
        (Some(block), 0) => Ok(block),
        (Some(_), others) => Err(KeyError::ManyBlocks(others + 1)),
    }
}

/// One block in the strict form, lines of 64 characters (RFC 7468 §3).
pub(crate) fn block(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}

/// What people give instead of PEM.
fn no_block(text: &[u8]) -> KeyError {
    if text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-sha2-") {
        return KeyError::OpenSshPublic;
    }
    match der::shape(text) {
        Shape::Unknown => KeyError::NoPem,
        _ => KeyError::BareDer,
    }
}

fn count(text: &[u8], mark: &[u8]) -> usize {
    text.windows(mark.len()).filter(|window| *window == mark).count()
}
