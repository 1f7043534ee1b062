//! The status document. Fields are added, and none is renamed or removed; who reads it ignores what it does not
//! know, and goes without what a proxy of another version does not say.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Document {
    /// Of motarei.
    pub version: String,
    /// The proxy's process.
    pub pid: u32,
    /// Whether it was told to stop.
    pub draining: bool,
    /// The container engine.
    pub engine: Engine,
    /// All carried connections.
    pub connections: usize,
    /// Clients that wait for a container to be ready.
    pub held: usize,
    /// In the order of the configuration.
    pub apps: Vec<App>,
}

/// The engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Engine {
    /// As `--docker-host` takes it.
    pub address: String,
    /// Empty before it answered.
    pub version: String,
    /// The newest API it speaks; empty before it answered.
    pub api: String,
    /// Why it cannot be followed now; null if it is.
    pub error: Option<String>,
}

/// An app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    /// Its name.
    pub name: String,
    /// What its containers carry.
    pub labels: Vec<String>,
    /// The id of the container that new connections go to; null while they are held. If the ports differ,
    /// the oldest one: an id older than this gets new connections on no port that the newest ready container has.
    pub routed: Option<String>,
    /// Where it listens, or should.
    pub listeners: Vec<Listener>,
    /// The newest first.
    pub containers: Vec<Container>,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listener {
    /// As it was asked for.
    pub listen: String,
    /// The addresses that are bound; none if it could not be.
    pub bound: Vec<String>,
    /// Whether it came from who started us.
    pub inherited: bool,
    /// Why it could not be bound; null if it is.
    pub error: Option<String>,
    /// How often it could not be bound.
    pub failures: u64,
    /// The id of the container that new connections go to; null while they are held.
    pub routed: Option<String>,
    /// Why no container can be behind it; null if one can.
    pub reason: Option<String>,
}

/// A container. What belongs to a port is that of its best port: a ready one, if there is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// Without the slash.
    pub name: String,
    /// When it was created, in nanoseconds since 1970; if `motarei run` made it, when that was started.
    pub created: i64,
    /// seen, probing, ready, terminating, unhealthy or paused.
    pub state: String,
    /// Why it is not ready; null if it is.
    pub reason: Option<String>,
    /// How it is reached: container (its own address) or published (the host's port).
    pub path: String,
    /// Its own address; null if this host cannot reach any.
    pub container_address: Option<String>,
    /// Where its port is published; null if it is not.
    pub published_address: Option<String>,
    /// Carried connections to it.
    pub connections: usize,
    /// Since when, RFC 3339; null if it does not accept.
    pub ready_since: Option<String>,
    /// How long its connections may go on when it is to end, in seconds.
    pub drain: Option<f64>,
    /// By private port.
    pub ports: Vec<Port>,
}

/// A port of a container; the fields mean what they mean there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Port {
    /// The container's own (private) port.
    pub port: u16,
    pub state: String,
    pub reason: Option<String>,
    pub path: String,
    pub container_address: Option<String>,
    pub published_address: Option<String>,
    pub ready_since: Option<String>,
}

/// How old at `now` is what was created so many nanoseconds after 1970.
pub(super) fn age(created: i64, now: SystemTime) -> Duration {
    let created = Duration::from_nanos(u64::try_from(created).unwrap_or(0));
    now.duration_since(SystemTime::UNIX_EPOCH + created).unwrap_or_default()
}
