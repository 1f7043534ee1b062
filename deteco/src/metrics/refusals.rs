//! Refusals by reason: a label has sixteen values, and there are fifty codes.

use std::sync::Arc;

use monitor::{Counter, Declare, Family};
use token::Refused;

use crate::Reason;

/// The words for a 401. `malformed` is all that no honest signer makes; the log has the code.
const UNAUTHORIZED: &[&str] = &[
    "no_authorization",
    "scheme",
    "malformed",
    "no_service",
    "no_keys",
    "no_key",
    "algorithm",
    "signature",
    "key_expired",
    "expired",
    "too_old",
    "future",
    "lifetime",
    "audience",
    "issuer",
    "denied",
];

/// The words for a 403: its codes.
const FORBIDDEN: &[&str] = &[
    "no_uri",
    "several_uris",
    "uri_too_long",
    "uri_malformed",
    "uri_not_canonical",
    "path",
    "method",
    "no_method",
    "several_methods",
    "no_scope",
    "several_scopes",
    "scope",
];

/// The counters of one status, fetched: nobody who is refused takes a lock for it.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    pub(super) all: Counter,
    pub(super) by_reason: Family<Counter>,
    fetched: Arc<[(&'static str, Counter)]>,
}

impl Refusals {
    /// 401; `all` of them are counted there too.
    pub(super) fn unauthorized(declare: &mut Declare, all: Counter) -> Self {
        let by_reason =
            declare.counters("unauthorized", "Requests answered with 401", "reason", UNAUTHORIZED);
        Self::new(all, by_reason, UNAUTHORIZED)
    }

    /// 403; `all` of them are counted there too.
    pub(super) fn forbidden(declare: &mut Declare, all: Counter) -> Self {
        let by_reason = declare.counters("forbidden", "Requests answered with 403", "reason", FORBIDDEN);
        Self::new(all, by_reason, FORBIDDEN)
    }

    fn new(all: Counter, by_reason: Family<Counter>, words: &'static [&'static str]) -> Self {
        let fetched = words.iter().map(|word| (*word, by_reason.with(word))).collect();
        Self { all, by_reason, fetched }
    }

    pub(super) fn count(&self, reason: Reason) {
        self.all.inc();
        let word = word(reason);
        let fetched = self.fetched.iter().find(|(own, _)| *own == word);
        debug_assert!(fetched.is_some(), "{word} is not declared");
        if let Some((_, counter)) = fetched {
            counter.inc();
        }
    }
}

/// The word that a reason is counted under.
fn word(reason: Reason) -> &'static str {
    use Refused::{
        Algorithm, Audience, Expired, Future, Issuer, KeyExpired, KeyRemoved, KidMissing, Lifetime,
        NoAuthorization, NoKey, NoKeys, NotYet, Scheme, Signature, TooOld,
    };
    match reason {
        Reason::Token(refused) => match refused {
            NoAuthorization | Scheme | NoKeys | NoKey | Algorithm | Signature | KeyExpired | Expired
            | TooOld | Future | Lifetime | Audience | Issuer => refused.code(),
            NotYet => Future.code(),
            KidMissing | KeyRemoved => NoKey.code(),
            _ => Refused::Json.code(),
        },
        other => other.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Refused::*;

    #[test]
    fn every_reason_has_a_word_that_is_declared() {
        let tokens = [
            (NoAuthorization, "no_authorization"),
            (Scheme, "scheme"),
            (SeveralAuthorizations, "malformed"),
            (Segments, "malformed"),
            (Json, "malformed"),
            (MissingClaim("exp"), "malformed"),
            (Critical, "malformed"),
            (Expired, "expired"),
            (TooOld, "too_old"),
            (Future, "future"),
            (NotYet, "future"),
            (Lifetime, "lifetime"),
            (Audience, "audience"),
            (Issuer, "issuer"),
            (NoKeys, "no_keys"),
            (NoKey, "no_key"),
            (KidMissing, "no_key"),
            (KeyRemoved, "no_key"),
            (Algorithm, "algorithm"),
            (Signature, "signature"),
            (KeyExpired, "key_expired"),
        ];
        let tokens = tokens.map(|(refused, expected)| (Reason::Token(refused), expected));
        let known = [(Reason::NoService, "no_service"), (Reason::Denied, "denied")];
        for (reason, expected) in tokens.into_iter().chain(known) {
            assert_eq!(word(reason), expected, "{reason:?}");
            assert!(UNAUTHORIZED.contains(&expected), "{expected}");
        }
        for reason in [
            Reason::NoUri,
            Reason::SeveralUris,
            Reason::UriTooLong,
            Reason::UriMalformed,
            Reason::UriNotCanonical,
            Reason::Path,
            Reason::Method,
            Reason::NoMethod,
            Reason::SeveralMethods,
            Reason::NoScope,
            Reason::SeveralScopes,
            Reason::Scope,
        ] {
            assert!(FORBIDDEN.contains(&word(reason)), "{reason:?}");
        }
    }
}
