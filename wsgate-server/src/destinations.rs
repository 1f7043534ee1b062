//! Names and the services behind them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use relay::Address;
use relay::proxy::Version;

use crate::file;

/// A private service.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Where it is.
    pub address: Address,
    /// Tunnels to it at once; `None`: as many as there may be at all.
    pub max_connections: Option<usize>,
    /// Tunnels of one user to it at once; `None`: no bound of its own.
    pub max_connections_per_user: Option<usize>,
    /// How long a tunnel to it is kept without a WebSocket; zero: not at all; `None`: `--resume-grace`.
    pub grace: Option<Duration>,
    /// It is told in a PROXY header who is connecting; `None`: it is not.
    pub proxy_protocol: Option<Version>,
    /// Where it is written, as `file:line`.
    place: String,
}

impl Destination {
    fn plain(address: Address, place: String) -> Self {
        Self {
            address,
            max_connections: None,
            max_connections_per_user: None,
            grace: None,
            proxy_protocol: None,
            place,
        }
    }
}

/// Which service a name in `/proxy/{name}` stands for.
///
/// A file has a line `name,host:port`, `name,:port` (this host) or `name,unix:/path` a destination.
/// Spaces around the fields and blank lines do not matter; a line that begins with `#` is a comment.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    by_name: HashMap<String, Destination>,
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
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("{file}:{number}");
            let (name, address) = entry(line).with_context(|| place.clone())?;
            match map.by_name.get(&name) {
                Some(same) if same.address == address => {
                    tracing::warn!("{place}: the same as {}", same.place);
                }
                _ => map.add(name, Destination::plain(address, place))?,
            }
        }
        Ok(map)
    }

    /// Adds those of the configuration file at `path`.
    ///
    /// # Errors
    /// If a name is there already; names both places.
    pub fn extend(&mut self, tables: &[file::Destination], path: &Path) -> Result<()> {
        for table in tables {
            let destination = Destination {
                address: table.upstream.clone(),
                max_connections: table.max_connections,
                max_connections_per_user: table.max_connections_per_user,
                grace: table.grace.map(|grace| grace.0),
                proxy_protocol: table.proxy_protocol,
                place: format!("{}:{}", path.display(), table.line),
            };
            self.add(table.name.clone(), destination)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String, destination: Destination) -> Result<()> {
        if let Some(first) = self.by_name.get(&name) {
            bail!("{}: {name:?} is already in {}; rename one of them", destination.place, first.place);
        }
        self.by_name.insert(name, destination);
        Ok(())
    }

    /// Adds a built-in one, or replaces what has its name.
    pub fn build_in(&mut self, name: String, address: Address) {
        self.by_name.insert(name, Destination::plain(address, "built in".to_owned()));
    }

    /// The service of a name.
    pub fn get(&self, name: &str) -> Option<&Destination> {
        self.by_name.get(name)
    }

    /// The names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
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
            assert_eq!(map.get(name).unwrap().address.to_string(), address);
        }
        assert!(map.get("# comment").is_none());
    }

    #[test]
    fn errors_name_file_line_and_fix() {
        for (text, says) in [
            ("mysql", "map.txt:1: no comma; a line is name,host:port"),
            ("\n\nmysql,127.0.0.1", "map.txt:3: bad address \"127.0.0.1\": no port"),
            (",h:1", "map.txt:1: no name"),
            ("a,h:1\nb,h:2\na,h:3", "map.txt:3: \"a\" is already in map.txt:1; rename one of them"),
            ("a,h:99999", "map.txt:1: bad address"),
            ("a\u{7}b,h:1", "map.txt:1: the name has a control character"),
        ] {
            let error = format!("{:#}", Destinations::parse(text, "map.txt").expect_err(text));
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn map_and_file_add_up_and_a_name_in_both_is_refused_with_both_places() {
        let toml =
            "max_connections = 7\n[[destination]]\nname = 'ssh'\nupstream = 'h:22'\nmax_connections = 5\n";
        let tables = file::File::parse(toml, Path::new("/etc/w.toml")).unwrap().destinations;
        let mut map = Destinations::parse("mysql,h:3306", "map.txt").unwrap();
        map.extend(&tables, Path::new("/etc/w.toml")).unwrap();
        assert_eq!(map.get("ssh").unwrap().max_connections, Some(5));
        assert!(map.get("mysql").is_some());
        let mut map = Destinations::parse("#\nssh,h:22", "map.txt").unwrap();
        let error = map.extend(&tables, Path::new("/etc/w.toml")).unwrap_err().to_string();
        assert_eq!(error, "/etc/w.toml:3: \"ssh\" is already in map.txt:2; rename one of them");
    }
}
