//! Dialect 2 of the tunnel: half-close, flow control and resume. Without I/O, but for [`Carrier`].
//!
//! ```text
//!   local socket ──read──► buffer[DATA_ROOM..] ── Link::data ── one write a frame ──► WebSocket
//!                              │ kept in Session until confirmed ── Link::replay ──►
//!   local socket ◄─write── Taken (pieces of the chunk, as they arrive) ◄── Link::take ◄─read── WebSocket
//!                └◄─write── Session::held (what it would not take at once)
//! ```
//!
//! A [`Session`] is one TCP stream each way; it outlives its WebSockets. A [`Link`] is what belongs to one
//! WebSocket: frames in progress, its own position in the peer's stream, pings. Bytes go in and come out,
//! the clock is an argument. The caller does, again and again:
//!
//! 1. what was read from the WebSocket: [`Link::take`], a write of [`Taken::slices`] to the local socket,
//!    [`Taken::passed`] with what it took;
//! 2. what is [held](Session::held): a write to the local socket, [`Session::wrote`];
//!    [`Session::wants_shutdown`], then [`Session::shut_down`];
//! 3. when no write to the WebSocket is in progress: what [`Link::control`] gives, else what
//!    [`Link::replay`] gives, else, if [`Link::room`] allows, a read of the local socket and what
//!    [`Link::data`] makes of it; its end of file: [`Session::end_of_file`];
//! 4. [`Link::tick`]; and a timer for [`Link::deadline`] and, while no write is in progress,
//!    [`Link::ack_deadline`]; [`Link::parted`] tells the end.
//!
//! The wire format is in docs/protocol.md. Modules in reading order: `wire` (frames), `budget`,
//! `memory` and `blocks` (what is held), `send` and `receive` (the two halves of a session), `session`, `link`;
//! and `carrier`, the caller that does the above over sockets.

mod blocks;
mod budget;
mod carrier;
mod link;
mod memory;
mod receive;
mod reset;
mod send;
mod session;
mod wire;

pub use budget::Budget;
pub use carrier::{Carrier, Turn, WebSocket};
pub use link::{Cut, Link, Parted, Taken};
pub use memory::DataFrame;
pub use reset::ResetCode;
pub use session::{NoResume, Over, Session, Terms};
pub use wire::{DATA_ROOM, MAX_DATA};

#[cfg(test)]
mod tests;
