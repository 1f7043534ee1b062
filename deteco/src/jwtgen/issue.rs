//! A new token.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rand::RngExt;
use serde::Serialize;

use super::files::PrivateKeyFile;
use super::{IssueArgs, Outcome};

/// The `iss` of every token.
const ISSUER: &str = "deteco-jwtgen";
/// The longest id of a service, in bytes.
const LONGEST_USER: usize = 255;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

/// RFC 7519 §4.1.3: one is a string, several are an array.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(&'a [String]),
}

/// Prints `Authorization: Bearer …`.
pub(super) fn issue(args: &IssueArgs, now: SystemTime) -> Result<Outcome> {
    let path = args.private_key.as_deref().context("--private-key is missing")?;
    let claims = claims(args, now)?;
    let PrivateKeyFile { key, warning } = PrivateKeyFile::read(path)?;
    let token = key.sign(args.kid.as_deref(), &claims)?;
    if token.len() > token::MAX_TOKEN {
        bail!(
            "the token would be longer than the {} bytes that deteco takes; shorten --aud",
            token::MAX_TOKEN
        );
    }
    let text = format!("Authorization: Bearer {token}\n");
    Ok(Outcome { text, warnings: warning.into_iter().collect(), good: true })
}

fn claims(args: &IssueArgs, now: SystemTime) -> Result<Claims<'_>> {
    let user = args.private_key_user.as_str();
    if user.is_empty() || user.len() > LONGEST_USER {
        bail!("--private-key-user is empty or longer than {LONGEST_USER} bytes; give a service's id");
    }
    let age = args.max_age.0.as_secs();
    if age == 0 {
        bail!("--max-age {} is below a second; the token would never be valid", args.max_age);
    }
    let iat = now.duration_since(UNIX_EPOCH).context("the clock of this host is before 1970")?.as_secs();
    let nbf = args.nbf.map(|offset| iat + offset.0.as_secs());
    if nbf.is_some_and(|nbf| nbf >= iat + age) {
        bail!("--nbf is not before the end of --max-age {}; the token would never be valid", args.max_age);
    }
    let aud = match args.aud.as_slice() {
        [] => None,
        [one] => Some(Audience::One(one)),
        several => Some(Audience::Several(several)),
    };
    let jti = args.jti.as_ref().map(|id| if id == "auto" { random_id() } else { id.clone() });
    Ok(Claims { iss: ISSUER, sub: user, iat, exp: iat + age, nbf, aud, jti })
}

/// 128 random bits in hex.
fn random_id() -> String {
    let mut id = String::with_capacity(32);
    for byte in rand::rng().random::<[u8; 16]>() {
        let _ = write!(id, "{byte:02x}"); // to a String it cannot fail
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use clap::Parser;
    use serde_json::{Value, json};
    use token::{Bare, Key, KeySet, NewKey, Policy, PrivateKey, PublicKey, Verified, bearer, verify};

    use crate::jwtgen::Args;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn args(key: &Path, more: &str) -> IssueArgs {
        let words = ["jwtgen", "--private-key", key.to_str().unwrap()];
        Args::parse_from(words.into_iter().chain(more.split_whitespace())).issue
    }

    fn verified(text: &str, public: &PublicKey) -> Verified {
        let value = text.strip_prefix("Authorization: ").unwrap().strip_suffix('\n').unwrap();
        let token = bearer([value.as_bytes()], Bare::Refuse).unwrap().token;
        let keys = KeySet::new(vec![Key::from(public.clone())]).unwrap();
        verify(token, &keys, &Policy::default(), now()).unwrap()
    }

    #[test]
    fn every_kind_of_key_signs_what_verifies() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("key.pem");
        for kind in [NewKey::Rsa2048, NewKey::P256, NewKey::P384, NewKey::P521, NewKey::Ed25519] {
            let key = PrivateKey::generate(kind).unwrap();
            fs::write(&path, key.to_pem().unwrap()).unwrap();
            let outcome = issue(&args(&path, "--max-age 10m --kid k1"), now()).unwrap();
            let verified = verified(&outcome.text, key.public());
            assert_eq!(
                (verified.subject.as_str(), verified.kid.as_deref()),
                ("private-key-user", Some("k1"))
            );
        }
    }

    #[test]
    fn the_claims_are_those_asked_for() {
        let base =
            json!({"iss": ISSUER, "sub": "private-key-user", "iat": 1_800_000_000, "exp": 1_800_003_600});
        let with = |claims: Value| {
            let mut all = base.clone();
            all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
            all
        };
        let table = [
            ("", base.clone()),
            ("--private-key-user bob --max-age 90s", with(json!({"sub": "bob", "exp": 1_800_000_090}))),
            ("--aud a", with(json!({"aud": "a"}))),
            ("--aud a --aud b", with(json!({"aud": ["a", "b"]}))),
            ("--jti x1 --nbf 5m", with(json!({"jti": "x1", "nbf": 1_800_000_300}))),
        ];
        for (more, expected) in table {
            let args = args(Path::new("k"), more);
            assert_eq!(serde_json::to_value(claims(&args, now()).unwrap()).unwrap(), expected, "{more}");
        }
        let random = || claims(&args(Path::new("k"), "--jti auto"), now()).unwrap().jti.unwrap();
        assert_eq!(random().len(), 32);
        assert_ne!(random(), random());
    }

    #[test]
    fn a_token_that_could_never_be_used_is_not_made() {
        let long = format!("--private-key-user {}", "u".repeat(256));
        for (more, named) in [
            ("--max-age 0", "--max-age 0s"),
            ("--max-age 500ms", "--max-age 500ms"),
            ("--nbf 1h", "--nbf"),
            ("--private-key-user=", "--private-key-user"),
            (long.as_str(), "--private-key-user"),
        ] {
            let args = args(Path::new("k"), more);
            let error = claims(&args, now()).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
