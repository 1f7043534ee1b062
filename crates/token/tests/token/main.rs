//! The crate from outside: hostile tokens, all forms of keys, properties, and second opinions from
//! jsonwebtoken and the openssl command.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in what they call")]

mod forge;
mod hostile_claims;
mod hostile_form;
mod hostile_header;
mod hostile_keys;
mod jwks;
mod keys;
mod openssl;
mod oracle;
mod properties;
mod round_trip;
mod wrap;
