//! TLS at both ends, a small HTTPS client, and the JWK set cache that uses it.
//!
//! In go the names of certificate files, URLs and a proxy rule; out come TLS streams, answers and key
//! sets. Everything here speaks HTTP/1.1 only and uses aws-lc explicitly.
//!
//! ```text
//! files ──► ServerTls ──► accept(stream)             reload(): parsed whole, then swapped
//! files ──► ClientTls ──► connect(name, stream)
//!               │
//!               ▼       ┌── ProxyRule ──► proxy::connect(stream, …)
//! Request ──► fetch::Client ──► Response or FetchError
//!               │
//!               ▼
//! JWK set ──► jwks::JwksCache ──► keys() -> Option<Arc<KeySet>>
//! ```
//!
//! The modules in reading order: `server`, `client`, `identity`,
//! `certificate`, `roots`, `pem_file`, `reload`,
//! `provider`; then `url`, [`proxy`], [`fetch`], [`jwks`], and `text` for what peers say.

mod certificate;
mod client;
pub mod fetch;
mod identity;
pub mod jwks;
mod pem_file;
mod provider;
pub mod proxy;
mod reload;
mod roots;
mod server;
mod text;
mod url;

pub use certificate::{Certificate, Expiry};
pub use client::{ClientFiles, ClientTls, client_config};
pub use identity::{Identity, IdentityFiles};
pub use provider::{install_provider, provider};
pub use reload::Changed;
pub use roots::Roots;
pub use server::{ServerFiles, ServerTls};
pub use url::{Host, Scheme, Url, UrlError};
