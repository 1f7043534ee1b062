//! The path that nginx asks.

use std::fmt;
use std::str::FromStr;

/// The path of `--auth-endpoint`, compared byte for byte with that of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthPath(String);

/// Why a text is no [`AuthPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthPath {
    /// Nothing, or a slash alone.
    #[error("it is empty; write auth, or another path that is not served here")]
    Empty,
    /// A path that says how the process is.
    #[error("/live and /ready say how the process is; write auth, or another path")]
    Taken,
    /// Two slashes in a row.
    #[error("it has an empty segment; write a single slash")]
    EmptySegment,
    /// A segment that clients resolve before they send a path.
    #[error("it has a segment `.` or `..`")]
    Dots,
    /// A byte that a path cannot have as it is (RFC 3986 section 3.3), or an escaped one.
    #[error("it has a byte other than letters, digits, / and -._~!$&'()*+,;=:@")]
    Byte,
}

impl AuthPath {
    /// With the slash before it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuthPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AuthPath {
    type Err = InvalidAuthPath;

    fn from_str(text: &str) -> Result<Self, InvalidAuthPath> {
        let path = text.strip_prefix('/').unwrap_or(text);
        let in_a_path = |b: u8| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&b);
        match path {
            "" => Err(InvalidAuthPath::Empty),
            "live" | "ready" => Err(InvalidAuthPath::Taken),
            _ if path.starts_with('/') || path.contains("//") => Err(InvalidAuthPath::EmptySegment),
            _ if path.split('/').any(|segment| [".", ".."].contains(&segment)) => Err(InvalidAuthPath::Dots),
            _ if !path.bytes().all(in_a_path) => Err(InvalidAuthPath::Byte),
            _ => Ok(Self(format!("/{path}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_be_written_with_and_without_its_slash() {
        for (text, path) in [
            ("auth", "/auth"),
            ("/auth", "/auth"),
            ("a/b/c", "/a/b/c"),
            ("/a/b/", "/a/b/"),
            ("live/x", "/live/x"),
            ("_auth", "/_auth"),
            ("a:b;c", "/a:b;c"),
        ] {
            assert_eq!(text.parse::<AuthPath>().map(|path| path.to_string()).as_deref(), Ok(path), "{text}");
        }
    }

    #[test]
    fn what_no_request_could_ask_for_is_refused() {
        use InvalidAuthPath::*;
        for (text, why) in [
            ("", Empty),
            ("/", Empty),
            ("live", Taken),
            ("/live", Taken),
            ("/ready", Taken),
            ("//auth", EmptySegment),
            ("a//b", EmptySegment),
            ("a/../b", Dots),
            ("./a", Dots),
            ("a?b", Byte),
            ("a#b", Byte),
            ("a%20b", Byte),
            ("a b", Byte),
            ("ä", Byte),
        ] {
            assert_eq!(text.parse::<AuthPath>(), Err(why), "{text}");
        }
    }
}
