//! What a tunnel is made of, and what its caller decides about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use relay::{Meter, Side};
use tokio_util::sync::CancellationToken;

use crate::frame::Role;

/// The WebSocket leg: an upgraded connection.
pub struct Wire<W> {
    /// The byte stream, right after the upgrade's head.
    pub stream: W,
    /// What was read behind the head already.
    pub early: Vec<u8>,
    /// Which end of the WebSocket we are.
    pub role: Role,
}

/// What the caller decides about a tunnel.
pub struct Settings {
    /// How long the last control frames may take to be written.
    pub control_timeout: Duration,
    /// When a healthy tunnel is ended.
    pub limits: Limits,
    /// Ends the tunnel at once: Close 1001 to the peer, a reset to the local socket.
    pub stop: CancellationToken,
    /// Counts the payload while it is carried.
    pub meter: Meter,
    /// Sees the payload (`--dump-tcp`).
    pub tap: Option<Box<dyn Tap>>,
    /// Is told how long each ping waited for its answer. Pings go out when nothing moves.
    pub round_trip: Option<RoundTrip>,
}

/// Takes the times of round trips, from the tunnels' own tasks: it must not wait. One serves all tunnels.
#[derive(Clone)]
pub struct RoundTrip(pub Arc<dyn Fn(Duration) + Send + Sync>);

impl fmt::Debug for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoundTrip")
    }
}

/// When a healthy tunnel is ended: Close 1001 to the peer, a reset to the local socket. By default never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// After so long without a payload byte either way; pings do not count.
    pub idle: Option<Duration>,
    /// At this age, whatever it carries.
    pub lifetime: Option<Duration>,
}

/// Sees payload as it passes.
pub trait Tap: Send {
    /// `bytes` have been read from `from`; nothing else of the buffer is shown.
    fn seen(&mut self, from: Side, bytes: &[u8]);
}

/// Shows payload that was read from `from` to the tap, if there is one.
pub(crate) fn tapping(tap: &mut Option<Box<dyn Tap>>, from: Side) -> impl FnMut(&[u8]) + '_ {
    move |bytes| {
        if let Some(tap) = tap {
            tap.seen(from, bytes);
        }
    }
}
