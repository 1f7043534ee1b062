//! Whether connections to deteco are kept.

use super::finding::{Finding, Rule};
use super::read::Directive;
use super::site::Site;

/// Three things are needed for it: the pool, HTTP/1.1, and no `Connection: close`.
pub(super) fn check(site: &Site<'_, '_>, auth: usize, pass: &Directive, findings: &mut Vec<Finding>) {
    let mut missing = Vec::new();
    let url = pass.arg(0);
    if !url.contains('$') {
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let name = after_scheme.split('/').next().unwrap_or_default();
        match site.blocks.upstream(name) {
            None => missing.push("an upstream block with keepalive"),
            Some(upstream) if !keeps(upstream) => missing.push("keepalive in the upstream block"),
            Some(_) => {}
        }
    }
    if !["1.1", "2"].contains(&site.blocks.value(auth, "proxy_http_version")) {
        missing.push("proxy_http_version 1.1");
    }
    let connection = site.blocks.header(auth, "proxy_set_header", "Connection");
    if connection.is_none_or(|line| !["", "keep-alive"].contains(&line.arg(1))) {
        missing.push("proxy_set_header Connection \"\"");
    }
    if !missing.is_empty() {
        let what = format!("connections to deteco are not kept; missing: {}", missing.join(", "));
        findings.push(Finding::new(Rule::NoKeepAlive, &pass.at, what));
    }
}

fn keeps(upstream: &Directive) -> bool {
    let lines = upstream.block.iter().flatten();
    lines.filter(|line| line.name == "keepalive").any(|line| line.arg(0) != "0")
}
