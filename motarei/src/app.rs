//! One application: which containers are its, where it listens, and how it is proxied.

use std::time::Duration;

use daemon::listen::{Host, ListenAddr};
use relay::proxy::Version;

use crate::address::Reach;
use crate::probe::Check;
use crate::rule::Rule;
use crate::selector::Label;

/// An application, as flags or a table of the file describe it.
#[derive(Clone, Debug)]
pub struct App {
    /// For logs and the status.
    pub name: String,
    /// What its containers carry, all of them; at least one.
    pub labels: Vec<Label>,
    /// Its listeners; none: the containers' ports.
    pub rules: Vec<Rule>,
    /// Where the containers' ports are listened on.
    pub bind: Host,
    /// How its containers are reached.
    pub reach: Reach,
    /// What makes a container ready, unless its label says otherwise.
    pub check: Check,
    /// The header that tells a container who connected.
    pub proxy_protocol: Option<Version>,
    /// Bounds the dial of one candidate.
    pub connect_timeout: Duration,
    /// How long a client waits for a container to be ready.
    pub hold: Duration,
    /// How long connections may go on when we are told to stop, unless the container's label says otherwise.
    pub drain: Duration,
    /// When a silent connection to a container that gets no new ones is closed; `None`: never.
    pub old_idle_close: Option<Duration>,
}

impl App {
    /// What tells one listener from another. Where containers say what to listen on, it is the port: an old and
    /// a new one that write its host differently share the listener, and an inherited socket serves both.
    pub(crate) fn place(&self, rule: &Rule) -> String {
        match &rule.listen {
            ListenAddr::Tcp { port: port @ 1.., .. } if self.rules.is_empty() => format!(":{port}"),
            listen => listen.to_string(),
        }
    }
}
