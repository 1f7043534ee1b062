//! Listens on local ports and carries every connection to a gateway over WebSocket.

mod gateway;
mod headers;
mod map;
