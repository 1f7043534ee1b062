//! Values of flags that become words of nginx's configuration.

use std::fmt;
use std::str::FromStr;

/// Text that stands in nginx's configuration as it is, without quotation marks: nothing in it ends a word,
/// begins a variable or a comment, or escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(String);

/// Why a text is no [`Word`], or not the one that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWord {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// A byte that means something to nginx, or that no URI has.
    #[error("only letters, digits and - . _ ~ : / @ ! + , = & % [ ] can stand here")]
    Character,
    /// A location that is no path.
    #[error("a location begins with /")]
    NoSlash,
    /// A location that nginx never chooses.
    #[error("nginx compares the path decoded and normal: with %, //, . or .. in it this would guard nothing")]
    Unreachable,
    /// An endpoint that deteco keeps for itself.
    #[error("deteco answers / , /live and /ready itself; give another one")]
    Taken,
    /// Another scheme, or none.
    #[error("write http://host:port, https://host or http://unix:/path")]
    Scheme,
    /// With a path, nginx would send another URI to the application than deteco was asked about.
    #[error("without a path: with one, nginx replaces the location's, and deteco decides on another path")]
    Path,
}

impl FromStr for Word {
    type Err = InvalidWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@!+,=&%[]".contains(&byte);
        match text {
            "" => Err(InvalidWord::Empty),
            _ if text.bytes().all(is_plain) => Ok(Self(text.to_owned())),
            _ => Err(InvalidWord::Character),
        }
    }
}

impl Word {
    /// deteco's endpoint, without the slash before it.
    ///
    /// # Errors
    /// [`InvalidWord`].
    pub fn endpoint(text: &str) -> Result<Self, InvalidWord> {
        match text.strip_prefix('/').unwrap_or(text) {
            "" | "live" | "ready" => Err(InvalidWord::Taken),
            endpoint => endpoint.parse(),
        }
    }

    /// The path of a location.
    ///
    /// # Errors
    /// [`InvalidWord`].
    pub fn location(text: &str) -> Result<Self, InvalidWord> {
        if !text.starts_with('/') {
            return Err(InvalidWord::NoSlash);
        }
        let word = text.parse()?;
        if text.parse::<crate::Prefix>().is_ok() { Ok(word) } else { Err(InvalidWord::Unreachable) }
    }

    /// What `proxy_pass` names.
    ///
    /// # Errors
    /// [`InvalidWord`].
    pub fn app(text: &str) -> Result<Self, InvalidWord> {
        let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        match rest.ok_or(InvalidWord::Scheme)? {
            "" => Err(InvalidWord::Scheme),
            rest if rest.contains('/') && !rest.starts_with("unix:/") => Err(InvalidWord::Path),
            _ => text.parse(),
        }
    }

    /// The name of a scope.
    ///
    /// # Errors
    /// [`InvalidWord`].
    pub fn scope(text: &str) -> Result<Self, InvalidWord> {
        text.parse()
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parser = fn(&str) -> Result<Word, InvalidWord>;

    #[test]
    fn each_value_is_what_its_place_takes() {
        let (endpoint, location, app, scope): (Parser, Parser, Parser, Parser) =
            (Word::endpoint, Word::location, Word::app, Word::scope);
        let table = [
            (endpoint, "auth", Ok("auth")),
            (endpoint, "/a/b", Ok("a/b")),
            (endpoint, "/", Err(InvalidWord::Taken)),
            (endpoint, "live", Err(InvalidWord::Taken)),
            (location, "/api/v1", Ok("/api/v1")),
            (location, "api", Err(InvalidWord::NoSlash)),
            (location, "/a {", Err(InvalidWord::Character)),
            (location, "/a;b", Err(InvalidWord::Character)),
            (app, "http://127.0.0.1:8000", Ok("http://127.0.0.1:8000")),
            (app, "http://unix:/run/app.sock", Ok("http://unix:/run/app.sock")),
            (app, "https://[::1]:8443", Ok("https://[::1]:8443")),
            (app, "http://app/", Err(InvalidWord::Path)),
            (app, "app:8000", Err(InvalidWord::Scheme)),
            (app, "http://", Err(InvalidWord::Scheme)),
            (app, "http://$host", Err(InvalidWord::Character)),
            (scope, "reports:read", Ok("reports:read")),
            (scope, "", Err(InvalidWord::Empty)),
            (scope, "a\"b", Err(InvalidWord::Character)),
            (scope, "a\\b", Err(InvalidWord::Character)),
            (scope, "a#b", Err(InvalidWord::Character)),
        ];
        for (parse, text, expected) in table {
            assert_eq!(parse(text), expected.map(|word| Word(word.to_owned())), "{text}");
        }
    }
}
