//! A container as the proxy sees it, read from what the engine lists and tells.

mod labels;
mod network;
mod signal;
mod timestamp;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use bollard::models::{
    ContainerInspectResponse, ContainerSummary, ContainerSummaryHealthStatusEnum, ContainerSummaryStateEnum,
    PortSummary, PortSummaryTypeEnum,
};

pub(crate) use labels::{BEGUN, Wishes};
pub(crate) use network::{Network, Ours, is_ours};
pub(crate) use signal::{KILL, number as signal_number};

/// A deploy that takes longer until its container is created, or one by another clock, is not believed about
/// its beginning. An image may have to be pulled meanwhile.
const LONGEST_DEPLOY: i64 = 10 * 60 * 1_000_000_000;
/// An image that exposes a whole range means something else than that each port is listened on and asked.
pub(crate) const MOST_PORTS: usize = 64;

/// What the engine says of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    /// 64 hex digits.
    pub(crate) id: String,
    /// Without the slash.
    pub(crate) name: String,
    /// When it was created, in nanoseconds since 1970, or when its deploy began, if that is known: of two
    /// deploys that follow each other at once, the container of the first may be created last.
    pub(crate) created: i64,
    pub(crate) phase: Phase,
    pub(crate) health: Health,
    /// The signal that asks it to end.
    pub(crate) stop_signal: i32,
    pub(crate) network: Network,
    /// Its private TCP ports, with the host's addresses at which each is published.
    pub(crate) ports: BTreeMap<u16, Vec<SocketAddr>>,
    pub(crate) labels: HashMap<String, String>,
    /// What its labels say about how to proxy it.
    pub(crate) wishes: Wishes,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    Paused,
    /// Created, restarting, exited, being removed: nothing can answer.
    Down,
}

/// What the image's HEALTHCHECK says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// There is no check, or it has not ended yet.
    Unknown,
    Healthy,
    Unhealthy,
}

/// What only the inspection of a container tells, and what never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inspected {
    pub(crate) created: i64,
    pub(crate) stop_signal: i32,
}

/// By what the container of this answer is older or newer than others; nothing if it has no usable date.
pub(crate) fn created(answer: &ContainerInspectResponse) -> Option<i64> {
    let labels = answer.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
    Some(age(Inspected::read(answer)?.created, Wishes::read(&labels).begun))
}

impl Inspected {
    /// Nothing if the answer has no usable date.
    pub(crate) fn read(answer: &ContainerInspectResponse) -> Option<Self> {
        let created = timestamp::nanoseconds(answer.created.as_deref()?)?;
        let stop_signal = answer.config.as_ref().and_then(|config| config.stop_signal.as_deref());
        Some(Self {
            created,
            stop_signal: signal::number(stop_signal.unwrap_or_default()).unwrap_or(signal::TERM),
        })
    }
}

impl Container {
    /// From an entry of the list and what an inspection told before; nothing if it has no id.
    pub(crate) fn read(listed: ContainerSummary, inspected: &Inspected, ours: Ours<'_>) -> Option<Self> {
        let labels = listed.labels.unwrap_or_default();
        let wishes = Wishes::read(&labels);
        let name = listed.names.and_then(|names| names.into_iter().next()).unwrap_or_default();
        let mode = listed.host_config.and_then(|config| config.network_mode).unwrap_or_default();
        let networks = listed.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let health = listed.health.and_then(|health| health.status);
        Some(Self {
            id: listed.id?,
            name: name.trim_start_matches('/').to_owned(),
            created: age(inspected.created, wishes.begun),
            phase: Phase::from(listed.state),
            health: health
                .map_or_else(|| Health::of_status(&listed.status.unwrap_or_default()), Health::from),
            stop_signal: inspected.stop_signal,
            network: Network::read(&mode, networks, ours),
            ports: ports(listed.ports.unwrap_or_default()),
            wishes,
            labels,
        })
    }

    /// The first 12 digits of the id, as the engine's own tools show it.
    pub(crate) fn short(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

/// By what a container is older or newer than others.
fn age(created: i64, begun: Option<i64>) -> i64 {
    let earliest = created.saturating_sub(LONGEST_DEPLOY);
    begun.filter(|begun| (earliest..=created).contains(begun)).unwrap_or(created)
}

impl From<Option<ContainerSummaryStateEnum>> for Phase {
    fn from(state: Option<ContainerSummaryStateEnum>) -> Self {
        match state {
            // STOPPING is podman's: told to end, and still alive.
            Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING) => Self::Running,
            Some(ContainerSummaryStateEnum::PAUSED) => Self::Paused,
            _ => Self::Down,
        }
    }
}

impl From<ContainerSummaryHealthStatusEnum> for Health {
    fn from(status: ContainerSummaryHealthStatusEnum) -> Self {
        match status {
            ContainerSummaryHealthStatusEnum::HEALTHY => Self::Healthy,
            ContainerSummaryHealthStatusEnum::UNHEALTHY => Self::Unhealthy,
            _ => Self::Unknown,
        }
    }
}

impl Health {
    /// Before API 1.52 the list has it only in its words for people: `Up 3 seconds (healthy)`.
    fn of_status(status: &str) -> Self {
        match status {
            _ if status.ends_with("(healthy)") => Self::Healthy,
            _ if status.ends_with("(unhealthy)") => Self::Unhealthy,
            _ => Self::Unknown,
        }
    }
}

/// A port that is published for both families stands there twice, sometimes with different numbers.
fn ports(listed: Vec<PortSummary>) -> BTreeMap<u16, Vec<SocketAddr>> {
    let mut ports: BTreeMap<u16, Vec<SocketAddr>> = BTreeMap::new();
    for port in listed.into_iter().filter(|port| port.typ == Some(PortSummaryTypeEnum::TCP)) {
        let published = ports.entry(port.private_port).or_default();
        let ip = port.ip.as_deref().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0").parse::<IpAddr>().ok();
        if let (Some(ip), Some(public)) = (ip, port.public_port.filter(|port| *port != 0)) {
            published.push(SocketAddr::new(ip, public));
        }
    }
    for published in ports.values_mut() {
        published.sort();
        published.dedup();
    }
    ports
}

#[cfg(test)]
pub(crate) mod tests;
