//! `motarei` listens on the ports of Docker containers that carry a label and carries every new connection
//! to the newest container that is ready.

mod address;
mod app;
mod container;
mod discovery;
mod engine;
mod event;
mod fleet;
mod probe;
mod routes;
mod rule;
mod selector;
