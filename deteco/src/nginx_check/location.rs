//! Which location serves which path (ngx_http_core_module, `location`).

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

    /// How well it fits `path`; the greatest wins. None of the regular expressions does.
    pub(super) fn fits(self, path: &str) -> Option<usize> {
        match self {
            Matcher::Exact(own) | Matcher::Named(own) => (own == path).then_some(usize::MAX),
            Matcher::Prefix(own) | Matcher::Final(own) => path.starts_with(own).then_some(own.len()),
            Matcher::Regex(_) | Matcher::AnyCase(_) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

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
