//! Any text as a token: it is refused, and nothing panics. The keys are new, so nothing is signed.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use token::{Bare, Key, KeySet, NewKey, Policy, PrivateKey, bearer, verify};

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let new = [NewKey::Ed25519, NewKey::P256, NewKey::Rsa2048];
    let key =
        |kind| Key::from(PrivateKey::generate(kind).expect("the system has randomness").public().clone());
    KeySet::new(new.map(key).to_vec()).expect("three keys are few")
});

fuzz_target!(|bytes: &[u8]| {
    let _ = bearer([bytes], Bare::Accept);
    if let Ok(token) = std::str::from_utf8(bytes) {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert!(verify(token, &KEYS, &Policy::default(), now).is_err());
    }
});
