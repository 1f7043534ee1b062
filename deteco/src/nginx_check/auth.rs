//! The location that asks deteco.

use super::finding::{Finding, Rule};
use super::location::Matcher;
use super::site::Site;
use super::value::{is_clients, is_told, is_variable, size, time, variables};
use super::{cache, refused, upstream};

/// The sum of what nginx waits is at most a few of these.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(10);
/// What nginx waits if nothing is said.
const DEFAULT_WAIT: &str = "60s";
/// What nginx takes if nothing is said.
const DEFAULT_SIZE: &str = "1m";

/// A question as nginx sends it.
pub(super) fn check(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let block = &site.blocks.all[auth];
    let (title, at) = (block.title(), site.blocks.place(auth));
    regex(site, auth, findings);
    let mut found = |rule, what: &str| findings.push(Finding::new(rule, &at, format!("{title} {what}")));
    if block.line("internal").is_none() {
        found(Rule::NotInternal, "is not internal");
    }
    let answers = block.line("return").filter(|line| line.arg(0).starts_with('2') || line.arg(0).len() != 3);
    if let Some(line) = answers {
        findings.push(Finding::new(Rule::NoQuestion, &line.at, format!("{title} answers itself")));
        return;
    }
    let Some(pass) = block.line("proxy_pass") else {
        let other = ["fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "return"];
        if !other.iter().any(|name| block.line(name).is_some()) {
            found(Rule::NoQuestion, "has no proxy_pass");
        }
        return;
    };
    if let Some(what) = elsewhere(pass.arg(0)) {
        findings.push(Finding::new(Rule::NoQuestion, &pass.at, format!("{} {what}", pass.arg(0))));
    }
    if site.blocks.value(auth, "proxy_pass_request_headers") != "off" {
        headers(site, auth, findings);
    }
    token(site, auth, findings);
    body(site, auth, findings);
    waits(site, auth, findings);
    upstream::check(site, auth, pass, findings);
    cache::check(site, auth, findings);
    refused::check_auth(site, auth, findings);
}

/// Regular expressions that may win over the location of the questions.
fn regex(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let own = &site.blocks.all[auth];
    let Some(Matcher::Prefix(path)) = own.matcher() else { return };
    for (index, block) in site.blocks.inside(own.server) {
        if block.matcher().is_some_and(|matcher| matcher.may_win(path)) {
            let what = format!("{} may win over {}", block.title(), own.title());
            findings.push(Finding::new(Rule::AuthRegex, &site.blocks.place(index), what));
        }
    }
}

/// Whether a `proxy_pass` leads to what says yes to everybody: a page of deteco's for monitors, or whatever the
/// client names.
fn elsewhere(url: &str) -> Option<&'static str> {
    if variables(url).into_iter().any(is_clients) {
        return Some("is for the client to choose");
    }
    let (_, rest) = url.split_once("://")?;
    // unix:/path:/uri
    let (_, path) = rest.strip_prefix("unix:").map_or(rest.split_once('/'), |path| path.split_once(":/"))?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    matches!(path.trim_matches('/'), "" | "live" | "ready").then_some("is a page for monitors")
}

/// The token is the client's, from wherever in its request.
fn token(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let Some(line) = site.blocks.header(auth, "proxy_set_header", "Authorization") else { return };
    if !line.arg(1).is_empty() && variables(line.arg(1)).is_empty() {
        let what = "Authorization is the same for every request";
        findings.push(Finding::new(Rule::FixedToken, &line.at, what));
    }
}

/// What deteco believes. A header that is not set is the client's own.
fn headers(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let at = site.blocks.place(auth);
    let title = site.blocks.all[auth].title();
    let header = |name| site.blocks.header(auth, "proxy_set_header", name);
    for (name, missing, variable, wrong) in [
        ("X-Original-URI", Rule::UriNotSet, "request_uri", Rule::UriNotRaw),
        ("X-Original-Method", Rule::MethodNotSet, "request_method", Rule::MethodNotSet),
    ] {
        match header(name) {
            None => findings.push(Finding::new(missing, &at, format!("{title} does not set {name}"))),
            Some(line) if !is_variable(line.arg(1), variable) => {
                let what = format!("{name} is {:?}, not ${variable}", line.arg(1));
                findings.push(Finding::new(wrong, &line.at, what));
            }
            Some(_) => {}
        }
    }
    match header("X-Deteco-Scope") {
        None => findings.push(Finding::new(
            Rule::ScopeNotSet,
            &at,
            format!("{title} does not set X-Deteco-Scope"),
        )),
        Some(line) => scope(site, auth, line.arg(1), &line.at, findings),
    }
}

/// A scope is what the guarded location has set, and nothing after that.
fn scope(site: &Site<'_, '_>, auth: usize, value: &str, at: &super::Place, findings: &mut Vec<Finding>) {
    if let Some(name) = variables(value).into_iter().find(|name| is_clients(name)) {
        findings.push(Finding::new(Rule::ScopeFromClient, at, format!("X-Deteco-Scope comes from ${name}")));
    }
    variables(value).into_iter().for_each(|name| chosen(site, auth, name, findings));
    let server = site.blocks.all[auth].server;
    let sets = |block: usize, name: &str| {
        site.blocks.all[block].lines("set").find(|line| line.arg(0).strip_prefix('$') == Some(name))
    };
    for name in variables(value) {
        let elsewhere =
            site.blocks.inside(server).any(|(block, _)| block != auth && sets(block, name).is_some());
        for line in [server, auth].into_iter().filter_map(|block| sets(block, name)).filter(|_| elsewhere) {
            let what = format!("${name} is set for every location, and in some of them");
            findings.push(Finding::new(Rule::ScopeUndone, &line.at, what));
        }
    }
}

/// Where the variable of a scope gets what the client says.
fn chosen(site: &Site<'_, '_>, auth: usize, name: &str, findings: &mut Vec<Finding>) {
    let blocks = site.blocks;
    let mut found = |at: &super::Place, by: &str| {
        let what = format!("${name} comes from ${by}");
        findings.push(Finding::new(Rule::ScopeFromClient, at, what));
    };
    for map in blocks.maps(name) {
        if let Some(by) = variables(map.arg(0)).into_iter().find(|by| is_told(by)) {
            found(&map.at, by);
        }
        for line in map.block.iter().flatten() {
            variables(line.last()).into_iter().filter(|by| is_clients(by)).for_each(|by| found(&line.at, by));
        }
    }
    for (_, block) in blocks.of_server(blocks.all[auth].server) {
        for line in block.lines("set").filter(|line| line.arg(0).strip_prefix('$') == Some(name)) {
            variables(line.arg(1)).into_iter().filter(|by| is_clients(by)).for_each(|by| found(&line.at, by));
        }
    }
}

fn body(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let blocks = site.blocks;
    let (title, at) = (blocks.all[auth].title(), blocks.place(auth));
    let length = blocks.header(auth, "proxy_set_header", "Content-Length");
    if blocks.value(auth, "proxy_pass_request_body") != "off" {
        findings.push(Finding::new(Rule::BodySent, &at, format!("{title} sends the body of the request")));
    } else if length.is_none_or(|line| !line.arg(1).is_empty()) {
        let what = format!("{title} sends no body, but the Content-Length of the request");
        findings.push(Finding::new(Rule::LengthSent, &at, what));
    }
    let limit = |block| match size(blocks.value(block, "client_max_body_size")) {
        Some(0) => u64::MAX,
        Some(size) => size,
        None => size(DEFAULT_SIZE).unwrap_or_default(),
    };
    let server = blocks.all[auth].server;
    let larger = |block: &&usize| blocks.all[**block].server == server && limit(**block) > limit(auth);
    if let Some(guarded) = site.guarded.iter().find(larger) {
        let guarded = blocks.all[*guarded].title();
        let what = format!("{title} takes smaller requests (client_max_body_size) than {guarded}");
        findings.push(Finding::new(Rule::BodySize, &at, what));
    }
}

fn waits(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let is_long = |name: &&str| {
        let value = site.blocks.value(auth, name);
        time(if value.is_empty() { DEFAULT_WAIT } else { value }).is_some_and(|wait| wait > LONGEST_WAIT)
    };
    let long: Vec<_> = ["proxy_connect_timeout", "proxy_send_timeout", "proxy_read_timeout"]
        .into_iter()
        .filter(is_long)
        .collect();
    if !long.is_empty() {
        let what = format!("longer than 10s: {} (60s if not set)", long.join(", "));
        findings.push(Finding::new(Rule::SlowTimeout, &site.blocks.place(auth), what));
    }
}
