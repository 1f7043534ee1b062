//! The status for people.

use std::fmt::Write;

use daemon::log::is_hostile;

use super::document::{App, Container, Document, Listener};

/// A few lines an app: where it listens, and its containers with the reasons why they are not ready. What labels
/// and engines say cannot end a line or move the cursor.
pub fn show(document: &Document) -> String {
    let mut text = String::new();
    let engine = &document.engine;
    let following = match &engine.error {
        Some(error) => format!("cannot be followed: {}", plain(error)),
        None if engine.version.is_empty() => "not asked yet".to_owned(),
        None => format!("version {}, API {}", engine.version, engine.api),
    };
    let draining = if document.draining { ", draining" } else { "" };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "motarei {} (pid {}){draining}", document.version, document.pid);
    let _ = writeln!(text, "engine {} {following}", engine.address);
    let _ = writeln!(text, "connections {}, held {}", document.connections, document.held);
    for app in &document.apps {
        text.push('\n');
        of_app(&mut text, app);
    }
    text
}

fn of_app(text: &mut String, app: &App) {
    let _ = writeln!(text, "{} ({})", plain(&app.name), plain(&app.labels.join(", ")));
    for listener in &app.listeners {
        let to = listener.routed.as_deref().map(short);
        let state = match (&listener.error, listener.bound.is_empty()) {
            (Some(error), _) => format!("NOT LISTENING: {} ({} times)", plain(error), listener.failures),
            (None, true) => to.map_or_else(
                || "not listening yet: no container is ready".to_owned(),
                |to| format!("not listening yet, would go to {to}"),
            ),
            (None, false) => format!("-> {}", to.map_or_else(|| held(listener), str::to_owned)),
        };
        let _ = writeln!(text, "  {} {state}", plain(&listener.listen));
    }
    for container in &app.containers {
        of_container(text, container, app.routed.as_deref());
    }
    if app.containers.is_empty() {
        text.push_str("  no containers\n");
    }
}

fn held(listener: &Listener) -> String {
    format!("held: {}", listener.reason.as_deref().map_or("no container is ready".into(), plain))
}

fn of_container(text: &mut String, container: &Container, routed: Option<&str>) {
    let mark = if routed == Some(container.id.as_str()) { '*' } else { ' ' };
    let Container { name, state, connections, .. } = container;
    let address = |path: &str, address: &Option<String>| {
        let used = if container.path == path { "via " } else { "" };
        format!("{used}{path} {}", address.as_deref().unwrap_or("-"))
    };
    let inside = address("container", &container.container_address);
    let outside = address("published", &container.published_address);
    let id = short(&container.id);
    let since = container.ready_since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let _ = writeln!(
        text,
        "{mark} {id} {:<20} {state}{since}, {connections} connections, {inside}, {outside}",
        plain(name)
    );
    if let Some(reason) = &container.reason {
        let _ = writeln!(text, "      {}", plain(reason));
    }
    for port in container.ports.iter().filter(|_| container.ports.len() > 1) {
        let reason = port.reason.as_deref().unwrap_or_default();
        let _ = writeln!(text, "      port {}: {} {}", port.port, port.state, plain(reason));
    }
}

/// With what a terminal would obey as it is written in Rust: `\n`, `\u{1b}`.
fn plain(text: &str) -> String {
    let escaped = |c: char| if is_hostile(c) { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(escaped).collect()
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Engine;

    #[test]
    fn says_what_is_wrong() {
        let container = Container {
            id: "0123456789abcdef".into(),
            name: "web-2".into(),
            state: "probing".into(),
            reason: Some("172.17.0.3:8000 refuses connections".into()),
            path: "container".into(),
            container_address: Some("172.17.0.3:8000".into()),
            ..Container::default()
        };
        let listener = Listener {
            listen: "unix:/run/\u{1b}[2J\nweb".into(),
            error: Some("EACCES".into()),
            failures: 3,
            ..Listener::default()
        };
        let spare = Listener {
            listen: ":80".into(),
            bound: vec!["0.0.0.0:80".into()],
            reason: Some("no container has port 80".into()),
            ..Listener::default()
        };
        let app = App {
            name: "web".into(),
            listeners: vec![listener, spare],
            containers: vec![container],
            ..App::default()
        };
        let engine = Engine { error: Some("no answer in 5 s".into()), ..Engine::default() };
        let text = show(&Document { engine, apps: vec![app], ..Document::default() });
        for part in [
            "cannot be followed: no answer in 5 s",
            r"unix:/run/\u{1b}[2J\nweb NOT LISTENING: EACCES (3 times)",
            ":80 -> held: no container has port 80",
            "0123456789ab web-2",
            "via container 172.17.0.3:8000, published -",
            "refuses connections",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }
}
