//! Listens on local ports and carries every connection to a gateway over WebSocket.

mod args;
mod config;
mod credential;
mod gateway;
mod headers;
mod map;
mod signer;
mod tls;

pub use args::Args;
pub use config::Config;
