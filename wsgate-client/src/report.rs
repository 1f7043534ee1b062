//! What the status says beside the metrics: what is listened on, who is carried, what somebody should look at.

use std::sync::Arc;
use std::time::SystemTime;

use https::Expiry;
use monitor::{MOST_SESSIONS, Question, Reload, Report, listed};
use serde_json::{Map, Value, json};

use crate::service::{Open, Service};

/// The client, as it tells of itself.
pub(crate) struct Told(pub(crate) Arc<Service>);

/// Connects what is kept elsewhere to the metrics. They must not hold the service, which holds them.
pub(crate) fn read(service: &Service) {
    let metrics = &service.metrics;
    let (up, down) = (service.meter.clone(), service.meter.clone());
    metrics.up.read_from(move || up.up());
    metrics.down.read_from(move || down.down());
    let tls = service.config.tls.clone();
    let left = move || Some(Expiry::seconds_left(tls.until()?, SystemTime::now()));
    metrics.certificate_left.read_from(left);
    if let Some(counts) = &service.reloads {
        let [done, failed, stale] = [(); 3].map(|()| counts.clone());
        metrics.reloads.with("succeeded").read_from(move || done.succeeded());
        metrics.reloads.with("failed").read_from(move || failed.failed());
        metrics.reload_ok.read_from(move || Some(if stale.is_stale() { 0.0 } else { 1.0 }));
    }
}

impl Told {
    fn certificate(&self) -> Option<Expiry> {
        Expiry::at(self.0.config.tls.until()?, SystemTime::now())
    }

    fn forwards(&self) -> Vec<Value> {
        let lines = self.0.lines.load();
        let told = lines.iter().take(MOST_SESSIONS);
        told.map(|(listen, to)| json!({ "listen": listen.to_string(), "url": to.load().to_string() }))
            .collect()
    }
}

impl Report for Told {
    fn unready(&self) -> Option<&'static str> {
        (self.0.metrics.listening.value() == 0).then_some("not-listening")
    }

    fn status(&self, question: Question) -> Value {
        let metrics = &self.0.metrics;
        let mut own = json!({
            "sessions": metrics.sessions.value(),
            "waiting": metrics.waiting.value(),
            "detached": metrics.lives.detached.value(),
            "forwards": self.forwards(),
        });
        if question.sessions {
            own["session_list"] = self.0.open.oldest(MOST_SESSIONS).iter().map(|open| open.json()).collect();
        }
        own
    }

    fn reload(&self) -> Option<Reload> {
        self.0.reloads.as_deref().map(Reload::from)
    }

    fn warnings(&self) -> Vec<String> {
        let warnings = [
            (self.0.metrics.unbound.value() > 0, "an address of the map cannot be listened on, see the log"),
            (self.0.config.credential.is_failing(), "a token cannot be renewed, see the log"),
            (
                self.certificate() == Some(Expiry::Soon),
                "the certificate of --client-cert ends within 14 days",
            ),
        ];
        warnings.into_iter().filter(|(holds, _)| *holds).map(|(_, sentence)| sentence.to_owned()).collect()
    }

    fn critical(&self) -> Vec<String> {
        let over = self.certificate() == Some(Expiry::Over);
        over.then(|| "the certificate of --client-cert has ended".to_owned()).into_iter().collect()
    }

    fn metadata(&self) -> Map<String, Value> {
        let lines = self.0.lines.load();
        let urls = lines.iter().map(|(_, to)| to.load().to_string());
        let digest = ("configuration".to_owned(), json!(self.0.config.digest));
        listed("destinations", urls).into_iter().chain([digest]).collect()
    }
}

impl Open {
    /// What an operator needs to know of a tunnel, and no secret: a URL is shown without its query.
    fn json(&self) -> Value {
        let caller = &self.caller;
        json!({
            "listen": *caller.listen,
            "url": caller.gateway.to_string(),
            "peer": caller.peer.to_string(),
            "seconds": self.since.elapsed().as_secs(),
            "dialect": self.dialect,
            "detached": self.life.is_detached(),
            "resumes": self.life.resumes(),
            "up_bytes": self.meter.up(),
            "down_bytes": self.meter.down(),
        })
    }
}
