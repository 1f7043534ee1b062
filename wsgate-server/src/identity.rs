//! Who is calling.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use daemon::log::Limited;
use http::header::{self, HeaderMap};
use token::{Bare, KeySet, Policy};

use crate::protected;
use crate::refusal::Refusal;

/// How callers are told apart.
#[derive(Debug)]
pub enum Identity {
    /// By a JWT in `Authorization`, verified with one of the keys.
    Keys {
        /// Whoever holds one of their private halves may connect.
        keys: KeySet,
        /// What else a token must say.
        policy: Policy,
    },
    /// Not at all.
    Anonymous {
        /// Only from private networks and load balancers.
        protected: bool,
    },
}

/// A caller who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// `sub`, or empty.
    pub(crate) user: String,
    /// `jwt` or `anonymous`.
    pub(crate) method: &'static str,
    /// The key that verified the token, shortened.
    pub(crate) key: String,
}

impl Identity {
    /// Who sends a request with these headers from `ip`. `now` is wall-clock time.
    pub(crate) fn identify(
        &self,
        headers: &HeaderMap,
        ip: Option<IpAddr>,
        now: SystemTime,
    ) -> Result<Caller, Refusal> {
        match self {
            Self::Keys { keys, policy } => verify(headers, keys, policy, now).map_err(Refusal::Credential),
            Self::Anonymous { protected } if *protected && !protected::is_taken_from(ip) => {
                Err(Refusal::Protected)
            }
            Self::Anonymous { .. } => {
                Ok(Caller { user: String::new(), method: "anonymous", key: String::new() })
            }
        }
    }
}

fn verify(
    headers: &HeaderMap,
    keys: &KeySet,
    policy: &Policy,
    now: SystemTime,
) -> Result<Caller, token::Refused> {
    let lines = headers.get_all(header::AUTHORIZATION).iter().map(|value| value.as_bytes());
    let bearer = token::bearer(lines, Bare::Accept)?;
    let verified = token::verify(bearer.token, keys, policy, now)?;
    if bearer.bare {
        warn_of_bare_token();
    }
    Ok(Caller { user: verified.subject, method: "jwt", key: short(&verified.key_fingerprint).to_owned() })
}

/// The first 16 hex digits tell keys apart for a reader.
pub(crate) fn short(fingerprint: &str) -> &str {
    fingerprint.get(..16).unwrap_or(fingerprint)
}

/// The original took a token without its scheme, so some callers send it so.
fn warn_of_bare_token() {
    static HOURLY: Mutex<Option<Limited>> = Mutex::new(None);
    let Ok(mut hourly) = HOURLY.lock() else { return };
    let limited = hourly.get_or_insert_with(|| Limited::new(Duration::from_secs(3600)));
    if let Some(left_out) = limited.admit(Instant::now()) {
        tracing::warn!(left_out, "a caller sends its token without a scheme; it should be `Bearer TOKEN`");
    }
}
