//! Keys and JSON Web Tokens: load, verify, sign.
//!
//! In go the bytes of a PEM file or a JWK set, the values of `Authorization` headers and the time; out come the
//! identity in a token, or the one reason for which it is refused. Nothing here touches a socket, a
//! file or the clock.
//!
//! ```text
//! JWK set ──► JwkSet ──────┐
//! PEM ──► PublicKey ──► KeySet ───────────────┐
//! Authorization ──► bearer ──► Unverified ──► verify(keys, policy, now) ──► Verified
//!                               │ size, alphabet, base64url, JOSE header, claims
//!                               ▼                                    or ──► Refused::code()
//! PEM ──► PrivateKey ──► sign(kid, claims) ──► token
//! ```
//!
//! A token is a JSON Web Signature in compact form (RFC 7515 §3.1) whose payload is a claims set
//! (RFC 7519 §4). The policy is narrower than the RFCs: what is not needed is refused. Every cheap
//! check comes before the first signature check.
//!
//! The modules in reading order: `bearer`, `compact`, `json`, `jose`, `claims`, `policy`, `verify`,
//! `keyset`, `jwks`, then `key` and `algorithm`.
//!
//! `fuzz/` beside `src/` is a workspace of its own: `cargo +nightly fuzz run verify`, or `jwks`.

mod algorithm;
mod bearer;
mod claims;
mod compact;
mod jose;
mod json;
mod jwks;
mod key;
mod keyset;
mod policy;
mod refused;
mod verify;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use bearer::{Bare, Bearer, bearer};
pub use compact::MAX_TOKEN;
pub use jwks::{JwkSet, JwkSetError, MAX_JWK_SET, MAX_JWKS, Origin, Skipped};
pub use key::{JwkError, KeyError, KeyKind, NewKey, PrivateKey, PublicKey, SignError};
pub use keyset::{Key, KeySet, KeySetError, MAX_TRIED};
pub use policy::Policy;
pub use refused::Refused;
pub use verify::{Unverified, Verified, verify};
