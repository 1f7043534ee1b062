//! What all connections share.

use std::sync::Arc;
use std::time::Instant;

use daemon::accept::Peer;
use daemon::listen::ListenAddr;
use daemon::reload::{Counts, Snapshot};
use daemon::roster::Roster;
use daemon::stop::Stop;
use relay::Meter;

use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::metrics::Metrics;
use crate::resume::Life;
use crate::wakes::SleepWatch;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) stop: Stop,
    pub(crate) metrics: Metrics,
    /// Of all tunnels.
    pub(crate) meter: Meter,
    pub(crate) open: Roster<Open>,
    pub(crate) sleep: SleepWatch,
    /// The lines of the map that are served now, with where they lead.
    pub(crate) lines: Snapshot<Vec<(ListenAddr, Snapshot<Endpoint>)>>,
    /// How reading the files again goes, if that is done.
    pub(crate) reloads: Option<Arc<Counts>>,
}

/// A local connection, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Where it was accepted.
    pub(crate) listen: Arc<str>,
    pub(crate) gateway: Arc<Endpoint>,
    pub(crate) peer: Peer,
}

/// A tunnel that is open.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) caller: Caller,
    /// Its own.
    pub(crate) meter: Meter,
    pub(crate) since: Instant,
    /// 1 or 2.
    pub(crate) dialect: u8,
    pub(crate) life: Life,
}
