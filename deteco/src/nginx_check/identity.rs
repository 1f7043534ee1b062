//! Headers that tell the application who it is: whatever a client sends under their names is overwritten.

use std::collections::BTreeSet;

use super::blocks::Blocks;
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
    let names = site.identity.get(&block.server).into_iter().flatten();
    let open: Vec<_> =
        names.filter(|name| !overwritten(site, guarded, protocol, name)).map(|name| title(name)).collect();
    if !open.is_empty() {
        let what = format!("{} does not set {}", block.title(), open.join(", "));
        findings.push(Finding::new(Rule::Identity, &site.blocks.place(guarded), what));
    }
    let underscores = site.blocks.line(guarded, "underscores_in_headers").filter(|line| line.arg(0) == "on");
    if let Some(line) = underscores {
        findings.push(Finding::new(Rule::Underscores, &line.at, "header names may have underscores"));
    }
}

/// `X-Deteco-User` of `x-deteco-user`.
fn title(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => word.to_owned(),
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// In lower case: that of deteco, those that a server reads from its answers, and those that carry what was
/// read.
pub(super) fn headers(blocks: &Blocks<'_>, server: usize) -> Vec<String> {
    let around = (server != 0).then(|| blocks.of_server(0)).into_iter().flatten();
    let all: Vec<_> = blocks.of_server(server).chain(around).map(|(_, block)| block).collect();
    let lines = |name: &'static str| all.iter().flat_map(move |block| block.lines(name));
    let reads = || lines("auth_request_set");
    let read: BTreeSet<&str> = reads().filter_map(|line| line.arg(0).strip_prefix('$')).collect();
    let answered =
        reads().flat_map(|line| variables(line.arg(1))).filter_map(|name| name.strip_prefix(ANSWERED));
    let answered = answered.filter(|name| name.starts_with("x_")).map(|name| name.replace('_', "-"));
    let carries = |value: &str| variables(value).iter().any(|name| read.contains(name));
    let sets = lines("proxy_set_header").chain(lines("grpc_set_header"));
    let carried = sets.filter(|line| carries(line.arg(1))).map(|line| line.arg(0).to_ascii_lowercase());
    let carried = carried.filter(|name| !ASIDE.contains(&name.as_str()));
    let names: BTreeSet<_> = answered.chain(carried).chain([USER.to_owned()]).collect();
    names.into_iter().collect()
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
