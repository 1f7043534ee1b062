//! Whose a session is.

use serde_json::Value;

use crate::identity::Known;

/// What must be the same at a resume. The key need not be: another one that may claim the same subject does as
/// well. Anonymous callers are all alike; what tells them apart is the session's secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Owner {
    /// As the log has it; empty: anonymous.
    pub(crate) user: String,
    pub(crate) method: &'static str,
    pub(crate) issuer: Option<Value>,
    pub(crate) subject: Option<Value>,
    pub(crate) email: Option<String>,
}

impl From<&Known> for Owner {
    fn from(known: &Known) -> Self {
        Self {
            user: known.caller.user.clone(),
            method: known.caller.method,
            issuer: known.claims.get("iss").cloned(),
            subject: known.claims.get("sub").cloned(),
            email: known.email.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Caller;
    use serde_json::{Map, json};

    fn known(user: &str, method: &'static str, key: &str, issuer: Option<&str>) -> Known {
        let mut claims =
            Map::from_iter([("sub".to_owned(), json!(user)), ("iat".to_owned(), json!(key.len()))]);
        claims.extend(issuer.map(|issuer| ("iss".to_owned(), json!(issuer))));
        let caller = Caller { user: user.to_owned(), method, key: key.to_owned() };
        Known { caller, claims, ..Known::default() }
    }

    #[test]
    fn the_same_is_who_has_the_same_name_from_the_same_issuer_by_the_same_method() {
        let alice = known("alice", "jwt", "k1", Some("a"));
        let with_email = Known { email: Some("alice@example.com".to_owned()), ..alice.clone() };
        for (other, same) in [
            (known("alice", "jwt", "another", Some("a")), true),
            (known("alice", "jwt", "k1", Some("b")), false),
            (known("alice", "jwt", "k1", None), false),
            (known("alice", "iap+jwt", "k1", Some("a")), false),
            (known("bob", "jwt", "k1", Some("a")), false),
            (with_email, false),
        ] {
            assert_eq!(Owner::from(&alice) == Owner::from(&other), same, "{other:?}");
        }
    }
}
