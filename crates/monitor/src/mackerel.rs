//! What mackerel-agent takes from a plugin: `name\tvalue\tepoch\n`, and the graphs as JSON.
//!
//! ```text
//! wsgate-server.sessions.open<TAB>12<TAB>1795312345
//! # mackerel-agent-plugin
//! {"graphs":{"wsgate-server.sessions":{"label":"wsgate-server: Sessions","unit":"integer",
//!  "metrics":[{"name":"open","label":"open now","stacked":false}]}}}
//! ```

use std::fmt::Write;
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::graph::Graph;
use crate::name::Part;
use crate::registry::{Registry, Set, epoch};

impl Registry {
    /// The lines for the agent; `instance` is what names begin with, if it is not the program's. What has no
    /// value now has no line.
    pub fn mackerel(&self, instance: Option<&str>, set: Set) -> String {
        let start = Instant::now();
        let text = self.mackerel_at(instance, set, start, epoch());
        self.collected(start);
        text
    }

    pub(crate) fn mackerel_at(&self, instance: Option<&str>, set: Set, now: Instant, epoch: u64) -> String {
        let prefix = Part::of(instance.unwrap_or(self.program.name));
        let mut text = String::new();
        self.values(set, now, |graph, values| {
            for (name, value) in values {
                let value = graph.unit.print(*value);
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{prefix}.{}.{name}\t{value}\t{epoch}", graph.name);
            }
        });
        text
    }

    /// The graphs of the lines, from the declarations alone: `{"graphs":{…}}`.
    pub fn graphs(&self, instance: Option<&str>, set: Set) -> Value {
        let prefix = Part::of(instance.unwrap_or(self.program.name));
        let drawn = self.graphs.iter().filter_map(|graph| {
            let metrics = metrics(graph, set);
            let definition = json!({
                "label": format!("{prefix}: {}", graph.label),
                "unit": graph.unit.as_str(),
                "metrics": metrics,
            });
            (!metrics.is_empty()).then(|| (format!("{prefix}.{}", graph.name), definition))
        });
        json!({ "graphs": drawn.collect::<Map<_, _>>() })
    }
}

fn metrics(graph: &Graph, set: Set) -> Vec<Value> {
    let lines = graph.lines.iter().filter(|line| line.is_in(set));
    let drawn = lines.flat_map(|line| {
        let metric = |(name, label)| json!({ "name": name, "label": label, "stacked": line.stacked });
        line.drawn().into_iter().map(metric)
    });
    drawn.collect()
}

#[cfg(test)]
mod tests;
