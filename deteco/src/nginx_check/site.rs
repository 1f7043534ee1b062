//! Which locations ask, and which are asked about.

use std::collections::BTreeSet;

use super::Finding;
use super::blocks::{Blocks, Kind};
use super::finding::Rule;
use super::location::Matcher;

/// The blocks, and what they are to deteco.
pub(super) struct Site<'b, 'a> {
    pub(super) blocks: &'b Blocks<'a>,
    /// Locations that an `auth_request` names
    pub(super) auth: BTreeSet<usize>,
    /// Locations and blocks in them in which an `auth_request` holds
    pub(super) guarded: BTreeSet<usize>,
}

impl<'b, 'a> Site<'b, 'a> {
    pub(super) fn of(blocks: &'b Blocks<'a>, findings: &mut Vec<Finding>) -> Self {
        let mut site = Site { blocks, auth: BTreeSet::new(), guarded: BTreeSet::new() };
        for (index, block) in blocks.all.iter().enumerate() {
            let Some(uri) = blocks.guard(index).filter(|_| block.kind != Kind::Outer) else { continue };
            site.guarded.insert(index);
            let found = blocks.location(block.server, uri).filter(|found| !site.is_catch_all(*found));
            match (found, blocks.line(index, "auth_request")) {
                (Some(auth), _) => drop(site.auth.insert(auth)),
                (None, Some(line)) => {
                    let what = format!("no location is there for auth_request {uri}");
                    findings.push(Finding::new(Rule::NoAuthLocation, &line.at, what));
                }
                (None, None) => {}
            }
        }
        let auth = &site.auth;
        let is_auth = |index: usize| {
            auth.contains(&index) || blocks.all[index].outer.is_some_and(|o| auth.contains(&o))
        };
        site.guarded.retain(|index| !is_auth(*index)); // nobody asks about a question
        site
    }

    /// `location /` is not meant for questions.
    fn is_catch_all(&self, location: usize) -> bool {
        self.blocks.all[location].matcher() == Some(Matcher::Prefix("/"))
    }
}
