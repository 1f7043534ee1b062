//! TLS at both ends.

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

pub use client::{ClientFiles, ClientTls, client_config};
pub use identity::{Identity, IdentityFiles};
pub use provider::{install_provider, provider};
pub use reload::Changed;
pub use roots::Roots;
pub use server::{ServerFiles, ServerTls};
pub use url::{Host, Scheme, Url, UrlError};
