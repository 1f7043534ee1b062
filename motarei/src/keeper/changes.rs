//! One log line a change: of a container's state, and of where connections go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::container::{Container, MOST_PORTS};
use crate::fleet::{Fleet, State};
use crate::routes::Routes;

/// What was logged last.
#[derive(Debug)]
pub(super) struct Changes {
    app: Arc<App>,
    states: BTreeMap<(String, u16), Known>,
    /// The first choice of each listener, as id.
    routed: BTreeMap<String, String>,
    warned: BTreeMap<String, Vec<String>>,
}

/// A port of a container, as it was logged.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    state: State,
    /// Since when it is not ready, while it boots.
    booting: Option<Instant>,
    warned: bool,
}

/// A container that boots for so long is worth a line that says what is missing.
const LONG: Duration = Duration::from_secs(10);

impl Known {
    fn new(name: String) -> Self {
        Self { name, state: State::Seen, booting: Some(Instant::now()), warned: false }
    }

    /// Whether it has been booting for long, and that was not said.
    fn is_late(&mut self) -> bool {
        let late = self.booting.is_some_and(|since| since.elapsed() >= LONG) && !self.warned;
        self.warned |= late;
        late
    }
}

impl Changes {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { app, states: BTreeMap::new(), routed: BTreeMap::new(), warned: BTreeMap::new() }
    }

    /// Logs what is different from last time.
    pub(super) fn log(&mut self, fleet: &Fleet, routes: &Routes) {
        self.log_ignored(fleet);
        self.log_states(fleet);
        self.log_routes(routes);
    }

    fn log_states(&mut self, fleet: &Fleet) {
        let app = &self.app.name;
        let mut states = BTreeMap::new();
        for member in fleet.members.values() {
            let (container, name) = (member.container.short(), &member.container.name);
            for (port, backend) in &member.backends {
                let (key, state) = ((member.id().to_owned(), *port), member.state(backend));
                let before = self.states.get(&key).map(|known| known.state);
                let mut known = self.states.remove(&key).unwrap_or_else(|| Known::new(name.clone()));
                known.state = state;
                if !matches!(state, State::Seen | State::Probing) {
                    known.booting = None;
                }
                if known.is_late() {
                    let reason = backend.reason();
                    tracing::warn!(%app, container, %name, port, reason, "not ready after 10 s");
                }
                states.insert(key, known);
                let reason = backend.reason().filter(|_| state == State::Probing);
                // A container that boots is seen, and then asked: that is no news.
                if before != Some(state) && (before, state) != (Some(State::Seen), State::Probing) {
                    let (state, path) = (state.name(), backend.path.name());
                    let address = backend.address.map(|address| address.to_string());
                    tracing::info!(%app, container, %name, port, state, path, address, reason, "container");
                }
            }
        }
        // Those that are there have been taken out.
        for ((id, port), Known { name, .. }) in &self.states {
            let container = id.get(..12).unwrap_or(id);
            tracing::info!(%app, container, %name, port, state = "gone", "container");
        }
        self.states = states;
    }

    fn log_routes(&mut self, routes: &Routes) {
        let app = &self.app.name;
        let mut routed = BTreeMap::new();
        for (place, candidates) in &routes.0 {
            let Some(first) = candidates.first() else { continue };
            routed.insert(place.clone(), first.id.clone());
            if self.routed.get(place) != Some(&first.id) {
                let (container, name, address) = (first.id.get(..12), &first.name, first.address);
                tracing::info!(%app, listener = %place, container, %name, %address, "new connections go here");
            }
        }
        for place in self.routed.keys().filter(|place| !routed.contains_key(*place)) {
            tracing::warn!(%app, listener = %place, "no container is ready: new connections are held");
        }
        self.routed = routed;
    }

    fn log_ignored(&mut self, fleet: &Fleet) {
        self.warned.retain(|id, _| fleet.members.contains_key(id));
        for member in fleet.members.values() {
            let ignored = ignored(&self.app, &member.container);
            if !ignored.is_empty() && self.warned.get(member.id()) != Some(&ignored) {
                let (app, container, name) =
                    (&self.app.name, member.container.short(), &member.container.name);
                tracing::warn!(%app, container, %name, what = ignored.join("; "), "ignored");
                self.warned.insert(member.id().to_owned(), ignored);
            }
        }
    }
}

/// Labels that cannot be read, and ports that are too many.
fn ignored(app: &App, container: &Container) -> Vec<String> {
    let (wishes, exposed) = (&container.wishes, container.ports.len());
    let mut ignored = wishes.wrong.clone();
    let by_ports = app.rules.is_empty() && wishes.listen.is_none() && wishes.ports.is_none();
    if by_ports && exposed > MOST_PORTS {
        let fix = "say which with --listen or the label motarei.port";
        ignored
            .push(format!("it exposes {exposed} ports, and only the first {MOST_PORTS} are proxied: {fix}"));
    }
    ignored
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Wishes;
    use crate::container::tests::container;
    use crate::fleet::tests::app;

    #[test]
    fn too_many_ports_are_told_unless_somebody_chose() {
        let many = (1..=65).map(|port| (port, vec![])).collect();
        let many = Container { ports: many, ..container("a", 1) };
        let chosen =
            Container { wishes: Wishes { ports: Some(vec![1]), ..Wishes::default() }, ..many.clone() };
        let given = App { rules: vec![":80".parse().unwrap()], ..app() };
        for (app, container, told) in
            [(app(), container("a", 1), 0), (app(), many.clone(), 1), (app(), chosen, 0), (given, many, 0)]
        {
            assert_eq!(ignored(&app, &container).len(), told);
        }
    }
}
