//! The real programs between real peers. One test binary; the harness is the library of this package.

#![allow(clippy::unwrap_used, reason = "this is a test binary: an unwrap that fails is a test that fails")]

mod address;
mod attack;
mod audit;
mod check;
mod client;
mod client_credential;
mod client_flags;
mod client_token;
mod config;
mod conformance;
mod credential;
mod deploy;
mod deteco;
mod dev;
mod differential;
mod drain;
mod dump;
mod ending;
mod flags;
mod forward_proxy;
mod frames;
mod house;
mod iap;
mod idle;
mod integrity;
mod limits;
mod listen_unix;
mod listening;
mod map;
mod monitoring;
mod motarei;
mod mysql;
mod oracle;
mod origin;
mod protected;
mod proxy_protocol;
mod refusal;
mod reload;
mod rows;
mod sabo;
mod server_tls;
mod ssh;
mod start_server;
mod stdio;
