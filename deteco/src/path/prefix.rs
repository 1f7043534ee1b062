//! A path as the configuration writes it.

use std::fmt;
use std::str::FromStr;

/// A path of a service: it, and what is below it. Bytes are compared, so case matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(String);

/// What is wrong with a path of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Nothing
    #[error("a path is not empty; \"/\" is everything")]
    Empty,
    /// Something else than `/` is first
    #[error("a path begins with \"/\"")]
    Relative,
    /// It would never match: paths are compared decoded and without a query
    #[error("a path has no {0:?}: write it decoded, without a query")]
    Character(char),
    /// It would never match: nobody sees the blank
    #[error("a path ends in a blank; remove it")]
    Blank,
    /// It would never match
    #[error("a path has no control characters")]
    Control,
    /// It would never match: nginx resolves them
    #[error("a path has no \"//\", and no segment \".\" or \"..\"")]
    NotNormal,
}

impl Prefix {
    /// As it is compared: canonical, without a trailing slash; `/` is everything.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `/`.
    pub fn is_everything(&self) -> bool {
        self.0 == "/"
    }

    /// Whether `path`, which is normal, is this or below.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.is_everything()
            || path.strip_prefix(self.0.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let Some(inner) = text.strip_prefix('/') else {
            return Err(if text.is_empty() { PrefixError::Empty } else { PrefixError::Relative });
        };
        if let Some(wrong) = text.chars().find(|c| matches!(c, '%' | '?' | '#' | ';' | '\\')) {
            return Err(PrefixError::Character(wrong));
        }
        if text.chars().any(char::is_control) {
            return Err(PrefixError::Control);
        }
        if text.ends_with(char::is_whitespace) {
            return Err(PrefixError::Blank);
        }
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let is_odd = |segment: &str| matches!(segment, "" | "." | "..");
        if !inner.is_empty() && inner.split('/').any(is_odd) || text == "//" {
            return Err(PrefixError::NotNormal);
        }
        Ok(Prefix(format!("/{inner}")))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_canonical_or_refused() {
        use PrefixError::*;
        let rows = [
            ("/", Ok("/")),
            ("/path1", Ok("/path1")),
            ("/path1/", Ok("/path1")),
            ("/a/b.c/..d", Ok("/a/b.c/..d")),
            ("/a b/ä", Ok("/a b/ä")),
            ("", Err(Empty)),
            ("path1", Err(Relative)),
            (" /path1", Err(Relative)),
            ("/a%20b", Err(Character('%'))),
            ("/a?b", Err(Character('?'))),
            ("/a#b", Err(Character('#'))),
            ("/a;b", Err(Character(';'))),
            ("/a\\b", Err(Character('\\'))),
            ("/a\n", Err(Control)),
            ("/a ", Err(Blank)),
            ("//", Err(NotNormal)),
            ("/a//b", Err(NotNormal)),
            ("/a//", Err(NotNormal)),
            ("/./a", Err(NotNormal)),
            ("/a/..", Err(NotNormal)),
        ];
        for (text, expected) in rows {
            let prefix = text.parse::<Prefix>();
            assert_eq!(prefix.as_ref().map(Prefix::as_str), expected.as_ref().map(|t| *t), "{text:?}");
        }
    }

    #[test]
    fn it_covers_itself_and_what_is_below() {
        let rows = [
            ("/a", "/a", true),
            ("/a", "/a/", true),
            ("/a", "/a/b", true),
            ("/a/", "/a", true),
            ("/a", "/ab", false),
            ("/a", "/A", false),
            ("/a", "/", false),
            ("/a", "", false),
            ("/a/b", "/a", false),
            ("/a/b", "/a//b", false),
            ("/", "/", true),
            ("/", "/anything", true),
        ];
        for (prefix, path, expected) in rows {
            let prefix: Prefix = prefix.parse().unwrap();
            assert_eq!(prefix.covers(path.as_bytes()), expected, "{prefix} {path}");
        }
    }
}
