//! Any bytes as a JWK set: nothing panics, and every key that is taken is written and read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use token::{JwkSet, Origin};

fuzz_target!(|bytes: &[u8]| {
    let _ = JwkSet::parse(bytes, Origin::File);
    let Ok(set) = JwkSet::parse(bytes, Origin::Fetched) else { return };
    for key in set.keys() {
        let keys = format!(r#"{{"keys":[{}]}}"#, key.public.to_jwk(key.kid.as_deref()));
        let again = JwkSet::parse(keys.as_bytes(), Origin::File).expect("what we write is good");
        assert_eq!(again.keys()[0].public.fingerprint(), key.public.fingerprint());
    }
    let _ = set.into_key_set();
});
