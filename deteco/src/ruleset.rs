//! What decides: one snapshot of keys, services, rules and the deny list.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use https::jwks::JwksCache;
use token::{KeySet, Policy};

use crate::{Cache, DenyList, Lines, Prefix, Reason, UriPolicy};

/// Everything that a decision is made on, but the question and the time. It never changes: a reload, and
/// a JWK set whose keys changed, make a new one, whose cache is empty.
#[derive(Debug)]
pub struct Ruleset {
    /// By id, which is the `sub` of their tokens
    pub services: HashMap<String, Arc<Service>>,
    /// What a token must say
    pub policy: Policy,
    /// How strict the path must be spelt
    pub uri_policy: UriPolicy,
    /// How long nginx may keep a 200, at most; `None`: it is not told, and keeps none
    pub accel_expires: Option<Duration>,
    /// Whose tokens are refused though they verify
    pub denied: DenyList,
    /// Tokens that verified
    pub cache: Cache,
}

/// `[[services]]`: who may come, how it proves itself, and what it may see.
#[derive(Debug)]
pub struct Service {
    /// 1 to 255 bytes of visible ASCII, spaces inside
    pub id: String,
    /// Its keys: those of the file and those of its JWK set as they are now
    pub keys: KeySet,
    /// Its JWK set, if it has one that is fetched; told of a `kid` that is not in it
    pub jwks: Option<JwksCache>,
    /// `paths` (any method), then `[[services.rule]]`, in the order of the file. Empty: the path is not asked for, and
    /// there are scopes
    pub rules: Vec<Rule>,
    /// What it may see by the scopes that locations declare; `None`: none are listed
    pub scopes: Option<BTreeSet<String>>,
    /// Claims that become headers of the answer
    pub headers: Vec<(HeaderName, String)>,
}

impl Service {
    /// Whether a token with this `kid` was signed by a key that we have not heard of.
    pub(crate) fn lacks_key(&self, kid: Option<&str>) -> bool {
        kid.is_some() && !self.keys.keys().iter().any(|key| key.kid.as_deref() == kid)
    }
}

/// A path, and how it may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// It and what is below it
    pub prefix: Prefix,
    /// With which methods
    pub methods: Methods,
}

/// Which methods a rule allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Any; the method is not asked for.
    Any,
    /// These alone; never empty. HEAD counts as GET.
    Listed(Vec<Method>),
}

impl Methods {
    /// Whether the method that nginx tells is among them.
    pub(crate) fn allow(&self, told: Lines<'_>) -> Result<(), Reason> {
        let Methods::Listed(methods) = self else { return Ok(()) };
        let told = match told {
            Lines::None => return Err(Reason::NoMethod),
            Lines::Several => return Err(Reason::SeveralMethods),
            Lines::One(b"HEAD") if methods.iter().any(|own| own.0 == "GET") => return Ok(()),
            Lines::One(told) => told,
        };
        if methods.iter().any(|own| own.0.as_bytes() == told) { Ok(()) } else { Err(Reason::Method) }
    }
}

/// The name of a method, RFC 9110 §9.1: a token, case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method(pub String);
