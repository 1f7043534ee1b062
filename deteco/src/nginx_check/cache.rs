//! A cache of deteco's answers.

use super::finding::{Finding, Rule};
use super::site::Site;
use super::value::variables;

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
    } else if !ends_in_token(text, &token(site, auth)) {
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

/// Whether the last thing in a key is what a client may write anything into, after what ends everything before
/// it: a request's line has no space in it.
fn ends_in_token(key: &str, token: &[&str]) -> bool {
    let is_last =
        |name: &&str| [format!(" ${name}"), format!(" ${{{name}}}")].iter().any(|last| key.ends_with(last));
    token.is_empty() || token.iter().any(is_last)
}

/// What deteco decides by.
fn wanted<'a>(site: &Site<'_, 'a>, auth: usize) -> Vec<&'a str> {
    let scope = site.blocks.header(auth, "proxy_set_header", "X-Deteco-Scope");
    let scope = scope.map_or(Vec::new(), |line| variables(line.arg(1)));
    [token(site, auth), vec!["request_method", "request_uri"], scope].concat()
}

/// Where the token comes from.
fn token<'a>(site: &Site<'_, 'a>, auth: usize) -> Vec<&'a str> {
    let line = site.blocks.header(auth, "proxy_set_header", "Authorization");
    line.map_or(vec!["http_authorization"], |line| variables(line.arg(1)))
}
