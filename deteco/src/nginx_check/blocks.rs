//! The blocks that handle HTTP requests, and what holds in each of them.

use std::collections::{BTreeMap, HashMap};

use super::location::{Locations, Matcher};
use super::read::{Directive, Place};

/// What a block is to nginx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The file, http, server, or `if` in a server
    Outer,
    /// A location
    Location,
    /// `if` or `limit_except`: a nameless location, which inherits everything
    Inner,
}

/// `http`, `server`, `location`, `if` or `limit_except`.
pub(super) struct Block<'a> {
    pub(super) kind: Kind,
    /// None of the file itself
    pub(super) directive: Option<&'a Directive>,
    /// What is directly in it
    inside: &'a [Directive],
    /// The lines among these, by their names
    own: HashMap<&'a str, Vec<&'a Directive>>,
    pub(super) outer: Option<usize>,
    /// The block of the server that it is in; of a snippet the file
    pub(super) server: usize,
}

impl<'a> Block<'a> {
    fn new(kind: Kind, inside: &'a [Directive]) -> Self {
        let mut own: HashMap<_, Vec<_>> = HashMap::new();
        for line in inside.iter().filter(|directive| directive.block.is_none()) {
            own.entry(line.name.as_str()).or_default().push(line);
        }
        Self { kind, directive: None, inside, own, outer: None, server: 0 }
    }

    /// The last line of this name in the block itself.
    pub(super) fn line(&self, name: &str) -> Option<&'a Directive> {
        self.lines(name).next_back()
    }

    /// The lines of this name in the block itself.
    pub(super) fn lines(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a Directive> + use<'a, '_> {
        self.own.get(name).into_iter().flatten().copied()
    }

    /// `location = /x`
    pub(super) fn title(&self) -> String {
        self.directive.map_or("the file".to_owned(), |d| format!("{} {}", d.name, d.args.join(" ")))
    }

    /// How a location is chosen.
    pub(super) fn matcher(&self) -> Option<Matcher<'a>> {
        self.directive.filter(|_| self.kind == Kind::Location).map(Matcher::of)
    }
}

/// All of them, and the upstreams.
pub(super) struct Blocks<'a> {
    pub(super) all: Vec<Block<'a>>,
    upstreams: Vec<&'a Directive>,
    maps: Vec<&'a Directive>,
    /// Of each server its blocks, without those around it
    servers: BTreeMap<usize, Vec<usize>>,
    locations: Locations<'a>,
}

impl<'a> Blocks<'a> {
    pub(super) fn of(tree: &'a [Directive]) -> Self {
        let mut blocks = Blocks {
            all: vec![Block::new(Kind::Outer, tree)],
            upstreams: Vec::new(),
            maps: Vec::new(),
            servers: BTreeMap::new(),
            locations: Locations::default(),
        };
        let mut next = 0;
        while next < blocks.all.len() {
            blocks.add_inside_of(next);
            next += 1;
        }
        for (index, block) in blocks.all.iter().enumerate() {
            blocks.servers.entry(block.server).or_default().push(index);
            if let Some(matcher) = block.matcher() {
                blocks.locations.add(block.server, matcher, index);
            }
        }
        blocks
    }

    fn add_inside_of(&mut self, outer: usize) {
        for directive in self.all[outer].inside {
            let Some(inside) = &directive.block else { continue };
            let kind = match directive.name.as_str() {
                "http" | "server" => Kind::Outer,
                "location" => Kind::Location,
                "if" if self.all[outer].kind == Kind::Outer => Kind::Outer, // it serves nothing
                "if" | "limit_except" => Kind::Inner,
                "upstream" => {
                    self.upstreams.push(directive);
                    continue;
                }
                "map" => {
                    self.maps.push(directive);
                    continue;
                }
                _ => continue,
            };
            let server = if directive.name == "server" { self.all.len() } else { self.all[outer].server };
            let block = Block::new(kind, inside);
            self.all.push(Block { directive: Some(directive), outer: Some(outer), server, ..block });
        }
    }

    /// The upstream of this name.
    pub(super) fn upstream(&self, name: &str) -> Option<&'a Directive> {
        self.upstreams.iter().find(|upstream| upstream.arg(0) == name).copied()
    }

    /// The maps that say what a variable is.
    pub(super) fn maps(&self, variable: &str) -> impl Iterator<Item = &'a Directive> {
        self.maps.iter().copied().filter(move |map| map.arg(1).strip_prefix('$') == Some(variable))
    }

    /// The lines of this name that hold in a block: its own, or else those of the nearest block around it
    /// that has any. So nginx inherits headers, error pages and everything else that is asked for here.
    pub(super) fn lines(&self, block: usize, name: &str) -> Vec<&'a Directive> {
        let mut at = Some(block);
        while let Some(index) = at {
            let own: Vec<_> = self.all[index].lines(name).collect();
            if !own.is_empty() {
                return own;
            }
            at = self.all[index].outer;
        }
        Vec::new()
    }

    /// The line of this name that holds in a block.
    pub(super) fn line(&self, block: usize, name: &str) -> Option<&'a Directive> {
        self.lines(block, name).pop()
    }

    /// Its first argument, or nothing.
    pub(super) fn value(&self, block: usize, name: &str) -> &'a str {
        self.line(block, name).map_or("", |line| line.args.first().map_or("", String::as_str))
    }

    /// Where a block begins.
    pub(super) fn place(&self, block: usize) -> Place {
        match self.all[block].directive {
            Some(directive) => directive.at.clone(),
            None => super::dump::start(self.all[0].inside, ""),
        }
    }

    /// The URI that is asked before a block serves anything.
    pub(super) fn guard(&self, block: usize) -> Option<&'a str> {
        Some(self.value(block, "auth_request")).filter(|uri| !matches!(*uri, "" | "off"))
    }

    /// The value of a header line, `name` in any case, of those that hold.
    pub(super) fn header(&self, block: usize, lines: &str, name: &str) -> Option<&'a Directive> {
        let lines = self.lines(block, lines);
        lines.into_iter().rfind(|line| line.arg(0).eq_ignore_ascii_case(name))
    }

    /// The blocks of a server, itself included.
    pub(super) fn of_server(&self, server: usize) -> impl Iterator<Item = (usize, &Block<'a>)> {
        self.servers.get(&server).into_iter().flatten().map(|index| (*index, &self.all[*index]))
    }

    /// The locations, `if` and `limit_except` blocks of a server.
    pub(super) fn inside(&self, server: usize) -> impl Iterator<Item = (usize, &Block<'a>)> {
        self.of_server(server).filter(|(_, block)| block.kind != Kind::Outer)
    }

    /// The location that serves `uri`, the path of a subrequest or of an error page. Regular expressions are
    /// not tried.
    pub(super) fn location(&self, server: usize, uri: &'a str) -> Option<usize> {
        self.locations.find(server, uri)
    }
}
