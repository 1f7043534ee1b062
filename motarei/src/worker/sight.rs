//! What a retiring worker sees of the newer containers.

use std::time::Duration;

/// Whether a newer container has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// None has.
    Alone(Alone),
    /// One has.
    Succeeded(Succession),
}

/// No newer container serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alone {
    /// Why not.
    pub(crate) why: String,
    pub(crate) ours: Ours,
}

/// What ours does meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ours {
    Serves,
    /// Its name, its state and the reason.
    NotReady(String),
    Unknown,
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
