//! Names with a star.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The longest `sub` that a token may have, in bytes; a longer pattern is a slip.
const LONGEST: usize = 256;

/// A name in which each `*` stands for any characters, or none. It matches whole names only, and capital
/// letters are not small ones.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

/// Why a text is no [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad pattern {text:?}: {why}")]
pub struct InvalidPattern {
    text: String,
    why: &'static str,
}

impl Pattern {
    /// Whether it matches `name`, in time linear in the length of the name: each part is searched for where
    /// the one before it was first found, and never anywhere else, since a star takes whatever is between.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, behind)) = rest.split_once(part) else { return false };
            rest = behind;
        }
        rest.ends_with(last)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = [
            (text.is_empty(), "it is empty"),
            (text.trim() != text, "a space at its beginning or end"),
            (text.chars().any(char::is_control), "a control character"),
            (text.len() > LONGEST, "longer than 256 bytes"),
        ];
        match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, why)) => Err(InvalidPattern { text: text.to_owned(), why }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, matches) in [
            ("alice", "alice", true),
            ("alice", "alice2", false),
            ("alice", "malice", false),
            ("alice", "Alice", false),
            ("alice", "", false),
            ("batch-*", "batch-1", true),
            ("batch-*", "batch-", true),
            ("batch-*", "batch", false),
            ("batch-*", "x-batch-1", false),
            ("*@example.com", "alice@example.com", true),
            ("*@example.com", "@example.com", true),
            ("*@example.com", "alice@example.com.evil.org", false),
            ("*@example.com", "alice@notexample.com", false),
            ("*@example.com", "alice@example,com", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*ab*b", "aabb", true),
            ("a*ab*b", "aab", false),
            ("*a*", "bab", true),
            ("*a*", "bb", false),
            ("*.*.*", "a.b", false),
            ("*.*.*", "a.b.c", true),
            ("**", "", true),
            ("*", "", true),
            ("*", "any\nthing", true),
            ("é*", "élan", true),
            ("a.c", "abc", false),
            ("[a-z]", "a", false),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(name), matches, "{pattern} {name:?}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        let long = "a".repeat(257);
        for (text, why) in [
            ("", "empty"),
            (" a", "space"),
            ("a ", "space"),
            ("a\n", "space"),
            ("a\u{7}b", "control"),
            (long.as_str(), "256"),
        ] {
            let error = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!("a".repeat(256).parse::<Pattern>().is_ok());
    }

    /// The definition, in exponential time.
    fn oracle(pattern: &[char], name: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['*', rest @ ..] => (0..=name.len()).any(|taken| oracle(rest, &name[taken..])),
            [c, rest @ ..] => name.first() == Some(c) && oracle(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_the_definition_does(pattern in "[abé*]{1,8}", name in "[abé]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = oracle(&chars(&pattern), &chars(&name));
            prop_assert_eq!(pattern.parse::<Pattern>().unwrap().matches(&name), expected);
        }
    }

    /// Backtracking would take longer than the universe.
    #[test]
    fn no_name_makes_it_slow() {
        let pattern: Pattern = "*a".repeat(127).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(1_000_000).replace("aaaa", "aaab")));
    }
}
