//! Who a session is: its id, which is a secret, and the process that holds it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The secret that a resume shows: 128 random bits, written as 22 characters of base64url (RFC 4648
/// section 5) without padding. It is made by the server alone and appears in no log, metric or error:
/// `Debug` shows its [hash](SessionHash).
#[derive(Clone, Copy)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// What sessions are stored under and shown as.
    pub fn hash(&self) -> SessionHash {
        let digest = digest::digest(&digest::SHA256, &self.0);
        SessionHash(std::array::from_fn(|at| digest.as_ref()[at]))
    }

    /// The secret itself, for the header and for nothing else.
    pub(crate) fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl FromStr for SessionId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAnId)?;
        bytes.try_into().map(Self).map_err(|_| NotAnId)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.hash())
    }
}

/// By hash, so that no comparison of the secrets takes a time that tells how alike they are.
impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.hash() == other.hash()
    }
}

impl Eq for SessionId {}

/// Text that is no session id or no instance. It does not say which text: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct NotAnId;

/// The SHA-256 of a session id's 16 bytes. Shown as its first 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHash(pub [u8; 32]);

impl fmt::Display for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionHash({self})")
    }
}

/// A server process, random at its start, written as 8 hexadecimal digits. By it a client knows that
/// another process than the one that holds its session has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance(pub u32);

impl Instance {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for Instance {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digits {
            return Err(NotAnId);
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| NotAnId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twenty_two_characters_and_never_shown() {
        let id = SessionId::random();
        let secret = id.reveal();
        assert_eq!(secret.len(), 22);
        assert_eq!(secret.parse(), Ok(id));
        assert_ne!(SessionId::random(), id);
        let shown = format!("{id:?} {:?} {}", id.hash(), id.hash());
        assert!(!shown.contains(&secret) && shown.contains(&id.hash().to_string()), "{shown}");
        assert_eq!(id.hash().to_string().len(), 8);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in [
            "",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAA==",
            "AAAAAAAAAAAAAAAAAAAAA+",
            "AAAAAAAAAAAAAAAAAAAAAB", // the last four bits must be zero
        ] {
            assert_eq!(bad.parse::<SessionId>(), Err(NotAnId), "{bad}");
        }
        for bad in ["", "1234567", "123456789", "+1234567", "1234567g"] {
            assert_eq!(bad.parse::<Instance>(), Err(NotAnId), "{bad}");
        }
        assert_eq!("00c0ffee".parse(), Ok(Instance(0xc0ffee)));
        assert_eq!(Instance(0xc0ffee).to_string(), "00c0ffee");
    }
}
