//! Which locations ask, and which are asked about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Finding;
use super::blocks::{Block, Blocks, Kind};
use super::finding::Rule;
use super::identity;
use super::location::Matcher;

/// The blocks, and what they are to deteco.
pub(super) struct Site<'b, 'a> {
    pub(super) blocks: &'b Blocks<'a>,
    /// Locations that an `auth_request` names
    pub(super) auth: BTreeSet<usize>,
    /// Locations and blocks in them in which an `auth_request` holds
    pub(super) guarded: BTreeSet<usize>,
    /// Of each server with guarded blocks the headers that tell who it is
    pub(super) identity: BTreeMap<usize, Vec<String>>,
    /// Of each such server the locations that serve without asking, but for those with a name
    pub(super) open: BTreeMap<usize, Vec<usize>>,
}

impl<'b, 'a> Site<'b, 'a> {
    pub(super) fn of(blocks: &'b Blocks<'a>, findings: &mut Vec<Finding>) -> Self {
        let guards =
            |block: usize| (blocks.all[block].kind != Kind::Outer).then(|| blocks.guard(block)).flatten();
        let guarded: BTreeSet<usize> =
            (0..blocks.all.len()).filter(|block| guards(*block).is_some()).collect();
        let mut site =
            Site { blocks, guarded, auth: BTreeSet::new(), identity: BTreeMap::new(), open: BTreeMap::new() };
        site.find_auth(findings);
        let auth = &site.auth;
        let is_auth = |block: usize| {
            auth.contains(&block) || blocks.all[block].outer.is_some_and(|outer| auth.contains(&outer))
        };
        site.guarded.retain(|block| !is_auth(*block)); // nobody asks about a question
        let servers: BTreeSet<usize> = site.guarded.iter().map(|block| blocks.all[*block].server).collect();
        site.identity = servers.iter().map(|server| (*server, identity::headers(blocks, *server))).collect();
        site.open = servers.iter().map(|server| (*server, site.open_of(*server))).collect();
        site
    }

    /// Where the questions of all guarded blocks go.
    fn find_auth(&mut self, findings: &mut Vec<Finding>) {
        let mut known = HashMap::new();
        for block in &self.guarded {
            let Some(line) = self.blocks.line(*block, "auth_request") else { continue };
            let server = self.blocks.all[*block].server;
            let find =
                || self.blocks.location(server, line.arg(0)).filter(|found| !self.is_catch_all(*found));
            match known.entry((server, line.arg(0))).or_insert_with(find) {
                Some(found) => drop(self.auth.insert(*found)),
                None => {
                    let what = format!("no location is there for auth_request {}", line.arg(0));
                    findings.push(Finding::new(Rule::NoAuthLocation, &line.at, what));
                }
            }
        }
    }

    /// `location /` is not meant for questions.
    fn is_catch_all(&self, location: usize) -> bool {
        self.blocks.all[location].matcher() == Some(Matcher::Prefix("/"))
    }

    fn open_of(&self, server: usize) -> Vec<usize> {
        let is_open = |(index, block): &(usize, &Block<'a>)| {
            block.matcher().is_some_and(|matcher| !matches!(matcher, Matcher::Named(_)))
                && self.blocks.guard(*index).is_none()
                && !self.auth.contains(index)
                && answers(block)
        };
        self.blocks.inside(server).filter(is_open).map(|(index, _)| index).collect()
    }
}

/// Whether a location gives anything to clients.
fn answers(block: &Block<'_>) -> bool {
    let denies = block.lines("deny").any(|line| line.arg(0) == "all");
    !denies && block.line("internal").is_none() && block.line("return").is_none()
}
