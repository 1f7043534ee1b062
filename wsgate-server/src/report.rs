//! What the status says beside the metrics: who is served, what cannot be passed, what somebody should look at.

use std::sync::Arc;
use std::time::SystemTime;

use daemon::reload::Counts;
use https::Expiry;
use monitor::{MOST_SESSIONS, Question, Reload, Report, listed};
use serde_json::{Map, Value, json};

use crate::dump::Dump;
use crate::limits::Of;
use crate::run::Gate;

/// The gateway, as it tells of itself.
pub(crate) struct Told(pub(crate) Arc<Gate>);

/// Connects what is kept elsewhere to the metrics. Nothing here may hold the gate, which holds them.
pub(crate) fn read(gate: &Gate) {
    let (metrics, config) = (&gate.metrics, &gate.config);
    let (up, down) = (gate.meter.clone(), gate.meter.clone());
    metrics.up.read_from(move || up.up());
    metrics.down.read_from(move || down.down());
    let most = u32::try_from(config.max_connections).ok().map(f64::from);
    metrics.sessions_max.read_from(move || most);
    let budget = gate.budget.clone();
    metrics.buffered.read_from(move || u32::try_from(budget.used()).ok().map(f64::from));
    let policy = config.policy.clone();
    metrics
        .destinations
        .read_from(move || u32::try_from(policy.load().destinations.len()).ok().map(f64::from));
    if let Some(tls) = config.edge.tls.clone() {
        let left = move || Some(Expiry::seconds_left(tls.until()?, SystemTime::now()));
        metrics.certificate_left.read_from(left);
    }
    let [done, failed, stale] = [(); 3].map(|()| gate.reloads.clone());
    metrics.reloads.with("succeeded").read_from(move || sum(&done).succeeded);
    metrics.reloads.with("failed").read_from(move || sum(&failed).failed);
    metrics.reload_ok.read_from(move || Some(if sum(&stale).stale { 0.0 } else { 1.0 }));
}

/// All sets of files together.
fn sum(counts: &[Arc<Counts>]) -> Reload {
    counts.iter().map(|counts| Reload::from(&**counts)).fold(Reload::default(), |all, one| Reload {
        succeeded: all.succeeded + one.succeeded,
        failed: all.failed + one.failed,
        stale: all.stale || one.stale,
    })
}

impl Told {
    fn certificate(&self) -> Option<Expiry> {
        Expiry::at(self.0.config.edge.tls.as_ref()?.until()?, SystemTime::now())
    }

    /// By name.
    fn destinations(&self) -> Vec<Value> {
        let policy = self.0.config.policy.load();
        let mut names: Vec<&str> = policy.destinations.names().collect();
        names.sort_unstable();
        names.truncate(MOST_SESSIONS);
        let sessions = self.0.tally.counts(names.iter().map(|name| Of::Destination((*name).to_owned())));
        let described = names.into_iter().zip(sessions).filter_map(|(name, sessions)| {
            let to = policy.destinations.get(name)?;
            Some(json!({
                "name": name,
                "upstream": to.address.to_string(),
                "sessions": sessions,
                "max_connections": to.max_connections,
            }))
        });
        described.collect()
    }

    /// How many tunnels there may still be, and may be at all.
    fn room(&self) -> (usize, usize) {
        (self.0.slots.available_permits(), self.0.config.max_connections)
    }
}

impl Report for Told {
    fn unready(&self) -> Option<&'static str> {
        (!self.0.is_ready()).then_some("identity-not-ready")
    }

    fn status(&self, question: Question) -> Value {
        let metrics = &self.0.metrics;
        let mut own = json!({
            "sessions": metrics.sessions.value(),
            "detached": metrics.detached.value(),
            "buffered_bytes": self.0.budget.used(),
            "dialling": metrics.dialling.value(),
            "http_connections": metrics.http.value(),
            "destinations": self.destinations(),
        });
        if question.sessions {
            own["session_list"] = self.0.open.oldest(MOST_SESSIONS).iter().map(|open| open.json()).collect();
        }
        own
    }

    fn reload(&self) -> Option<Reload> {
        Some(sum(&self.0.reloads))
    }

    fn limits(&self) -> Map<String, Value> {
        let (policy, keeping) = (self.0.config.policy.load(), &self.0.config.keeping);
        let fields = [
            ("max_connections", json!(self.0.config.max_connections)),
            ("max_connections_per_user", json!(policy.max_connections_per_user)),
            ("max_detached", json!(keeping.max_detached)),
            ("max_detached_bytes", json!(keeping.max_detached_bytes)),
            ("buffer_limit", json!(keeping.buffer_limit)),
            ("resume_grace", json!(keeping.grace(None).as_secs())),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn warnings(&self) -> Vec<String> {
        let (left, most) = self.room();
        let warnings = [
            (
                self.0.config.policy.load().destinations.is_empty(),
                "there are no destinations: give --map FILE",
            ),
            ((1..most.div_ceil(10)).contains(&left), "more than 90 % of --max-connections are used"),
            (self.certificate() == Some(Expiry::Soon), "the certificate of --tls-cert ends within 14 days"),
            (self.0.config.dump != Dump::Off, "--dump-tcp: what is carried is logged, passwords and all"),
        ];
        true_ones(warnings)
    }

    fn critical(&self) -> Vec<String> {
        true_ones([
            (self.room().0 == 0, "all of --max-connections are used: new callers are refused"),
            (self.certificate() == Some(Expiry::Over), "the certificate of --tls-cert has ended"),
        ])
    }

    fn metadata(&self) -> Map<String, Value> {
        let policy = self.0.config.policy.load();
        let mut names: Vec<&str> = policy.destinations.names().collect();
        names.sort_unstable();
        let digest = ("configuration".to_owned(), json!(policy.digest));
        listed("destinations", names.into_iter()).into_iter().chain([digest]).collect()
    }
}

fn true_ones<const N: usize>(sentences: [(bool, &str); N]) -> Vec<String> {
    let held = sentences.into_iter().filter(|(holds, _)| *holds);
    held.map(|(_, sentence)| sentence.to_owned()).collect()
}
