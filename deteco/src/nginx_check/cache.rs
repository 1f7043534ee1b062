//! A cache of deteco's answers.

use super::finding::{Finding, Rule};
use super::site::Site;
use super::value::variables;

/// The last thing in a key: what a client may write anything into, after what ends everything before it. A
/// request's line has no space in it.
const LAST: [&str; 2] = [" $http_authorization", " ${http_authorization}"];

pub(super) fn check(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let blocks = site.blocks;
    let Some(cache) = blocks.line(auth, "proxy_cache").filter(|line| line.arg(0) != "off") else { return };
    let key = blocks.line(auth, "proxy_cache_key");
    let at = &key.unwrap_or(cache).at;
    let text = key.map_or("$scheme$proxy_host$request_uri", |line| line.arg(0));
    let missing: Vec<_> =
        wanted(site, auth).into_iter().filter(|name| !variables(text).contains(name)).collect();
    if !missing.is_empty() {
        let what = format!("the key of the cache has no ${}", missing.join(", $"));
        findings.push(Finding::new(Rule::CacheKey, at, what));
    } else if !LAST.iter().any(|last| text.ends_with(last)) {
        findings.push(Finding::new(Rule::CacheKeyOrder, at, "two different requests may have the same key"));
    }
    if let Some(stale) = blocks.line(auth, "proxy_cache_use_stale").filter(|line| line.arg(0) != "off") {
        findings.push(Finding::new(Rule::CacheStale, &stale.at, "the cache gives answers that have expired"));
    }
    let ignores = |header: &str| {
        let lines = blocks.lines(auth, "proxy_ignore_headers");
        lines.into_iter().find(|line| line.args.iter().any(|arg| arg.eq_ignore_ascii_case(header)))
    };
    if let Some(line) = ["Cache-Control", "X-Accel-Expires", "Expires"].into_iter().find_map(ignores) {
        findings.push(Finding::new(Rule::CacheIgnores, &line.at, "the cache does not hear deteco"));
    }
}

/// What deteco decides by.
fn wanted<'a>(site: &Site<'_, 'a>, auth: usize) -> Vec<&'a str> {
    let scope = site.blocks.header(auth, "proxy_set_header", "X-Deteco-Scope");
    let scope = scope.map_or(Vec::new(), |line| variables(line.arg(1)));
    [vec!["http_authorization", "request_method", "request_uri"], scope].concat()
}
