//! One TCP stream inside one WebSocket, both ends of it.
//!
//! ```text
//!   local socket ──read──► buffer ─┬─ header ─► mask ──write──► WebSocket
//!                                  └─ one frame a read, one write a frame
//!   local socket ◄─write── payload, as it arrives ◄─ Decoder ◄─read── WebSocket
//! ```
//!
//! In: a local byte stream and the byte stream of an upgraded connection ([`relay::Leg`]s). Out: a
//! [`relay::Ended`]. Modules in reading order: [`handshake`] (RFC 6455 section 4, the parts that both
//! ends share), `frame` (headers), `mask`, [`Decoder`] (frames in, payload out, nothing assembled),
//! [`close`] (codes), [`carry`](carry()) (dialect 1: bare binary messages, what the original programs
//! speak); [`header`] and [`session_id`] (how dialect 2 is agreed on), [`dialect2`] (half-close, flow
//! control, resume); [`size`] (amounts of memory in flags).

mod carry;
pub mod close;
mod decode;
pub mod dialect2;
mod frame;
pub mod handshake;
pub mod header;
#[cfg(test)]
mod legs;
mod mask;
pub mod session_id;
pub mod size;

pub use carry::{Limits, RoundTrip, Settings, Tap, Wire, carry};
pub use decode::{Decoded, Decoder, End, Violation};
pub use frame::{HEAD_ROOM, MAX_FRAME, Opcode, Role, encode_control, put_header};
