//! What Prometheus scrapes: OpenMetrics, and the older text format that is made from it.

use std::time::Instant;

use prometheus_client::encoding::text;

use crate::registry::Registry;

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus's own, 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// The Content-Type.
    pub fn content_type(self) -> &'static str {
        match self {
            Exposition::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What an Accept header prefers; without a preference it is the older one.
    pub fn accepted(accept: &str) -> Self {
        let weight = |kind: &str| {
            let ranges =
                accept.split(',').filter(|range| range.split(';').next().is_some_and(|r| r.trim() == kind));
            ranges.map(quality).fold(0.0, f64::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0.0 && open >= weight("text/plain") { Self::OpenMetrics } else { Self::Prometheus }
    }
}

/// The `q` of a range, 1 if there is none (RFC 9110 section 12.4.2).
fn quality(range: &str) -> f64 {
    let weight = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
    weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0))
}

impl Registry {
    /// All metrics as text.
    pub fn expose(&self, form: Exposition) -> String {
        let start = Instant::now();
        let mut open = String::new();
        for registry in &self.exposed {
            // Writing to a String cannot fail, and our metrics do not.
            let _ = text::encode_registry(&mut open, registry);
        }
        let _ = text::encode_eof(&mut open);
        self.collected(start);
        match form {
            Exposition::OpenMetrics => open,
            Exposition::Prometheus => older(&open),
        }
    }
}

/// The 0.0.4 form of OpenMetrics: a counter and an info are called as their samples are, an info is a gauge, and
/// there is neither unit nor end.
fn older(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            if let Some((_, help)) = help.take() {
                text.push_str(&format!("# HELP {name}{suffix} {help}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests;
