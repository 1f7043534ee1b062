//! The crate against servers and proxies that really speak TLS, with a throw-away authority.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in what they call")]

mod authority;
mod fetch;
mod files;
mod jwks;
mod mutual;
mod proxy;
mod reload;
mod stand;
