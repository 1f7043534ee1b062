//! Where the document's parts come from, and all else that the status says.

use std::sync::Arc;
use std::time::SystemTime;

use daemon::stop::Stop;
use monitor::{Question, Report};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, watch};

use super::concern::{Concerns, Limits};
use super::document::{self, Document, Engine};
use super::seen::Seen;
use crate::discovery::Engaged;
use crate::listeners::Heard;
use crate::metrics::Metrics;

/// A running proxy, as it is read.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) engine: String,
    pub(crate) engaged: watch::Receiver<Engaged>,
    pub(crate) seen: Vec<watch::Receiver<Seen>>,
    pub(crate) heard: watch::Receiver<Vec<Heard>>,
    /// The room for clients that wait.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) limits: Limits,
    /// What does not change while it runs.
    pub(crate) metadata: Map<String, Value>,
    pub(crate) stop: Stop,
}

impl Sources {
    /// The document of now.
    pub(crate) fn document(&self) -> Document {
        let engaged = self.engaged.borrow().clone();
        let mut apps: Vec<_> = self.seen.iter().map(|seen| seen.borrow().now()).collect();
        for heard in self.heard.borrow().iter() {
            if let Some(app) = apps.get_mut(heard.app) {
                place(app, heard);
            }
        }
        let containers = apps.iter().flat_map(|app| &app.containers);
        Document {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            draining: self.stop.draining.is_cancelled(),
            engine: Engine {
                address: self.engine.clone(),
                version: engaged.version,
                api: engaged.api,
                error: engaged.error,
            },
            connections: containers.map(|container| container.connections).sum(),
            held: self.limits.max_held.saturating_sub(self.room.available_permits()),
            apps,
        }
    }

    /// Has the metrics be read from here that nobody keeps.
    pub(crate) fn give(&self, metrics: &Metrics) {
        let (seen, heard, engaged) = (self.seen.clone(), self.heard.clone(), self.engaged.clone());
        metrics.newest_age.read_from(move || {
            let created = seen.iter().filter_map(|seen| seen.borrow().newest_ready()).max()?;
            Some(document::age(created, SystemTime::now()).as_secs_f64())
        });
        metrics.not_listening.read_from(move || {
            let failed = heard.borrow().iter().filter(|heard| heard.error.is_some()).count();
            u32::try_from(failed).ok().map(f64::from)
        });
        metrics.following.read_from(move || {
            let engaged = engaged.borrow();
            Some(f64::from(u8::from(engaged.error.is_none() && !engaged.version.is_empty())))
        });
    }

    fn concerns(&self) -> Concerns {
        Concerns::of(&self.document(), self.limits, SystemTime::now())
    }
}

impl Report for Sources {
    fn unready(&self) -> Option<&'static str> {
        let heard = self.heard.borrow();
        if !heard.is_empty() && heard.iter().all(|heard| heard.error.is_some()) {
            return Some("not-listening");
        }
        let is_any_routed = self.seen.iter().any(|seen| seen.borrow().is_routed());
        (!is_any_routed).then_some("no-container")
    }

    fn status(&self, _: Question) -> Value {
        // It has no maps with keys that are no text, which alone could fail.
        serde_json::to_value(self.document()).unwrap_or_default()
    }

    fn limits(&self) -> Map<String, Value> {
        let Limits { max_connections, max_held } = self.limits;
        let limits = [("max_connections", max_connections), ("max_held", max_held)];
        limits.map(|(name, limit)| (name.to_owned(), json!(limit))).into_iter().collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.concerns().warnings
    }

    fn critical(&self) -> Vec<String> {
        self.concerns().critical
    }

    fn metadata(&self) -> Map<String, Value> {
        self.metadata.clone()
    }
}

/// Adds what is known of a listener to the one that is there for its containers.
fn place(app: &mut document::App, heard: &Heard) {
    let at = app.listeners.iter().position(|listener| listener.listen == heard.place);
    let at = at.unwrap_or_else(|| {
        let reason = nobodys(app, &heard.place);
        app.listeners.push(document::Listener { listen: heard.place.clone(), reason, ..Default::default() });
        app.listeners.len() - 1
    });
    let listener = &mut app.listeners[at];
    listener.bound = heard.bound.clone();
    listener.inherited = heard.inherited;
    listener.error = heard.error.clone();
    listener.failures = heard.failures;
}

/// Why a listener is there that no container is behind, if there are containers.
fn nobodys(app: &document::App, place: &str) -> Option<String> {
    let port = place.rsplit(':').next().unwrap_or(place);
    let why = || format!("no container has port {port}; which port is meant, --listen {place}=PORT says");
    (!app.containers.is_empty()).then(why)
}
