//! The document of `/status`.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::{MOST_SESSIONS, Question, Status};
use crate::process;
use crate::registry::Headline;

/// A share of the descriptors that is worth a warning.
const MANY_DESCRIPTORS: f64 = 0.9;

/// What there may be many of, for [`Report::metadata`](super::Report::metadata): the first [`MOST_SESSIONS`] of
/// `all` as the field `name`, and how many there are as `NAME_total`.
pub fn listed<T: Into<Value>>(name: &str, all: impl ExactSizeIterator<Item = T>) -> [(String, Value); 2] {
    let total = json!(all.len());
    let first = all.take(MOST_SESSIONS).map(Into::into).collect();
    [(name.to_owned(), first), (format!("{name}_total"), total)]
}

impl Status {
    /// One word why it is not ready; none if it is.
    pub fn unready(&self) -> Option<&'static str> {
        match self.draining.is_cancelled() {
            true => Some("draining"),
            false => self.report.unready(),
        }
    }

    /// The document; the program's fields win.
    pub fn document(&self, question: Question) -> Value {
        let mut document = self.common();
        document.insert("metadata".to_owned(), Value::Object(self.metadata()));
        document.insert("now".to_owned(), self.now());
        match self.report.status(question) {
            Value::Object(own) => document.extend(own),
            Value::Null => {}
            other => drop(document.insert("status".to_owned(), other)),
        }
        Value::Object(document)
    }

    /// What does not grow with what the program does: enough for a check.
    pub(super) fn brief(&self) -> Value {
        Value::Object(self.common())
    }

    fn common(&self) -> Map<String, Value> {
        let program = self.registry.program;
        let uptime = self.registry.born.elapsed();
        let reason = self.unready();
        let limits = self.report.limits();
        let fields = [
            ("program", json!(program.name)),
            ("version", json!(program.version)),
            ("pid", json!(std::process::id())),
            ("uptime_seconds", json!(uptime.as_secs())),
            ("ready", json!(reason.is_none())),
            ("reason", json!(reason)),
            ("draining", json!(self.draining.is_cancelled())),
            ("reload", self.report.reload().map_or(Value::Null, super::Reload::json)),
            ("limits", if limits.is_empty() { Value::Null } else { Value::Object(limits) }),
            ("warnings", json!(self.warnings())),
            ("critical", json!(self.report.critical())),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The program's, and those that every program has.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.report.warnings();
        if self.report.reload().is_some_and(|reload| reload.stale) {
            warnings.push(
                "the last reload failed, see the log: what is in force is older than the files".to_owned(),
            );
        }
        let used = self.registry.open_descriptors().zip(process::descriptor_limit());
        if used.is_some_and(|(open, limit)| open > limit * MANY_DESCRIPTORS) {
            warnings.push("more than 90 % of the file descriptors are used: raise LimitNOFILE".to_owned());
        }
        warnings
    }

    fn metadata(&self) -> Map<String, Value> {
        let mut metadata = Map::new();
        metadata.insert("program".to_owned(), json!(self.registry.program.name));
        metadata.insert("version".to_owned(), json!(self.registry.program.version));
        metadata.extend(self.report.metadata());
        metadata
    }

    fn now(&self) -> Value {
        self.registry.headlines(Instant::now()).iter().map(headline).collect()
    }
}

fn headline(headline: &Headline<'_>) -> Value {
    let Headline { graph, line, value, history } = headline;
    json!({
        "graph": graph.name,
        "graph_label": graph.label,
        "name": line.name,
        "label": line.label,
        "unit": graph.unit.as_str(),
        "value": value,
        "history": history,
    })
}
