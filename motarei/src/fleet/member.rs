//! One container of an app.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backend::Backend;
use super::route::{Probed, Standing, State, state};
use super::{Key, Order};
use crate::address::Addresses;
use crate::app::App;
use crate::container::{Container, MOST_PORTS, Network, Phase};
use crate::probe::How;
use crate::routes::{Candidate, Open};
use crate::rule::Rule;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) container: Container,
    /// When it got its stop signal.
    pub(crate) told_to_end: Option<Instant>,
    /// When it first accepted. That it refuses again, as one that is about to end does, changes nothing.
    pub(super) first_ready: Option<Instant>,
    /// The listeners behind which it is, by place.
    pub(crate) rules: BTreeMap<String, Rule>,
    /// By private port.
    pub(crate) backends: BTreeMap<u16, Backend>,
    pub(crate) open: Arc<Open>,
}

impl Member {
    pub(super) fn new(container: Container) -> Self {
        let (rules, backends) = (BTreeMap::new(), BTreeMap::new());
        Self { container, told_to_end: None, first_ready: None, rules, backends, open: Arc::default() }
    }

    pub(crate) fn id(&self) -> &str {
        &self.container.id
    }

    /// Makes rules and backends follow what is known of the container. A backend whose addresses have
    /// changed begins anew.
    pub(super) fn follow(&mut self, app: &App, own: &[SocketAddr], epochs: &mut u64, now: Instant) {
        self.rules = rules(app, &self.container).into_iter().map(|rule| (app.place(&rule), rule)).collect();
        let rules = &self.rules;
        self.backends.retain(|port, _| rules.values().any(|rule| rule.port == *port));
        for rule in self.rules.values() {
            let addresses = Addresses::of(&self.container, rule.port, app.reach, own);
            if self.backends.get(&rule.port).is_none_or(|backend| backend.addresses != addresses) {
                *epochs += 1;
                self.backends.insert(rule.port, Backend::new(*epochs, addresses, now));
            }
        }
    }

    /// It has left a network: which of its addresses are left, the next list tells. Its connections through
    /// another network go on, and count.
    pub(super) fn lose_addresses(&mut self) {
        self.open.gone.cancel();
        self.open = Arc::new(self.open.moved());
        self.container.network = Network::Own(Vec::new());
        self.backends.clear();
    }

    pub(super) fn forget_probes(&mut self, now: Instant) {
        for backend in self.backends.values_mut() {
            backend.probed = Probed::Never;
            backend.due = Some(now);
        }
    }

    /// Asks those that are not ready.
    pub(super) fn ask_now(&mut self, now: Instant) {
        if self.told_to_end.is_none() {
            for backend in self.backends.values_mut().filter(|backend| !backend.probed.accepts()) {
                backend.due = Some(now);
            }
        }
    }

    /// It is left alone for `ending`, and then asked whether it is still there.
    pub(super) fn told_to_end(&mut self, now: Instant, ending: Duration) {
        let told = *self.told_to_end.get_or_insert(now);
        for backend in self.backends.values_mut() {
            backend.due = Some(told + ending);
        }
    }

    pub(super) fn due(&mut self, app: &App, now: Instant) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.container.phase != Phase::Running {
            return orders;
        }
        for (port, backend) in &mut self.backends {
            let addresses = backend.targets();
            if backend.asked || addresses.is_empty() || backend.due.is_none_or(|due| due > now) {
                continue;
            }
            (backend.asked, backend.due) = (true, None);
            let of = Key { id: self.container.id.clone(), port: *port, epoch: backend.epoch };
            let check = self.container.wishes.probe.clone().unwrap_or_else(|| app.check.clone());
            let how = How { check, proxy_protocol: app.proxy_protocol, connect_timeout: app.connect_timeout };
            orders.push(Order { of, addresses, how });
        }
        orders
    }

    /// Whether each port that can be asked has answered once.
    pub(super) fn is_asked(&self) -> bool {
        let waits = |backend: &Backend| backend.probed == Probed::Never && !backend.targets().is_empty();
        self.container.phase != Phase::Running || !self.backends.values().any(waits)
    }

    pub(super) fn wake(&self) -> Option<Instant> {
        let can_be_asked = |backend: &&Backend| !backend.asked && !backend.targets().is_empty();
        let running = self.container.phase == Phase::Running;
        let due = self.backends.values().filter(can_be_asked).filter_map(|backend| backend.due).min();
        due.filter(|_| running)
    }

    pub(crate) fn state(&self, backend: &Backend) -> State {
        state(self.container.phase, self.container.health, self.told_to_end.is_some(), &backend.probed)
    }

    /// On at least one of its ports.
    pub(crate) fn is_ready(&self) -> bool {
        self.backends.values().any(|backend| self.state(backend) == State::Ready)
    }

    pub(super) fn standing(&self, port: u16) -> Option<Standing<'_>> {
        let backend = self.backends.get(&port)?;
        let accepts = backend.probed.accepts() && backend.address.is_some();
        let (created, state) = (self.container.created, self.state(backend));
        Some(Standing { created, id: &self.container.id, state, accepts })
    }

    pub(super) fn candidate(&self, port: u16, drain: Duration) -> Option<Candidate> {
        let backend = self.backends.get(&port)?;
        Some(Candidate {
            id: self.container.id.clone(),
            name: self.container.name.clone(),
            port,
            epoch: backend.epoch,
            address: backend.address?,
            path: backend.path,
            drain: self.container.wishes.drain.unwrap_or(drain),
            open: self.open.clone(),
        })
    }
}

/// The flags' listeners, else what the labels wish, else the container's ports.
fn rules(app: &App, container: &Container) -> Vec<Rule> {
    if !app.rules.is_empty() {
        return app.rules.clone();
    }
    let wishes = &container.wishes;
    let same = |port: &u16| Rule::same_port(&app.bind, *port);
    match (&wishes.listen, &wishes.ports) {
        (Some(rules), _) => rules.clone(),
        (None, Some(ports)) => ports.iter().map(same).collect(),
        (None, None) => container.ports.keys().take(MOST_PORTS).map(same).collect(),
    }
}
