//! The story of a decision, for who wants to hear it.

use crate::cache::TokenHash;
use crate::path::Paths;
use crate::{DenyList, Identity, Rule, Service};

/// Hears of every step that went well; the one that did not is the outcome.
pub(crate) trait Account {
    fn step(&mut self, step: Step<'_>);
}

/// A step, in the order of a decision.
pub(crate) enum Step<'a> {
    /// There is one token.
    Token { bytes: usize, hash: &'a TokenHash },
    /// Its `sub` names one; not for a token from the cache.
    Service(&'a Service),
    /// Signature and times are good.
    Verified(&'a Identity),
    /// It is not on the list.
    NotDenied(&'a DenyList),
    /// Which paths it is about; only if the service has rules.
    Path { raw: &'a [u8], paths: &'a Paths<'a> },
    /// This one allows the path, or one of the two.
    Rule(&'a Rule),
    /// The service has the scope that the location declares.
    Scope(&'a str),
}

/// Nobody listens.
pub(crate) struct Untold;

impl Account for Untold {
    fn step(&mut self, _: Step<'_>) {}
}
