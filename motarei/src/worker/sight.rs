//! What a retiring worker sees of the newer containers.

use std::time::Duration;

/// Whether a newer container has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// None has, for this reason.
    Alone(String),
    /// One has.
    Succeeded(Succession),
}

/// A newer container serves instead of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Succession {
    /// Its name.
    pub(crate) by: String,
    /// How many connections ours has; nothing if they cannot be counted.
    pub(crate) connections: Option<usize>,
    /// How long they may go on.
    pub(crate) drain: Duration,
}
