//! What surrounds the tunnels, in one process: TLS, PROXY headers, unix sockets, the audit log; and that tunnels
//! outlive their WebSockets.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in #[test] functions, not in what they call")]

mod audit;
mod certificates;
mod gateway;
mod proxy;
mod resume;
mod tls;
mod unix;
