//! Which location serves which path (ngx_http_core_module, `location`).

use std::collections::HashMap;

use super::read::Directive;

/// What stands between `location` and its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matcher<'a> {
    /// `= /path`
    Exact(&'a str),
    /// `/path`
    Prefix(&'a str),
    /// `^~ /path`: no regular expression is tried
    Final(&'a str),
    /// `~ regex`
    Regex(&'a str),
    /// `~* regex`, in any case
    AnyCase(&'a str),
    /// `@name`
    Named(&'a str),
}

impl<'a> Matcher<'a> {
    /// The modifier may also be written without a space.
    pub(super) fn of(location: &'a Directive) -> Self {
        let first = location.args.first().map_or("", String::as_str);
        let (modifier, path) = match location.args.get(1) {
            Some(path) => (first, path.as_str()),
            None => {
                let modifier =
                    ["=", "^~", "~*", "~"].into_iter().find(|modifier| first.starts_with(modifier));
                first.split_at(modifier.map_or(0, str::len))
            }
        };
        match modifier {
            "=" => Matcher::Exact(path),
            "^~" => Matcher::Final(path),
            "~" => Matcher::Regex(path),
            "~*" => Matcher::AnyCase(path),
            _ if path.starts_with('@') => Matcher::Named(path),
            _ => Matcher::Prefix(path),
        }
    }

    /// Whether a regular expression may win a path from the locations below `prefix`. One that is anchored at
    /// another path may not.
    pub(super) fn may_win(self, prefix: &str) -> bool {
        let (regex, prefix) = match self {
            Matcher::Regex(regex) => (regex.to_owned(), prefix.to_owned()),
            Matcher::AnyCase(regex) => (regex.to_lowercase(), prefix.to_lowercase()),
            _ => return false,
        };
        let Some(anchored) = regex.strip_prefix('^').filter(|rest| !rest.contains('|')) else { return true };
        let end = anchored.find(|c: char| !c.is_ascii_alphanumeric() && !"/-_".contains(c));
        let mut literal = &anchored[..end.unwrap_or(anchored.len())];
        // What repeats the last character may also leave it out.
        if anchored[literal.len()..].starts_with(['?', '*', '{']) {
            literal = &literal[..literal.len().saturating_sub(1)];
        }
        literal.starts_with(&prefix) || prefix.starts_with(literal)
    }
}

/// The longest path that locations are looked up for, in bytes.
const LONGEST: usize = 4096;

/// The locations of all servers, by their paths.
#[derive(Default)]
pub(super) struct Locations<'a> {
    exact: HashMap<(usize, &'a str), usize>,
    prefixes: HashMap<(usize, &'a str), usize>,
}

impl<'a> Locations<'a> {
    /// Adds the location whose block is `block`. Regular expressions are left out.
    pub(super) fn add(&mut self, server: usize, matcher: Matcher<'a>, block: usize) {
        let (map, path) = match matcher {
            Matcher::Exact(path) | Matcher::Named(path) => (&mut self.exact, path),
            Matcher::Prefix(path) | Matcher::Final(path) => (&mut self.prefixes, path),
            Matcher::Regex(_) | Matcher::AnyCase(_) => return,
        };
        map.entry((server, path)).or_insert(block);
    }

    /// The block of the location that serves `uri`: the exact one, or the longest prefix.
    pub(super) fn find(&self, server: usize, uri: &'a str) -> Option<usize> {
        if let Some(exact) = self.exact.get(&(server, uri)) {
            return Some(*exact);
        }
        let prefixes = (0..=uri.len().min(LONGEST)).rev().filter_map(|end| uri.get(..end));
        prefixes.filter_map(|prefix| self.prefixes.get(&(server, prefix))).next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_location_or_the_longest_prefix_serves() {
        let mut all = Locations::default();
        let matchers = ["/", "/a", "/a/b"].map(Matcher::Prefix);
        let others = [Matcher::Exact("/a"), Matcher::Named("@a"), Matcher::Final("/f/"), Matcher::Regex("x")];
        for (index, matcher) in matchers.into_iter().chain(others).enumerate() {
            all.add(7, matcher, index);
        }
        for (server, uri, expected) in [
            (7, "/a", Some(3)),
            (7, "/ab", Some(1)),
            (7, "/a/bé", Some(2)),
            (7, "/x", Some(0)),
            (7, "@a", Some(4)),
            (7, "@b", None),
            (7, "/f/x", Some(5)),
            (8, "/a", None),
        ] {
            assert_eq!(all.find(server, uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_regular_expression_wins_what_it_may_match() {
        for (regex, prefix, expected) in [
            (Matcher::Regex(r"\.php$"), "/api/", true),
            (Matcher::Regex("^/static/"), "/api/", false),
            (Matcher::Regex("^/api/x"), "/api/", true),
            (Matcher::Regex("^/(a|b)"), "/c", true),
            (Matcher::Regex("^/"), "/api", true),
            (Matcher::Regex("^/apix?"), "/api", true),
            (Matcher::Regex("^/bx*"), "/api", false),
            (Matcher::AnyCase("^/API/"), "/api", true),
            (Matcher::Regex("^/API/"), "/api", false),
            (Matcher::Prefix("/api/x"), "/api", false),
        ] {
            assert_eq!(regex.may_win(prefix), expected, "{regex:?} {prefix}");
        }
    }
}
