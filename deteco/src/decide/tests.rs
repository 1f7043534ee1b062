//! Decisions, on a clock that stands where the row says.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderName;
use serde_json::{Value, json};
use token::{Key, KeySet, NewKey, Policy, PrivateKey, Verified};

use super::*;
use crate::{Cache, DenyList, Method, Methods};

/// The `iat` of the tokens here.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(NewKey::P256).unwrap());
static OTHER: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(NewKey::P256).unwrap());

/// For the service "batch", good for a minute.
pub(crate) fn token(kid: Option<&str>, changes: Value) -> String {
    let issued = now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({"sub": "batch", "iat": issued, "exp": issued + 60});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    KEY.sign(kid, &claims).unwrap()
}

pub(crate) fn verified(token: &str, service: &Service) -> Verified {
    token::verify(token, &service.keys, &Policy::default(), now()).unwrap()
}

pub(crate) fn service(keys: Vec<Key>) -> Service {
    let rule = |prefix: &str, methods| Rule { prefix: prefix.parse().unwrap(), methods };
    let get = Methods::Listed(vec![Method("GET".into())]);
    Service {
        id: "batch".into(),
        keys: KeySet::new(keys).unwrap(),
        jwks: None,
        rules: vec![rule("/api/reports", Methods::Any), rule("/api", get)],
        scopes: None,
        headers: vec![
            (HeaderName::from_static("x-deteco-email"), "email".into()),
            (HeaderName::from_static("x-deteco-name"), "name".into()),
        ],
    }
}

fn rules_of(service: Service) -> Ruleset {
    Ruleset {
        services: HashMap::from([(service.id.clone(), Arc::new(service))]),
        policy: Policy { freshness: Some(Duration::from_secs(40)), ..Policy::default() },
        uri_policy: UriPolicy::Canonical,
        accel_expires: None,
        denied: DenyList::default(),
        cache: Cache::new(10),
    }
}

fn rules() -> Ruleset {
    rules_of(service(vec![KEY.public().clone().into()]))
}

fn scoped(scopes: &[&str]) -> Service {
    let scopes: BTreeSet<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
    Service { scopes: Some(scopes), ..service(vec![KEY.public().clone().into()]) }
}

fn question<'a>(authorization: &'a str, uri: &'a str) -> Question<'a> {
    let one = |text: &'a str| Lines::One(text.as_bytes());
    Question { authorization: one(authorization), uri: one(uri), ..Question::default() }
}

fn bearer(changes: Value) -> String {
    format!("Bearer {}", token(None, changes))
}

fn outcome(question: &Question<'_>, rules: &Ruleset) -> Result<(), Reason> {
    decide(question, rules, now()).outcome.map(drop)
}

#[test]
fn path_and_method_decide() {
    let (bearer, rules) = (bearer(json!({})), rules());
    let one = |text: &'static str| Lines::One(text.as_bytes());
    let rows = [
        (one("/api/reports"), Lines::None, Ok(())),
        (one("/api/reports/1?x=1"), one("DELETE"), Ok(())),
        (one("/api/other"), one("GET"), Ok(())),
        (one("/api/other"), one("HEAD"), Ok(())),
        (one("/api/other"), one("get"), Err(Reason::Method)),
        (one("/api/other"), one("POST"), Err(Reason::Method)),
        (one("/api/other"), Lines::None, Err(Reason::NoMethod)),
        (one("/api/other"), Lines::Several, Err(Reason::SeveralMethods)),
        (one("/api/reports2"), one("POST"), Err(Reason::Method)),
        (one("/apis"), one("GET"), Err(Reason::Path)),
        (one("/api/../x"), one("GET"), Err(Reason::UriNotCanonical)),
        (one("/.."), one("GET"), Err(Reason::UriMalformed)),
        (Lines::None, one("GET"), Err(Reason::NoUri)),
        (Lines::Several, one("GET"), Err(Reason::SeveralUris)),
    ];
    for (uri, method, expected) in rows {
        let question = Question { uri, method, ..question(&bearer, "/") };
        assert_eq!(outcome(&question, &rules), expected, "{uri:?} {method:?}");
    }
}

/// `/api/x` may be read, `/api/reports` be written: a URI that is one or the other needs both.
#[test]
fn the_lenient_policy_needs_a_rule_for_each_path() {
    let bearer = bearer(json!({}));
    let rules = Ruleset { uri_policy: UriPolicy::Nginx, ..rules() };
    let ask = |uri, method: &'static str| {
        outcome(&Question { method: Lines::One(method.as_bytes()), ..question(&bearer, uri) }, &rules)
    };
    assert_eq!(ask("/api/reports/x//../../y", "GET"), Ok(()), "/api/y and /api/reports/y");
    assert_eq!(ask("/api/reports/x//../../y", "POST"), Err(Reason::Method));
    assert_eq!(ask("//api/reports", "GET"), Err(Reason::Path));
}

#[test]
fn scope_decides_beside_the_path() {
    let bearer = bearer(json!({}));
    let one = |text: &'static str| Lines::One(text.as_bytes());
    let rows = [
        (None, Lines::None, Ok(())),
        (None, one("read"), Err(Reason::Scope)),
        (None, one(""), Err(Reason::Scope)),
        (None, Lines::Several, Err(Reason::SeveralScopes)),
        (Some(["read", "write"]), one("read"), Ok(())),
        (Some(["read", "write"]), one("Read"), Err(Reason::Scope)),
        (Some(["read", "write"]), one("read write"), Err(Reason::Scope)),
        (Some(["read", "write"]), Lines::None, Err(Reason::NoScope)),
        (Some(["read", "write"]), Lines::Several, Err(Reason::SeveralScopes)),
    ];
    for (scopes, scope, expected) in rows {
        let service = Service { scopes: None, ..scoped(&[]) };
        let rules = rules_of(scopes.map_or(service, |scopes| scoped(&scopes)));
        let allowed = Question { scope, ..question(&bearer, "/api/reports") };
        assert_eq!(outcome(&allowed, &rules), expected, "{scopes:?} {scope:?}");
        let elsewhere = Question { scope, ..question(&bearer, "/elsewhere") };
        assert_eq!(outcome(&elsewhere, &rules), Err(Reason::Path), "the path is asked for too");
    }
    let rules = rules_of(Service { rules: Vec::new(), ..scoped(&["read"]) });
    let anywhere = Question { scope: one("read"), uri: Lines::None, ..question(&bearer, "") };
    assert_eq!(outcome(&anywhere, &rules), Ok(()), "a service of scopes alone has no paths");
}

#[test]
fn who_it_is_comes_first() {
    let rules = rules();
    let stranger = bearer(json!({"sub": "stranger"}));
    let forged = {
        let mine = token(None, json!({}));
        let (input, _) = mine.rsplit_once('.').unwrap();
        let other = OTHER.sign(None, &json!({"sub": "batch"})).unwrap();
        format!("Bearer {input}.{}", other.rsplit_once('.').unwrap().1)
    };
    let rows = [
        (stranger.as_str(), Reason::NoService),
        (forged.as_str(), Reason::Token(Refused::Signature)),
        ("Bearer x", Reason::Token(Refused::Segments)),
        ("Basic x", Reason::Token(Refused::Scheme)),
    ];
    for (authorization, expected) in rows {
        let decision = decide(&question(authorization, "/nowhere?secret"), &rules, now());
        assert_eq!(decision.outcome.as_ref().err(), Some(&expected));
        assert!(decision.identity.is_none() && rules.cache.is_empty(), "nothing is proven");
        assert_eq!(decision.path.as_deref(), Some(&b"/nowhere"[..]), "for the log");
    }
    for authorization in [Lines::None, Lines::Several] {
        let question = Question { authorization, ..question("", "/") };
        assert_eq!(outcome(&question, &rules).unwrap_err().status(), crate::Status::Unauthorized);
    }
}

#[test]
fn what_is_sent_to_the_application() {
    let long = "x".repeat(257);
    let rows = [
        (json!({"email": "a@example.com", "name": "A B"}), vec!["batch", "a@example.com", "A B"]),
        (json!({"email": "a@example.com\r\nX-Admin: 1", "name": long}), vec!["batch"]),
        (json!({"email": ["a@example.com"], "name": "ä"}), vec!["batch"]),
    ];
    for (claims, expected) in rows {
        let bearer = bearer(claims);
        let decision = decide(&question(&bearer, "/api/reports"), &rules(), now());
        let identity = decision.outcome.unwrap();
        let values: Vec<_> = identity.headers.iter().map(|(_, value)| value.to_str().unwrap()).collect();
        assert_eq!(values, expected);
        assert_eq!(values.len() + identity.left_out.len(), 3);
        assert!(identity.verified.claims.is_empty(), "they would fill the cache");
    }
}

#[test]
fn a_token_from_the_cache_is_checked_again() {
    let (bearer, rules) = (bearer(json!({})), rules());
    let at = |seconds| {
        let decision =
            decide(&question(&bearer, "/api/reports"), &rules, now() + Duration::from_secs(seconds));
        (decision.outcome.map(drop), decision.cached)
    };
    assert_eq!(at(0), (Ok(()), false));
    assert_eq!(at(70), (Ok(()), true), "freshness and leeway: 40 s and 30 s");
    assert_eq!(at(71), (Err(Refused::TooOld.into()), true));
    assert!(rules.cache.is_empty(), "it will never be good again");
    assert_eq!(at(0), (Ok(()), false));
    assert_eq!(at(90), (Err(Refused::Expired.into()), true));
    let key = Key { not_after: Some(now()), ..KEY.public().clone().into() };
    let rules = rules_of(service(vec![key]));
    let at = |seconds| {
        decide(&question(&bearer, "/api/reports"), &rules, now() + Duration::from_secs(seconds))
            .outcome
            .map(drop)
    };
    assert_eq!((at(0), at(1)), (Ok(()), Err(Refused::KeyExpired.into())));
}

#[test]
fn the_deny_list_counts_for_tokens_of_the_cache() {
    let bearer = bearer(json!({"jti": "one"}));
    let mut rules = rules();
    assert_eq!(outcome(&question(&bearer, "/api/reports"), &rules), Ok(()));
    rules.denied = "jti one".parse().unwrap();
    let decision = decide(&question(&bearer, "/api/reports"), &rules, now());
    assert!(decision.cached);
    assert_eq!(decision.outcome.unwrap_err(), Reason::Denied);
    assert!(decision.identity.is_some(), "whose it is may be logged");
}

#[test]
fn the_cache_is_bounded() {
    for size in [0, 1, 7, 255, 256, 1003] {
        let cache = Cache::new(size);
        let token = token(None, json!({}));
        let service = Arc::new(service(vec![KEY.public().clone().into()]));
        let identity = Arc::new(Identity::new(verified(&token, &service), service, &token));
        for number in 0..3000 {
            cache.insert(sha256(&number.to_string()), identity.clone());
        }
        assert!(cache.len() <= size, "{} of {size}", cache.len());
        assert!(cache.len() >= size.min(size / 4 * 3), "{} of {size}", cache.len());
    }
}
