//! `motarei` listens on the ports of Docker containers that carry a label and carries every new connection
//! to the newest container that is ready.

mod address;
mod container;
mod probe;
mod rule;
mod selector;
