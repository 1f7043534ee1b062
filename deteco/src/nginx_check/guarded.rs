//! The locations that deteco is asked about.

use super::blocks::Block;
use super::finding::{Finding, Rule};
use super::location::Matcher;
use super::read::Directive;
use super::site::Site;
use super::{identity, refused};

/// Directives that hand a request to an application.
pub(super) const PASSES: [&str; 5] = ["proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass"];

/// Whether a block hands requests to an application.
pub(super) fn serves(block: &Block<'_>) -> bool {
    PASSES.iter().any(|pass| block.line(pass).is_some())
}

pub(super) fn check(site: &Site<'_, '_>, guarded: usize, findings: &mut Vec<Finding>) {
    early(site, guarded, findings);
    let any = site.blocks.line(guarded, "satisfy").filter(|line| line.arg(0) == "any");
    if let Some(line) = any {
        let what = format!("satisfy any holds in {}", site.blocks.all[guarded].title());
        findings.push(Finding::new(Rule::SatisfyAny, &line.at, what));
    }
    alias(&site.blocks.all[guarded], findings);
    regex(site, guarded, findings);
    below(site, guarded, findings);
    identity::check(site, guarded, findings);
    refused::check_guarded(site, guarded, findings);
}

/// What nginx does in its rewrite phase, before access is asked for.
fn early(site: &Site<'_, '_>, guarded: usize, findings: &mut Vec<Finding>) {
    let block = &site.blocks.all[guarded];
    let title = block.title();
    for line in block.lines("return") {
        if let Some(rule) = returned(line) {
            findings.push(Finding::new(rule, &line.at, format!("return {} in {title}", line.args.join(" "))));
        }
    }
    for line in block.lines("rewrite").filter(|line| redirects(line)) {
        findings.push(Finding::new(
            Rule::ReturnEarly,
            &line.at,
            format!("rewrite to {} in {title}", line.arg(1)),
        ));
    }
}

/// Content is given away; a redirect, and an empty 204 for CORS, may be meant; a refusal is none of ours.
fn returned(line: &Directive) -> Option<Rule> {
    match line.arg(0) {
        "204" | "301" | "302" | "303" | "307" | "308" => Some(Rule::ReturnEarly),
        code if code.parse::<u16>().is_ok_and(|code| code >= 300) => None,
        code if code.parse::<u16>().is_ok() => Some(Rule::ReturnContent),
        _ => Some(Rule::ReturnEarly), // return URL; is a 302
    }
}

fn redirects(line: &Directive) -> bool {
    let to = line.arg(1);
    matches!(line.arg(2), "redirect" | "permanent")
        || ["http://", "https://", "$scheme"].iter().any(|scheme| to.starts_with(scheme))
}

/// Parts of what is guarded that are not.
pub(super) fn check_off(site: &Site<'_, '_>, findings: &mut Vec<Finding>) {
    for (index, block) in site.blocks.all.iter().enumerate() {
        let off = block.line("auth_request").filter(|line| line.arg(0) == "off");
        let inside = block.outer.is_some_and(|outer| site.blocks.guard(outer).is_some());
        if let Some(line) = off.filter(|_| inside && !site.auth.contains(&index)) {
            findings.push(Finding::new(Rule::GuardOff, &line.at, format!("{} is open", block.title())));
        }
    }
}

/// `location /a { alias /b/; }` serves `/a../c` from `/c`, and `proxy_pass http://app/b/;` asks for `/b/../c`.
fn alias(block: &Block<'_>, findings: &mut Vec<Finding>) {
    let Some(Matcher::Prefix(path) | Matcher::Final(path)) = block.matcher() else { return };
    let lines = ["alias", "proxy_pass"].into_iter().filter_map(|name| block.line(name));
    for line in lines.filter(|line| !path.ends_with('/') && line.arg(0).ends_with('/')) {
        let what = format!("{} has {} {}", block.title(), line.name, line.arg(0));
        findings.push(Finding::new(Rule::AliasSlash, &line.at, what));
    }
}

/// A location below a guarded prefix that forgets to ask.
fn below(site: &Site<'_, '_>, guarded: usize, findings: &mut Vec<Finding>) {
    let own = &site.blocks.all[guarded];
    let Some(Matcher::Prefix(prefix) | Matcher::Final(prefix)) = own.matcher() else { return };
    for index in site.open.get(&own.server).into_iter().flatten() {
        let block = &site.blocks.all[*index];
        let Some(Matcher::Exact(path) | Matcher::Prefix(path) | Matcher::Final(path)) = block.matcher()
        else {
            continue;
        };
        if path.starts_with(prefix) && block.line("auth_request").is_none() {
            let what = format!("{} is open, and {} is not", block.title(), own.title());
            findings.push(Finding::new(Rule::OpenBelow, &site.blocks.place(*index), what));
        }
    }
}

/// Regular expressions beside a guarded prefix that win what matches.
fn regex(site: &Site<'_, '_>, guarded: usize, findings: &mut Vec<Finding>) {
    let own = &site.blocks.all[guarded];
    let Some(Matcher::Prefix(prefix)) = own.matcher() else { return };
    for index in site.open.get(&own.server).into_iter().flatten() {
        let block = &site.blocks.all[*index];
        if block.outer == own.outer && block.matcher().is_some_and(|matcher| matcher.may_win(prefix)) {
            let what = format!("{} is open, and wins over {}", block.title(), own.title());
            findings.push(Finding::new(Rule::RegexWins, &site.blocks.place(*index), what));
        }
    }
}
