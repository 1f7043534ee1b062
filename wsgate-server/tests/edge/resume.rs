//! Sessions of dialect 2, with the other end of the protocol as the client.

mod bounds;
mod carrying;
mod client;
mod ending;
mod handover;
mod refused;
mod stopping;
mod world;
