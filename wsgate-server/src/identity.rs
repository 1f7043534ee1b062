//! Who is calling.

mod iap;
mod keys;

use std::net::IpAddr;
use std::time::SystemTime;

use http::header::HeaderMap;
use serde_json::{Map, Value};
use token::Refused;

use crate::protected;
use crate::refusal::Refusal;
use crate::rules::{Bare, Forbidden, Pairing, Proven};

pub(crate) use iap::Iap;
pub(crate) use keys::{Keys, Trusted};

/// How callers are told apart.
#[derive(Clone, Debug)]
pub enum Identity {
    /// By a JWT in `Authorization`.
    Keys(Keys),
    /// By the assertion of the Identity-Aware Proxy.
    Iap(Iap),
    /// By both, and both must mean the same caller.
    Both {
        /// For the JWT.
        keys: Keys,
        /// For the assertion.
        iap: Box<Iap>,
        /// Which e-mail goes with which `sub`.
        pairing: Pairing,
    },
    /// Not at all.
    Anonymous {
        /// Only from private networks and load balancers.
        protected: bool,
    },
}

/// A caller as the log has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The e-mail that the Identity-Aware Proxy asserts, else `sub`, or empty.
    pub(crate) user: String,
    /// `jwt`, `iap`, `iap+jwt` or `anonymous`.
    pub(crate) method: &'static str,
    /// The key that verified the JWT, else the assertion, shortened.
    pub(crate) key: String,
}

impl Caller {
    /// What `method` may be.
    pub(crate) const METHODS: [&str; 4] = ["jwt", "iap", "iap+jwt", "anonymous"];
}

/// A caller who may connect, and what has been proven of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    pub(crate) caller: Caller,
    pub(crate) sub: Option<String>,
    pub(crate) email: Option<String>,
    /// Those of the JWT if there is one, else those of the assertion.
    pub(crate) claims: Map<String, Value>,
}

/// Why a credential is not taken; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The JWT is missing or refused.
    Token(Refused),
    /// Its key may not claim its `sub`.
    Subject(Forbidden),
    /// No assertion of the Identity-Aware Proxy.
    NoAssertion,
    /// More than one: a proxy and we might each believe another one.
    SeveralAssertions,
    /// The assertion is refused.
    Assertion(Refused),
    /// The assertion has no e-mail that can be used.
    Email,
    /// JWT and assertion do not mean the same caller.
    Pairing(Forbidden),
}

impl Denied {
    /// A JWT's code stands as it is, an assertion's is prefixed.
    pub(crate) fn code(self) -> String {
        match self {
            Self::Token(refused) => refused.code().to_owned(),
            Self::Subject(forbidden) | Self::Pairing(forbidden) => forbidden.0.to_owned(),
            Self::NoAssertion => "iap_no_assertion".to_owned(),
            Self::SeveralAssertions => "iap_several_assertions".to_owned(),
            Self::Assertion(refused) => format!("iap_{}", refused.code()),
            Self::Email => "iap_email".to_owned(),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Credential(denied)
    }
}

impl Identity {
    /// Who sends a request with these headers from `ip`. `now` is wall-clock time.
    pub(crate) fn identify(
        &self,
        headers: &HeaderMap,
        ip: Option<IpAddr>,
        now: SystemTime,
    ) -> Result<Known, Refusal> {
        match self {
            Self::Keys(keys) => Ok(keys.verify(headers, now)?),
            Self::Iap(iap) => iap.verify(headers, now),
            Self::Both { keys, iap, pairing } => {
                let asserted = iap.verify(headers, now)?;
                Ok(paired(asserted, keys.verify(headers, now)?, pairing)?)
            }
            Self::Anonymous { protected } if *protected && !protected::is_taken_from(ip) => {
                Err(Refusal::Protected)
            }
            Self::Anonymous { .. } => {
                let caller = Caller { method: "anonymous", ..Caller::default() };
                Ok(Known { caller, ..Known::default() })
            }
        }
    }

    /// Whether a credential can be judged.
    pub(crate) fn is_ready(&self) -> bool {
        self.iap().is_none_or(Iap::is_ready)
    }

    /// Of the keys that verify callers' own tokens.
    pub(crate) fn fingerprints(&self) -> Vec<&str> {
        match self {
            Self::Keys(keys) | Self::Both { keys, .. } => keys.fingerprints(),
            Self::Iap(_) | Self::Anonymous { .. } => Vec::new(),
        }
    }

    /// What a pattern is on that does not say it.
    pub(crate) fn bare(&self) -> Bare {
        if self.iap().is_some() { Bare::Email } else { Bare::Sub }
    }

    pub(crate) fn iap(&self) -> Option<&Iap> {
        match self {
            Self::Iap(iap) => Some(iap),
            Self::Both { iap, .. } => Some(iap),
            Self::Keys(_) | Self::Anonymous { .. } => None,
        }
    }

    /// What callers need not prove any more under `next`; `None`: they prove as much, or something else.
    pub(crate) fn lost_in(&self, next: &Self) -> Option<&'static str> {
        match (self, next) {
            (Self::Anonymous { protected: true }, Self::Anonymous { protected: false }) => {
                Some("anonymous callers would be taken from anywhere")
            }
            (Self::Anonymous { .. }, _) => None,
            (_, Self::Anonymous { .. }) => Some("neither a public key nor an IAP audience is left"),
            (Self::Both { .. }, Self::Keys(_)) => Some("no IAP audience is left beside the public keys"),
            (Self::Both { .. }, Self::Iap(_)) => Some("no public key is left beside the IAP audiences"),
            _ => None,
        }
    }
}

fn paired(asserted: Known, token: Known, pairing: &Pairing) -> Result<Known, Denied> {
    // Both are there, each from its own credential; an empty one pairs with nothing.
    let email = asserted.email.as_deref().unwrap_or_default();
    pairing.decide(email, token.sub.as_deref().unwrap_or_default()).map_err(Denied::Pairing)?;
    let caller = Caller { user: asserted.caller.user, method: "iap+jwt", key: token.caller.key };
    Ok(Known { caller, email: asserted.email, ..token })
}

impl Known {
    pub(crate) fn proven(&self) -> Proven<'_> {
        Proven { sub: self.sub.as_deref(), email: self.email.as_deref(), claims: &self.claims }
    }
}

/// The first 16 hex digits tell keys apart for a reader.
pub(crate) fn short(fingerprint: &str) -> &str {
    fingerprint.get(..16).unwrap_or(fingerprint)
}

#[cfg(test)]
mod tests;
