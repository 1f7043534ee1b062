//! How long, and how much, is kept of tunnels for clients that will resume them.

use std::time::Duration;

use tunnel::header::DEFAULT_WINDOW;
use tunnel::size::{ByteSize, quarter_of_memory};

use crate::ResumeArgs;
use crate::config::bound;

const GRACE: Duration = Duration::from_secs(120);
const MAX_DETACHED: usize = 1000;
const MAX_DETACHED_BYTES: usize = 256 << 20;

/// How tunnels of dialect 2 are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Keeping {
    /// How long a session is kept without a WebSocket, unless its destination says otherwise; zero: sessions
    /// end with their WebSocket.
    pub grace: Duration,
    /// Whether sessions end with their WebSocket whatever a destination says.
    pub never: bool,
    /// The largest window that is offered, in bytes.
    pub window: u32,
    /// Sessions without a WebSocket at once; one user may have a quarter of them.
    pub max_detached: usize,
    /// What they may hold in memory, in bytes; one user's may hold a quarter of it.
    pub max_detached_bytes: usize,
    /// What all sessions may hold in memory, in bytes.
    pub buffer_limit: usize,
    /// How long a WebSocket lives at most, if the balancer in front is known to cut it.
    pub websocket_lifetime: Option<Duration>,
    /// How old a WebSocket may become until its client must show its credential again; `None`: any age.
    pub reauth_interval: Option<Duration>,
}

impl Keeping {
    pub(crate) fn from_args(args: &ResumeArgs) -> Self {
        let size = |given: Option<ByteSize>, default| given.map_or(default, |size| size.0);
        Self {
            grace: args.resume_grace.map_or(GRACE, |grace| grace.0),
            never: args.no_resume.unwrap_or(false),
            window: args.window.map_or(DEFAULT_WINDOW, |window| window.0),
            max_detached: args.max_detached.unwrap_or(MAX_DETACHED),
            max_detached_bytes: size(args.max_detached_bytes, MAX_DETACHED_BYTES),
            buffer_limit: args.buffer_limit.map_or_else(quarter_of_memory, |size| size.0),
            websocket_lifetime: args.websocket_lifetime.and_then(bound),
            reauth_interval: args.reauth_interval.and_then(bound),
        }
    }

    /// How long a session is kept without a WebSocket whose destination says `own`; zero: not at all. What
    /// is announced has whole seconds.
    pub(crate) fn grace(&self, own: Option<Duration>) -> Duration {
        if self.never { Duration::ZERO } else { own.unwrap_or(self.grace) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Args;

    fn of(flags: &[&str]) -> Keeping {
        Keeping::from_args(&Args::parse_from([&["wsgate-server"][..], flags].concat()).resume)
    }

    #[test]
    fn a_destination_may_say_its_own_grace_and_the_gateway_that_there_is_none() {
        let (own, none) = (Some(Duration::from_secs(15)), Some(Duration::ZERO));
        for (flags, of_destination, seconds) in [
            (&[][..], None, 120),
            (&[], own, 15),
            (&[], none, 0),
            (&["--resume-grace=1m"], None, 60),
            (&["--resume-grace=0"], own, 15),
            (&["--resume-grace=0"], None, 0),
        ] {
            assert_eq!(of(flags).grace(of_destination), Duration::from_secs(seconds), "{flags:?}");
        }
        let never = Keeping { never: true, ..of(&[]) };
        assert_eq!((never.grace(None), never.grace(own)), (Duration::ZERO, Duration::ZERO));
    }
}
