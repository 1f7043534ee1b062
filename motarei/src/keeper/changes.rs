//! One log line a change: of a container's state, and of where connections go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::App;
use crate::fleet::{Fleet, State};
use crate::routes::Routes;

/// What was logged last.
#[derive(Debug)]
pub(super) struct Changes {
    app: Arc<App>,
    states: BTreeMap<(String, u16), (String, State)>,
    /// The first choice of each listener, as id.
    routed: BTreeMap<String, String>,
    warned: BTreeMap<String, Vec<String>>,
}

impl Changes {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { app, states: BTreeMap::new(), routed: BTreeMap::new(), warned: BTreeMap::new() }
    }

    /// Logs what is different from last time.
    pub(super) fn log(&mut self, fleet: &Fleet, routes: &Routes) {
        self.log_labels(fleet);
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
                let before = self.states.get(&key).map(|(_, state)| *state);
                states.insert(key, (name.clone(), state));
                let reason = backend.reason().filter(|_| state == State::Probing);
                // A container that boots is seen, and then asked: that is no news.
                if before != Some(state) && (before, state) != (Some(State::Seen), State::Probing) {
                    let (state, path) = (state.name(), backend.path.name());
                    let address = backend.address.map(|address| address.to_string());
                    tracing::info!(%app, container, %name, port, state, path, address, reason, "container");
                }
            }
        }
        for ((id, port), (name, _)) in &self.states {
            if !states.contains_key(&(id.clone(), *port)) {
                let container = id.get(..12).unwrap_or(id);
                tracing::info!(%app, container, %name, port, state = "gone", "container");
            }
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

    fn log_labels(&mut self, fleet: &Fleet) {
        self.warned.retain(|id, _| fleet.members.contains_key(id));
        for member in fleet.members.values() {
            let wrong = &member.container.wishes.wrong;
            if !wrong.is_empty() && self.warned.get(member.id()) != Some(wrong) {
                let (app, container, name) =
                    (&self.app.name, member.container.short(), &member.container.name);
                tracing::warn!(%app, container, %name, why = wrong.join("; "), "labels are ignored");
                self.warned.insert(member.id().to_owned(), wrong.clone());
            }
        }
    }
}
