//! Being a well-behaved process: units of flags and files, logs, listening, accepting, reloading,
//! stopping.
//!
//! What goes in is a command line, an environment and signals; what comes out is accepted connections, a
//! stop that everything hears, log lines and an exit code. Nothing here knows what is carried.
//!
//! ```text
//! argv::parse ─► log::init ─► limits::raise_descriptors
//!                   │
//!                   ▼
//!    sockets::Sockets: inherited, else bound ─► Listener ─► accept::serve ─► Accepted ─► your task
//!                                                                ▲                          │
//!    SIGTERM, SIGINT ─► stop::Stop ─── draining ─────────────────┴── now ───────────────────┤
//!                           │                                                               │
//!                           └─ drained ◄───────────── tracker ◄─────────────────────────────┘
//!                                 └─► exit::Failure ─► exit code
//!    SIGHUP, a changed file ─► reload::Watch ─► your parser ─► reload::Snapshot ─► whoever decides by it
//! ```

pub mod accept;
pub mod argv;
pub mod exit;
mod go_duration;
pub mod inherit;
pub mod limits;
pub mod listen;
pub mod log;
pub mod reload;
pub mod roster;
pub mod sockets;
pub mod stop;
mod text;

pub use go_duration::{GoDuration, InvalidDuration};
pub use text::Text;
