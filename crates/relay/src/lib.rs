//! Carrying bytes between two sockets: both directions, with half-close, and what became of it.
//!
//! ```text
//!   Address ──dial──► Socket ┐
//!                            ├── copy ──► Ended { bytes each way, who ended it, why, how long }
//!   accept ─────────► Socket ┘
//! ```
//!
//! In: two byte streams ([`Leg`]s). Out: [`Ended`]. The crate knows nothing of who may connect to whom,
//! and nothing of HTTP. Modules in reading order: [`Socket`] and [`Leg`] (what is carried between),
//! [`Address`] and [`dial`](dial()) (how the far one is reached), [`Buffer`] (the memory that a busy
//! direction borrows), [`copy`](copy()), [`Ended`] and [`Meter`]; and [`proxy`], the header in which a proxy tells
//! who connected to it.

mod address;
mod buffer;
mod copy;
mod dial;
mod ended;
mod meter;
pub mod proxy;
mod socket;

pub use address::{Address, BadAddress};
pub use buffer::{Buffer, Size};
pub use copy::copy;
pub use dial::{DialError, dial};
pub use ended::{Ended, Side, Why};
pub use meter::{Meter, Moved};
pub use socket::{Leg, Socket};
