//! What surrounds the tunnels: how long each may live.

use anyhow::Result;
use tunnel::Limits;

use crate::EdgeArgs;
use crate::config::bound;

/// What surrounds the tunnels.
#[derive(Debug)]
pub struct Edge {
    /// When a healthy tunnel is ended.
    pub limits: Limits,
}

impl Edge {
    /// Reads the files that the flags name.
    pub(crate) fn from_args(args: EdgeArgs) -> Result<Self> {
        let limits =
            Limits { idle: args.idle_timeout.and_then(|t| bound(t.0)), lifetime: args.max_lifetime.and_then(|t| bound(t.0)) };
        Ok(Self { limits })
    }
}
