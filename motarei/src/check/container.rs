//! What will bite about one container.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, HealthConfig, PortBinding};
use daemon::GoDuration;

use super::Warning;
use super::signals::{Fate, fate};
use crate::container::{Container, signal_number};
use crate::engine::ApiVersion;
use crate::worker::Sockets;

/// The first API in which a HEALTHCHECK has an interval for the start: Docker 25's.
const START_INTERVAL: ApiVersion = ApiVersion { major: 1, minor: 44 };

/// Programs that pass a signal on without a handler for it.
const INITS: [&str; 6] = ["tini", "tini-static", "docker-init", "dumb-init", "catatonit", "init"];

/// What is known of a container.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) inspected: ContainerInspectResponse,
    /// As the proxy reads it.
    pub(super) container: Option<Container>,
    /// `/proc/PID/status` of its first process, if that can be read.
    pub(super) status: Option<String>,
    pub(super) sockets: Option<Sockets>,
    pub(super) kill_old_delay: Duration,
    pub(super) api: Option<ApiVersion>,
}

/// What will bite.
pub(super) fn warnings(facts: &Facts) -> Vec<Warning> {
    let name = facts.inspected.name.as_deref().unwrap_or_default().trim_start_matches('/');
    let texts = deaf(facts)
        .into_iter()
        .chain(slow(facts))
        .chain(families(facts))
        .chain(hidden(facts))
        .chain(labels(facts));
    texts.map(|text| Warning { about: name.to_owned(), text }).collect()
}

/// Its first process drops the signal that is to stop it: then each stop takes until the kill.
fn deaf(Facts { inspected, status, .. }: &Facts) -> Option<String> {
    let has_init = inspected.host_config.as_ref().and_then(|config| config.init) == Some(true);
    let stop = inspected.config.as_ref().and_then(|config| config.stop_signal.as_deref()).unwrap_or("TERM");
    let dropped = fate(status.as_ref()?, signal_number(stop)?) == Some(Fate::Dropped);
    let program = inspected.path.as_deref().unwrap_or_default();
    let is_init = Path::new(program).file_name().is_some_and(|name| INITS.iter().any(|init| name == *init));
    (dropped && !has_init && !is_init).then(|| {
        format!(
            "its PID 1 ({program}) has no handler for {stop}, so that each stop takes until the kill: \
             docker run --init, or exec the program instead of a shell"
        )
    })
}

/// start_server kills the old one before the first HEALTHCHECK of the new one has ended.
fn slow(Facts { inspected, kill_old_delay, api, .. }: &Facts) -> Option<String> {
    let check = inspected.config.as_ref()?.healthcheck.as_ref()?;
    let first = first_check(check, *api)?;
    (first >= *kill_old_delay).then(|| {
        format!(
            "its first HEALTHCHECK comes after {}, and start_server stops the old container {} after the start of \
             the new one: use motarei run, or a longer KILL_OLD_DELAY",
            GoDuration(first),
            GoDuration(*kill_old_delay)
        )
    })
}

/// When it comes; nothing if there is none. Zero means the default (docker run --health-interval).
fn first_check(check: &HealthConfig, api: Option<ApiVersion>) -> Option<Duration> {
    let kind = check.test.as_ref()?.first()?;
    let given = |nanoseconds: Option<i64>| {
        let nanoseconds = u64::try_from(nanoseconds.unwrap_or_default()).unwrap_or_default();
        Some(Duration::from_nanos(nanoseconds)).filter(|time| !time.is_zero())
    };
    let usual = given(check.interval).unwrap_or(Duration::from_secs(30));
    let at_start = given(check.start_interval).unwrap_or(Duration::from_secs(5));
    let starts = given(check.start_period).is_some() && api.is_some_and(|api| api >= START_INTERVAL);
    (kind != "NONE").then_some(if starts { at_start.min(usual) } else { usual })
}

/// A port is published for IPv4 and IPv6 under different numbers.
fn families(Facts { inspected, .. }: &Facts) -> Vec<String> {
    let ports =
        inspected.network_settings.as_ref().and_then(|settings| settings.ports.clone()).unwrap_or_default();
    let mut texts: Vec<_> =
        ports.iter().filter_map(|(port, bindings)| mismatch(port, bindings.as_deref()?)).collect();
    texts.sort();
    texts
}

fn mismatch(port: &str, bindings: &[PortBinding]) -> Option<String> {
    let of = |wanted: fn(&IpAddr) -> bool| {
        let ours = bindings
            .iter()
            .filter(|of| of.host_ip.as_deref().and_then(|ip| ip.parse().ok()).is_some_and(|ip| wanted(&ip)));
        let mut numbers: Vec<_> = ours.filter_map(|of| of.host_port.as_deref()).collect();
        numbers.sort_unstable();
        numbers
    };
    let (v4, v6) = (of(IpAddr::is_ipv4), of(IpAddr::is_ipv6));
    (!v4.is_empty() && !v6.is_empty() && v4 != v6).then(|| {
        let (v4, v6) = (v4.join(", "), v6.join(", "));
        format!(
            "{port} is published on {v4} for IPv4 and on {v6} for IPv6: who dials localhost may get another \
             container's port; let clients use motarei's port, or publish with -p 0.0.0.0:…"
        )
    })
}

/// A port that is exposed, and on which only the container's own loopback is listened on.
fn hidden(Facts { container, sockets, .. }: &Facts) -> Vec<String> {
    let ports = container.iter().flat_map(|container| container.ports.keys());
    let hidden = |port: &&u16| sockets.as_ref().is_some_and(|sockets| sockets.hidden.contains(port));
    let text = |port: &u16| {
        format!("it listens on port {port} of its own loopback only: let it listen on 0.0.0.0 or ::")
    };
    ports.filter(hidden).map(text).collect()
}

/// Labels that motarei cannot read.
fn labels(Facts { container, .. }: &Facts) -> Vec<String> {
    let wrong = container.iter().flat_map(|container| &container.wishes.wrong);
    wrong.map(|wrong| format!("the label {wrong}")).collect()
}

#[cfg(test)]
mod tests;
