//! One app's part of the document, as its keeper publishes it.

use std::sync::Arc;
use std::time::SystemTime;

use daemon::log::utc;
use tokio::time::Instant;

use super::document::{App, Container, Listener, Port};
use crate::fleet::{Backend, Fleet, Member, Probed, State};
use crate::routes::{Open, Routes};

/// One moment on both clocks, so that the time of day of another can be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) instant: Instant,
    pub(crate) system: SystemTime,
}

impl Clock {
    fn at(&self, then: Instant) -> String {
        utc(self.system + then.saturating_duration_since(self.instant))
    }
}

/// An app, without the numbers that change with every connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    app: App,
    /// Of each container.
    open: Vec<Arc<Open>>,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.app == other.app
    }
}

impl Seen {
    pub(crate) fn of(fleet: &Fleet, clock: Clock) -> Self {
        let routes = fleet.routes();
        let mut members: Vec<_> = fleet.members.values().collect();
        members.sort_by(|a, b| (b.container.created, b.id()).cmp(&(a.container.created, a.id())));
        let app = App {
            name: fleet.app.name.clone(),
            labels: fleet.app.labels.iter().map(ToString::to_string).collect(),
            routed: routed(&members, &routes),
            listeners: routes.0.keys().map(|place| listener(place, &routes)).collect(),
            containers: members.iter().map(|member| container(member, fleet, clock)).collect(),
        };
        Self { app, open: members.iter().map(|member| member.open.clone()).collect() }
    }

    /// With the numbers of now.
    pub(crate) fn now(&self) -> App {
        let mut app = self.app.clone();
        for (container, open) in app.containers.iter_mut().zip(&self.open) {
            container.connections = open.count();
        }
        app
    }

    /// Whether new connections go anywhere.
    pub(crate) fn is_routed(&self) -> bool {
        self.app.routed.is_some()
    }

    /// When the newest container that is ready was created, in nanoseconds since 1970.
    pub(crate) fn newest_ready(&self) -> Option<i64> {
        let ready = self.app.containers.iter().filter(|container| container.is_ready());
        ready.map(|container| container.created).max()
    }
}

/// The oldest container that is the first choice on a port of the newest ready one.
fn routed(newest_first: &[&Member], routes: &Routes) -> Option<String> {
    let newest = newest_first.iter().find(|member| member.is_ready());
    let counts = |place: &String| newest.is_none_or(|newest| newest.rules.contains_key(place));
    let firsts =
        routes.0.iter().filter(|(place, _)| counts(place)).filter_map(|(_, candidates)| candidates.first());
    let firsts: Vec<_> = firsts.map(|first| first.id.as_str()).collect();
    newest_first.iter().rev().map(|member| member.id()).find(|id| firsts.contains(id)).map(str::to_owned)
}

fn listener(place: &str, routes: &Routes) -> Listener {
    let routed = routes.at(place).first().map(|first| first.id.clone());
    Listener { listen: place.to_owned(), routed, ..Listener::default() }
}

fn container(member: &Member, fleet: &Fleet, clock: Clock) -> Container {
    let ports: Vec<_> =
        member.backends.iter().map(|(port, backend)| of_port(*port, member, backend, clock)).collect();
    let rank = |port: &&Port| (port.state == State::Ready.name(), port.ready_since.is_some());
    let best = ports.iter().rev().max_by_key(rank).cloned().unwrap_or_else(|| Port {
        state: State::Seen.name().to_owned(),
        reason: Some(
            "no TCP port of it is known: expose one, or give --listen or the label motarei.port".to_owned(),
        ),
        ..Port::default()
    });
    Container {
        id: member.id().to_owned(),
        name: member.container.name.clone(),
        created: member.container.created,
        state: best.state,
        reason: best.reason,
        path: best.path,
        container_address: best.container_address,
        published_address: best.published_address,
        connections: 0,
        ready_since: best.ready_since,
        drain: Some(member.container.wishes.drain.unwrap_or(fleet.app.drain).as_secs_f64()),
        ports,
    }
}

fn of_port(port: u16, member: &Member, backend: &Backend, clock: Clock) -> Port {
    let state = member.state(backend);
    let reason = match state {
        State::Ready => None,
        State::Seen | State::Probing => backend.reason(),
        State::Terminating => Some("it was told to end".to_owned()),
        State::Unhealthy => Some("its HEALTHCHECK fails".to_owned()),
        State::Paused => Some("it is paused".to_owned()),
    };
    // The one that accepted, if it is of this path.
    let shown = |addresses: &[std::net::SocketAddr]| {
        let accepted = backend.address.filter(|address| addresses.contains(address));
        accepted.or(addresses.first().copied()).map(|address| address.to_string())
    };
    let since = match backend.probed {
        Probed::Accepts(since) => Some(clock.at(since)),
        _ => None,
    };
    Port {
        port,
        state: state.name().to_owned(),
        reason,
        path: backend.path.name().to_owned(),
        container_address: shown(&backend.addresses.container),
        published_address: shown(&backend.addresses.published),
        ready_since: since,
    }
}

#[cfg(test)]
mod tests;
