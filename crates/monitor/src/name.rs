//! Names that Mackerel takes: `[-a-zA-Z0-9_.]+` without an empty part.
//!
//! One invalid name makes the server refuse the whole batch, and the agent then holds back every metric of the
//! host; so a [`Part`] is the only thing that names are put together from.

use std::fmt;

/// A longer part is cut, in characters.
const LONGEST: usize = 64;

/// What stands between two dots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part(String);

impl Part {
    /// Any text: what a name cannot have becomes `_`, and so does nothing at all.
    pub(crate) fn of(text: &str) -> Self {
        let allowed = |c: char| if Self::has(c) { c } else { '_' };
        let part: String = text.chars().map(allowed).take(LONGEST).collect();
        Self(if part.is_empty() { "_".to_owned() } else { part })
    }

    /// Whether the text is a part as it is.
    pub(crate) fn is(text: &str) -> bool {
        Self::of(text).0 == text
    }

    fn has(c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '-' || c == '_'
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_text_becomes_a_part() {
        for (text, part) in [
            ("", "_"),
            ("a.b/c d", "a_b_c_d"),
            ("ünï", "_n_"),
            ("db-1_x", "db-1_x"),
            ("\n\t", "__"),
            ("*#", "__"),
        ] {
            assert_eq!(Part::of(text).to_string(), part);
        }
        assert_eq!(Part::of(&"x".repeat(70)).to_string().len(), 64);
        assert!(Part::is("db-1") && !Part::is("") && !Part::is("a.b"));
    }

    proptest! {
        #[test]
        fn every_part_obeys_the_rule(text: String) {
            let part = Part::of(&text).to_string();
            prop_assert!((1..=64).contains(&part.len()));
            prop_assert!(part.chars().all(Part::has));
            prop_assert_eq!(Part::of(&part).to_string(), part);
        }
    }
}
