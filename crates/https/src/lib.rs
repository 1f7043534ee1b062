//! TLS at both ends.

mod client;
mod identity;
mod pem_file;
mod provider;
mod reload;
mod roots;
mod server;

pub use client::{ClientFiles, ClientTls, client_config};
pub use identity::{Identity, IdentityFiles};
pub use provider::{install_provider, provider};
pub use reload::Changed;
pub use roots::Roots;
pub use server::{ServerFiles, ServerTls};
