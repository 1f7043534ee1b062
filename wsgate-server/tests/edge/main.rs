//! What surrounds the tunnels, in one process: TLS, PROXY headers, unix sockets, the audit log.
#![allow(clippy::unwrap_used)] // these are tests

mod certificates;
mod gateway;
mod proxy;
mod tls;
mod unix;
