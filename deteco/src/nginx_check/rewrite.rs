//! Rewrites that lead from one path to the location of another.

use super::blocks::Kind;
use super::finding::{Finding, Rule};
use super::site::Site;

/// `rewrite ^/open/(.*)$ /guarded/$1 last;`: deteco decides on what the client asked for, `/open/…`. With `break`
/// a request stays in its location, whose name for the path is then the one that deteco knows.
pub(super) fn check(site: &Site<'_, '_>, findings: &mut Vec<Finding>) {
    for (index, block) in site.blocks.all.iter().enumerate() {
        if site.blocks.guard(index).is_some() {
            continue; // a front controller, as a rule: it hears of the path that deteco decided on
        }
        let is_server = block.kind == Kind::Outer;
        let lines = block.lines("rewrite").filter(|line| line.arg(2) != "break" || is_server);
        for line in lines {
            let literal = line.arg(1).split(['$', '?']).next().unwrap_or_default();
            let target = site.blocks.location(block.server, literal);
            let target = target.filter(|target| literal != "/" && site.guarded.contains(target));
            let Some(target) = target.map(|target| site.blocks.all[target].title()) else { continue };
            let what = format!("rewrite to {} leads from {} to {target}", line.arg(1), block.title());
            findings.push(Finding::new(Rule::Rewritten, &line.at, what));
        }
    }
}
