//! Headers that tell the application who it is: whatever a client sends under their names is overwritten.

use std::collections::BTreeSet;

use super::finding::{Finding, Rule};
use super::guarded::PASSES;
use super::site::Site;
use super::value::{is_clients, variables};

/// The header that deteco always answers with.
const USER: &str = "x-deteco-user";
/// What `auth_request_set` reads an answer's header with.
const ANSWERED: &str = "upstream_http_";
/// Headers of a client's own that deteco judges, or that say nothing of who it is.
const ASIDE: [&str; 3] = ["authorization", "cookie", "host"];

pub(super) fn check(site: &Site<'_, '_>, guarded: usize, findings: &mut Vec<Finding>) {
    let block = &site.blocks.all[guarded];
    let Some(pass) = PASSES.into_iter().find(|pass| block.line(pass).is_some()) else { return };
    let protocol = pass.strip_suffix("_pass").unwrap_or(pass);
    if site.blocks.value(guarded, &format!("{protocol}_pass_request_headers")) == "off" {
        return;
    }
    let open: Vec<_> = headers(site, block.server)
        .into_iter()
        .filter(|name| !overwritten(site, guarded, protocol, name))
        .collect();
    if !open.is_empty() {
        let what = format!("{} does not set {}", block.title(), open.join(", "));
        findings.push(Finding::new(Rule::Identity, &site.blocks.place(guarded), what));
    }
    let underscores = site.blocks.line(guarded, "underscores_in_headers").filter(|line| line.arg(0) == "on");
    if let Some(line) = underscores {
        findings.push(Finding::new(Rule::Underscores, &line.at, "header names may have underscores"));
    }
}

/// In lower case: that of deteco, those that are read from its answers, and those that carry what was read.
fn headers(site: &Site<'_, '_>, server: usize) -> BTreeSet<String> {
    let blocks = || site.blocks.all.iter().filter(move |block| block.server == server);
    let reads = || blocks().flat_map(|block| block.lines("auth_request_set"));
    let read: BTreeSet<&str> = reads().filter_map(|line| line.arg(0).strip_prefix('$')).collect();
    let answered =
        reads().flat_map(|line| variables(line.arg(1))).filter_map(|name| name.strip_prefix(ANSWERED));
    let answered = answered.filter(|name| name.starts_with("x_")).map(|name| name.replace('_', "-"));
    let sets =
        ["proxy_set_header", "grpc_set_header"].map(|name| blocks().flat_map(move |block| block.lines(name)));
    let carries = |value: &str| variables(value).iter().any(|name| read.contains(name));
    let carried = sets.into_iter().flatten().filter(|line| carries(line.arg(1)));
    let carried =
        carried.map(|line| line.arg(0).to_ascii_lowercase()).filter(|name| !ASIDE.contains(&name.as_str()));
    answered.chain(carried).map(|name| name.to_ascii_lowercase()).chain([USER.to_owned()]).collect()
}

/// Set, and not to what the client sent. FastCGI and its like have `HTTP_NAME` for it, and drop the client's
/// header if that is set.
fn overwritten(site: &Site<'_, '_>, guarded: usize, protocol: &str, name: &str) -> bool {
    let parameter = format!("HTTP_{}", name.replace('-', "_"));
    let line = match protocol {
        "proxy" | "grpc" => site.blocks.header(guarded, &format!("{protocol}_set_header"), name),
        _ => site.blocks.header(guarded, &format!("{protocol}_param"), &parameter),
    };
    line.is_some_and(|line| !variables(line.arg(1)).into_iter().any(is_clients))
}
