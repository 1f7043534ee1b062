//! Names and the backends behind them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use relay::Address;

/// The map: which backend a name in `/proxy/{name}` stands for.
///
/// A file has a line `name,host:port`, `name,:port` (this host) or `name,unix:/path` a destination.
/// Spaces around the fields and blank lines do not matter; a line that begins with `#` is a comment.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    by_name: HashMap<String, Address>,
}

impl Destinations {
    /// Reads a map file.
    ///
    /// # Errors
    /// Names the file, the line and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("--map {}", path.display()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads the text of a map file called `file`.
    fn parse(text: &str, file: &str) -> Result<Self> {
        let mut map = Self::default();
        let mut lines = HashMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, address) = entry(line).with_context(|| format!("{file}:{number}"))?;
            let first = *lines.entry(name.clone()).or_insert(number);
            match map.by_name.get(&name) {
                None => map.insert(name, address),
                Some(same) if *same == address => {
                    tracing::warn!("{file}:{number}: the same as line {first}");
                }
                Some(_) => bail!("{file}:{number}: {name:?} is already in line {first}; rename one of them"),
            }
        }
        Ok(map)
    }

    /// Adds a destination, or replaces it.
    pub fn insert(&mut self, name: String, address: Address) {
        self.by_name.insert(name, address);
    }

    /// The backend of a name.
    pub fn get(&self, name: &str) -> Option<&Address> {
        self.by_name.get(name)
    }

    /// The names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

fn entry(line: &str) -> Result<(String, Address)> {
    let Some((name, address)) = line.split_once(',') else {
        bail!("no comma; a line is name,host:port");
    };
    let name = name.trim();
    if name.is_empty() {
        bail!("no name before the comma");
    }
    if name.chars().any(char::is_control) {
        bail!("the name has a control character");
    }
    Ok((name.to_owned(), address.trim().parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_original_did_and_more_kindly() {
        let text = "# comment\n  # indented\n\nmysql,127.0.0.1:3306\n ssh , db.example.com:22 \r\n\
                    local,:80\nsock,unix:/run/x.sock\nv6,[::1]:22\nmysql,127.0.0.1:3306\nname#1,h:1\n";
        let map = Destinations::parse(text, "map.txt").unwrap();
        for (name, address) in [
            ("mysql", "127.0.0.1:3306"),
            ("ssh", "db.example.com:22"),
            ("local", "localhost:80"),
            ("sock", "unix:/run/x.sock"),
            ("v6", "[::1]:22"),
            ("name#1", "h:1"),
        ] {
            assert_eq!(map.get(name).unwrap().to_string(), address);
        }
        assert!(map.get("# comment").is_none());
    }

    #[test]
    fn errors_name_file_line_and_fix() {
        for (text, says) in [
            ("mysql", "map.txt:1: no comma; a line is name,host:port"),
            ("\n\nmysql,127.0.0.1", "map.txt:3: bad address \"127.0.0.1\": no port"),
            (",h:1", "map.txt:1: no name"),
            ("a,h:1\nb,h:2\na,h:3", "map.txt:3: \"a\" is already in line 1; rename one of them"),
            ("a,h:99999", "map.txt:1: bad address"),
            ("a\u{7}b,h:1", "map.txt:1: the name has a control character"),
        ] {
            let error = format!("{:#}", Destinations::parse(text, "map.txt").expect_err(text));
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }
}
