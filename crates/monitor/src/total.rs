//! What only ever grows, and is kept elsewhere: in a file perhaps, that other processes write.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use crate::gauge::{Measured, Reading};

/// A count, or a time in seconds, that is read when somebody asks. Unlike a [`Counter`](crate::Counter) it can have
/// no value, which is not zero, and fractions. Clones are the same total.
#[derive(Clone, Debug, Default)]
pub struct Total(Reading);

impl Total {
    /// Where it comes from, as [`Reading::read_from`].
    pub fn read_from(&self, source: impl Fn() -> Option<f64> + Send + Sync + 'static) {
        self.0.read_from(source);
    }
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let sample = |value| encoder.encode_counter::<NoLabelSet, _, f64>(&value, None::<&Exemplar<_, f64>>);
        self.0.value().map_or(Ok(()), sample)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }

    fn is_empty(&self) -> bool {
        self.0.value().is_none()
    }
}

impl Measured for Total {
    fn measure(&self) -> Option<f64> {
        self.0.value()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Declare, Exposition, Line, Program, Set, Unit};

    #[test]
    fn what_is_told_of_others_has_labels_and_no_process() {
        let mut declare = Declare::about_others(Program { name: "a-b", version: "1" }, &[("name", "x\"\n")]);
        let (moved, waited) =
            (declare.total("moved_bytes", "Moved"), declare.total("waited_seconds", "Waited"));
        declare.graph("g", "G", Unit::Float, [Line::now("moved", "moved", &moved).by_default()]);
        let registry = declare.done();
        let text = || registry.expose(Exposition::Prometheus);
        let build = "# HELP a_b_build_info What is running.\n# TYPE a_b_build_info gauge\n\
            a_b_build_info{name=\"x\\\"\\n\",version=\"1\"} 1\n";
        assert_eq!(text(), build, "without a value there is nothing");
        moved.read_from(|| Some(5e12));
        waited.read_from(|| Some(0.25));
        let labels = "{name=\"x\\\"\\n\"}";
        for line in [
            format!("a_b_moved_bytes_total{labels} 5000000000000.0\n"),
            format!("a_b_waited_seconds_total{labels} 0.25\n"),
        ] {
            assert!(text().contains(&line), "{line}: {}", text());
        }
        assert!(!text().contains("process_"));
        let lines = registry.mackerel(None, Set::All);
        assert!(lines.starts_with("a-b.g.moved\t5000000000000\t") && lines.lines().count() == 1, "{lines}");
    }
}
