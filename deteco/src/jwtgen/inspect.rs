//! What is in a token.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daemon::log::is_hostile;
use serde_json::Value;
use token::{Key, KeySet, Policy, PublicKey, Refused, Unverified, verify};

use super::{InspectArgs, Outcome, moment};

/// How much is read, in bytes: the longest token, what may stand before it, and space.
const LONGEST: u64 = token::MAX_TOKEN as u64 + 1024;

/// Shows the token of `--token-file`, which is `stdin` if that is `-`.
pub(super) fn inspect(args: &InspectArgs, stdin: impl Read, now: SystemTime) -> Result<Outcome> {
    let key = args.public_key.as_deref().map(public_key).transpose()?;
    let text = match args.token_file.to_str() {
        Some("-") => read(stdin).context("stdin")?,
        _ => {
            let file = || format!("--token-file {}", args.token_file.display());
            File::open(&args.token_file).and_then(read).with_context(file)?
        }
    };
    Ok(shown(bare(&text), key.as_ref(), now))
}

fn public_key(path: &Path) -> Result<PublicKey> {
    let file = || format!("--public-key {}", path.display());
    PublicKey::from_pem(&fs::read(path).with_context(file)?).with_context(file)
}

fn read(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}

/// Without the space around it, and without `Authorization: Bearer ` in any case.
fn bare(text: &[u8]) -> &[u8] {
    ["authorization:", "bearer "].iter().fold(text.trim_ascii(), |text, prefix| {
        match text.split_at_checked(prefix.len()) {
            Some((start, rest)) if start.eq_ignore_ascii_case(prefix.as_bytes()) => rest.trim_ascii(),
            _ => text,
        }
    })
}

fn shown(token: &[u8], key: Option<&PublicKey>, now: SystemTime) -> Outcome {
    let (mut text, verdict) = match std::str::from_utf8(token) {
        _ if token.len() > token::MAX_TOKEN => (String::new(), Err(Refused::TooLong)),
        Err(_) => (String::new(), Err(Refused::Alphabet)),
        Ok(token) => (content(token, now), judged(token, key, now)),
    };
    let line = match (&verdict, key) {
        (Err(reason), _) => format!("NOT GOOD: {reason} ({})", reason.code()),
        (Ok(()), None) => "NOT VERIFIED: anybody could have written this; give --public-key".to_owned(),
        (Ok(()), Some(key)) => format!("verified with the {} key {}", key.kind(), key.fingerprint()),
    };
    let _ = writeln!(text, "{line}"); // to a String it cannot fail
    Outcome { text, warnings: Vec::new(), good: verdict.is_ok() }
}

/// As deteco judges it without configuration; without a key its form alone.
fn judged(token: &str, key: Option<&PublicKey>, now: SystemTime) -> Result<(), Refused> {
    let Some(key) = key else { return Unverified::parse(token).map(drop) };
    // One key is never too many.
    let keys = KeySet::new(vec![Key::from(key.clone())]).unwrap_or_default();
    verify(token, &keys, &Policy::default(), now).map(drop)
}

/// Whatever can be read, be it a token that is taken or not; of the signature its length.
fn content(token: &str, now: SystemTime) -> String {
    let segments: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = segments.as_slice() else { return String::new() };
    let mut text = String::new();
    for (name, segment) in [("header", header), ("claims", claims)] {
        let value = json(segment);
        let shown = value.as_ref().map_or("cannot be read".to_owned(), pretty);
        let _ = writeln!(text, "{name}: {shown}");
        if let (Some(value), "claims") = (&value, name) {
            text += &moment::lines(value, now);
        }
    }
    let _ = writeln!(text, "signature: {} bytes, not shown", signature.len() * 3 / 4);
    text
}

fn json(segment: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
}

/// The claims are the sender's choice: nothing in them moves a cursor.
fn pretty(value: &Value) -> String {
    let mut text = String::new();
    for c in format!("{value:#}").chars() {
        match c {
            '\n' => text.push(c),
            _ if is_hostile(c) => text.extend(c.escape_unicode()),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::PathBuf;
    use std::time::{Duration, UNIX_EPOCH};
    use token::{NewKey, PrivateKey};

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn claims(exp: u64) -> Value {
        json!({"sub": "bob\u{9b}\u{202e}", "iat": 1_799_999_940, "exp": exp})
    }

    fn good() -> Value {
        claims(1_800_000_720)
    }

    #[test]
    fn a_token_is_shown_and_judged() {
        let key = PrivateKey::generate(NewKey::P256).unwrap();
        let other = PrivateKey::generate(NewKey::P256).unwrap();
        let sign = |claims: Value| key.sign(Some("k1"), &claims).unwrap();
        let (ours, none) = (Some(key.public()), None);
        let table = [
            (sign(good()), none, true, "NOT VERIFIED"),
            (sign(good()), ours, true, "verified with the P-256 key"),
            (sign(good()), Some(other.public()), false, "no key verifies the signature (signature)"),
            (sign(claims(1_799_999_950)), ours, false, "the token has expired (expired)"),
            (
                sign(json!({"sub": "bob"})),
                none,
                false,
                "NOT GOOD: the claim `iat` is missing (missing_claim)",
            ),
            ("e30.e30.!!".into(), none, false, "(alphabet)"),
            ("secret".into(), none, false, "(segments)"),
            ("a".repeat(8193), ours, false, "(too_long)"),
        ];
        for (token, key, good, says) in table {
            let outcome = shown(token.as_bytes(), key, now());
            assert_eq!(outcome.good, good, "{}", outcome.text);
            assert!(outcome.text.contains(says), "{}", outcome.text);
            let signature = token.rsplit('.').next().unwrap();
            assert!(!outcome.text.contains(signature), "the signature is shown: {}", outcome.text);
        }
    }

    #[test]
    fn what_the_sender_wrote_moves_no_cursor() {
        let key = PrivateKey::generate(NewKey::Ed25519).unwrap();
        let text = shown(key.sign(Some("k1"), &good()).unwrap().as_bytes(), None, now()).text;
        assert!(text.contains(r#""sub": "bob\u{9b}\u{202e}""#) && text.contains(r#""kid": "k1""#), "{text}");
        assert!(text.contains("(expires in 12m)") && text.contains("64 bytes, not shown"), "{text}");
    }

    #[test]
    fn what_stands_before_a_token_is_taken_off() {
        for text in
            ["t", " t\n", "Bearer t", "bearer   t\r\n", "Authorization: Bearer t\n", "AUTHORIZATION:bearer t"]
        {
            assert_eq!(bare(text.as_bytes()), b"t", "{text:?}");
        }
    }

    #[test]
    fn it_is_read_from_stdin_or_a_file() {
        let files = tempfile::tempdir().unwrap();
        let key = PrivateKey::generate(NewKey::Ed25519).unwrap();
        let token = format!("Authorization: Bearer {}\n", key.sign(None, &good()).unwrap());
        let (path, public) = (files.path().join("token"), files.path().join("key.pub.pem"));
        fs::write(&path, &token).unwrap();
        fs::write(&public, key.public_pem()).unwrap();
        for (token_file, stdin) in [(PathBuf::from("-"), token.as_bytes()), (path, &b""[..])] {
            let args = InspectArgs { token_file, public_key: Some(public.clone()) };
            assert!(inspect(&args, stdin, now()).unwrap().good);
        }
        let args = InspectArgs { token_file: "-".into(), public_key: None };
        assert!(inspect(&args, &[b'a'; 100_000][..], now()).unwrap().text.contains("too_long"));
        let args = InspectArgs { token_file: files.path().join("none"), public_key: None };
        assert!(format!("{:#}", inspect(&args, &b""[..], now()).unwrap_err()).contains("none: No such file"));
    }
}
