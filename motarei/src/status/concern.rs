//! What somebody should look at: for `motarei health`. The sentences stay the same while their reasons do.

use std::time::{Duration, SystemTime};

use super::document::{App, Container, Document, Listener, age};

/// A container that has not become ready in this time does not merely boot.
const BOOT: Duration = Duration::from_secs(120);

/// What cannot be passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_connections: usize,
    pub(crate) max_held: usize,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Concerns {
    pub(super) warnings: Vec<String>,
    /// What costs clients something now.
    pub(super) critical: Vec<String>,
}

impl Concerns {
    pub(super) fn of(document: &Document, limits: Limits, now: SystemTime) -> Self {
        let mut concerns = Self::default();
        if document.engine.error.is_some() {
            let text = "the container engine cannot be followed: new containers are not seen";
            concerns.warnings.push(text.to_owned());
        }
        let Limits { max_connections, max_held } = limits;
        for (what, used, limit) in [
            ("--max-connections", document.connections, max_connections),
            ("--max-held", document.held, max_held),
        ] {
            if used * 10 > limit * 9 {
                concerns.warnings.push(format!("more than 90 % of {what} are used"));
            }
        }
        for app in &document.apps {
            concerns.add(app, now);
        }
        concerns
    }

    fn add(&mut self, app: &App, now: SystemTime) {
        let name = &app.name;
        for Listener { listen, error, reason, .. } in &app.listeners {
            let error = error.as_ref().map(|error| format!("not listening on {listen}: {error}"));
            let wrong = error.or_else(|| Some(format!("nobody is served on {listen}: {}", reason.as_ref()?)));
            self.warnings.extend(wrong.map(|wrong| format!("app {name}: {wrong}")));
        }
        let Some(routed) = app.routed() else {
            return self.critical.push(format!("app {name}: no container is ready, its clients wait"));
        };
        if !routed.is_ready() {
            let Container { name: serving, state, .. } = routed;
            self.warnings.push(format!("app {name}: {serving} serves, which is {state}"));
        }
        let late = |newest: &&Container| !newest.is_ready() && age(newest.created, now) > BOOT;
        if let Some(newest) = app.newest_after(Some(routed)).filter(late) {
            let serving = &routed.name;
            self.warnings.push(format!(
                "app {name}: the newest container, {}, is not ready, and {serving} serves: see motarei status",
                newest.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Engine;

    const LIMITS: Limits = Limits { max_connections: 10, max_held: 10 };

    fn container(id: &str, created: i64, state: &str) -> Container {
        let name = format!("web-{id}");
        Container { id: id.into(), name, created, state: state.into(), ..Container::default() }
    }

    /// What is said 200 s after 1970.
    fn concerns(document: &Document) -> (Vec<String>, Vec<String>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(200);
        let Concerns { warnings, critical } = Concerns::of(document, LIMITS, now);
        (warnings, critical)
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn an_app_that_does_not_do_what_it_should_is_told() {
        let second = 1_000_000_000;
        let a = || container("a", 1, "ready");
        for (containers, routed, warnings, critical) in [
            (vec![a()], Some("a"), vec![], vec![]),
            (vec![], None, vec![], vec!["app web: no container is ready, its clients wait"]),
            (
                vec![container("a", 1, "unhealthy")],
                Some("a"),
                vec!["app web: web-a serves, which is unhealthy"],
                vec![],
            ),
            (vec![container("b", 150 * second, "probing"), a()], Some("a"), vec![], vec![]),
            (
                vec![container("b", 50 * second, "probing"), a()],
                Some("a"),
                vec![
                    "app web: the newest container, web-b, is not ready, and web-a serves: see motarei status",
                ],
                vec![],
            ),
            (vec![container("b", 2, "ready"), container("a", 1, "probing")], Some("b"), vec![], vec![]),
        ] {
            let app =
                App { name: "web".into(), routed: routed.map(str::to_owned), containers, ..App::default() };
            let document = Document { apps: vec![app.clone()], ..Document::default() };
            assert_eq!(concerns(&document), (owned(&warnings), owned(&critical)), "{app:?}");
        }
    }

    #[test]
    fn limits_the_engine_and_listeners_are_told() {
        let engine = Engine { error: Some("x".into()), ..Engine::default() };
        let listener = Listener { listen: ":80".into(), error: Some("denied".into()), ..Listener::default() };
        let spare = Listener { listen: ":81".into(), reason: Some("why".into()), ..Listener::default() };
        let app = App {
            name: "web".into(),
            routed: Some("a".into()),
            listeners: vec![listener, spare, Listener::default()],
            containers: vec![container("a", 1, "ready")],
            ..App::default()
        };
        let document = Document { engine, connections: 9, held: 10, apps: vec![app], ..Document::default() };
        assert_eq!(
            concerns(&document).0,
            [
                "the container engine cannot be followed: new containers are not seen",
                "more than 90 % of --max-held are used",
                "app web: not listening on :80: denied",
                "app web: nobody is served on :81: why",
            ]
        );
    }
}
