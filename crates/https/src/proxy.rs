//! Forward proxies: which connection uses one, and how to get through it.

mod connect;
mod rule;
mod without;

pub use connect::{ConnectError, connect};
pub use rule::{Proxy, ProxyError, ProxyRule};
