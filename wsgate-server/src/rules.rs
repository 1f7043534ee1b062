//! Who may reach what: decisions, as pure functions of the rules and of what has been proven of a caller.
//!
//! ```text
//!  key ──► subjects: may this key claim this sub?
//!  e-mail of the IAP, sub of the key ──► Pairing: do they belong together?
//!  destination ──► Rules: does one of its entries admit the caller?
//! ```
//!
//! Each is asked where there is something to ask; a single no forbids.

mod pattern;
mod rule;

use std::collections::HashMap;

use serde_json::{Map, Value};

pub use pattern::{InvalidPattern, Pattern};
pub use rule::Rule;

/// What has been proven of a caller. `None` is what nothing proves, and no pattern matches that.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a> {
    /// `sub` of the token that a key of ours has verified.
    pub sub: Option<&'a str>,
    /// The e-mail that the Identity-Aware Proxy asserts. An `email` claim in another token is none.
    pub email: Option<&'a str>,
    /// The claims of the token that a key of ours has verified; without one, of the proxy's assertion.
    pub claims: &'a Map<String, Value>,
}

/// What a pattern is on that does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare {
    /// The `sub`: no Identity-Aware Proxy is configured.
    Sub,
    /// The e-mail: one is.
    Email,
}

/// A caller who is known and may not do this; the reason is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Forbidden(pub &'static str);

/// Which destinations have rules, and which.
#[derive(Clone, Debug)]
pub struct Rules {
    bare: Bare,
    by_destination: HashMap<String, Vec<Rule>>,
}

impl Rules {
    /// `allowed` are the destinations that have an `allow` list, by name.
    pub fn new(bare: Bare, allowed: impl IntoIterator<Item = (String, Vec<Rule>)>) -> Self {
        Self { bare, by_destination: allowed.into_iter().collect() }
    }

    /// Whether the caller may reach the destination. One without a list is open to every verified caller;
    /// one with an empty list to nobody.
    ///
    /// # Errors
    /// If none of its entries admits the caller.
    pub fn decide(&self, destination: &str, caller: &Proven<'_>) -> Result<(), Forbidden> {
        match self.by_destination.get(destination) {
            Some(rules) if !rules.iter().any(|rule| rule.admits(self.bare, caller)) => {
                Err(Forbidden("the destination's allow list does not name the caller"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a key may claim this `sub`; `None`: any, as the original's could.
///
/// # Errors
/// If the key has a list of subjects and none of them matches.
pub fn claims(subjects: Option<&[Pattern]>, sub: &str) -> Result<(), Forbidden> {
    match subjects {
        Some(subjects) if !any(subjects, sub) => Err(Forbidden("the key may not claim this sub")),
        _ => Ok(()),
    }
}

/// When the Identity-Aware Proxy and a key both have verified a caller: whether they mean the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Any e-mail goes with any `sub`.
    Any,
    /// An e-mail that is listed goes with the subjects listed for it, any other with the `sub` that equals
    /// it.
    Users(HashMap<String, Vec<Pattern>>),
}

impl Pairing {
    /// Whether the e-mail goes with the `sub`.
    ///
    /// # Errors
    /// If it does not.
    pub fn decide(&self, email: &str, sub: &str) -> Result<(), Forbidden> {
        let Self::Users(users) = self else { return Ok(()) };
        match users.get(email) {
            Some(subjects) if any(subjects, sub) => Ok(()),
            Some(_) => Err(Forbidden("the user of this e-mail is not paired with this sub")),
            None if email == sub => Ok(()),
            None => Err(Forbidden("the sub is not the e-mail, and no user pairs them")),
        }
    }
}

fn any(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn destinations_are_open_closed_or_listed() {
        let bare = |texts: &[&str]| patterns(texts).into_iter().map(Rule::Bare).collect::<Vec<_>>();
        let mut mysql = bare(&["alice", "*@example.com"]);
        mysql.push(Rule::Contains { claim: "groups".into(), value: "dba".into() });
        let lists = [("mysql".to_owned(), mysql), ("closed".to_owned(), vec![])];
        let by_sub = Rules::new(Bare::Sub, lists.clone());
        let by_email = Rules::new(Bare::Email, lists);
        let (none, dba) = (Map::new(), Map::from_iter([("groups".to_owned(), serde_json::json!(["dba"]))]));
        let alice = Proven { sub: Some("alice"), email: None, claims: &none };
        let eve = Proven { sub: Some("eve"), email: Some("eve@example.com"), claims: &none };
        let member = Proven { sub: Some("eve"), email: None, claims: &dba };
        let nobody = Proven { sub: None, email: None, claims: &none };
        for (who, caller, destination, sub, email) in [
            ("alice", alice, "mysql", true, false),
            ("eve", eve, "mysql", false, true),
            ("a member", member, "mysql", true, true),
            ("nobody", nobody, "mysql", false, false),
            ("alice", alice, "closed", false, false),
            ("a member", member, "closed", false, false),
            ("nobody", nobody, "open", true, true),
        ] {
            assert_eq!(by_sub.decide(destination, &caller).is_ok(), sub, "{who} by sub to {destination}");
            assert_eq!(
                by_email.decide(destination, &caller).is_ok(),
                email,
                "{who} by e-mail to {destination}"
            );
        }
    }

    #[test]
    fn a_key_claims_what_it_may() {
        let batch = patterns(&["batch-*", "cron"]);
        for (subjects, sub, may) in [
            (None, "alice", true),
            (Some(batch.as_slice()), "batch-7", true),
            (Some(&batch), "cron", true),
            (Some(&batch), "alice", false),
            (Some(&[]), "alice", false),
        ] {
            assert_eq!(claims(subjects, sub).is_ok(), may, "{subjects:?} {sub}");
        }
    }

    #[test]
    fn an_email_is_paired_with_a_sub() {
        let alice = ("alice@example.com".to_owned(), patterns(&["alice", "batch-*"]));
        let users = Pairing::Users(HashMap::from([alice]));
        for (email, sub, paired) in [
            ("alice@example.com", "alice", true),
            ("alice@example.com", "batch-1", true),
            ("alice@example.com", "bob", false),
            ("alice@example.com", "alice@example.com", false),
            ("bob@example.com", "bob@example.com", true),
            ("bob@example.com", "bob", false),
            ("bob@example.com", "alice", false),
            ("Alice@example.com", "alice", false),
        ] {
            assert_eq!(users.decide(email, sub).is_ok(), paired, "{email} {sub}");
            assert!(Pairing::Any.decide(email, sub).is_ok());
        }
    }
}
