//! What surrounds the tunnels, in one process: TLS, PROXY headers, unix sockets, the audit log.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in #[test] functions, not in what they call")]

mod audit;
mod certificates;
mod gateway;
mod proxy;
mod tls;
mod unix;
