//! The map file: `listen,url` a line.
//!
//! ```text
//! # a comment; only at the start of a line
//! 127.0.0.1:3306,https://gw.example.com/proxy/mysql
//! unix:/run/me/ssh.sock , http://10.0.0.1:8086/proxy/ssh
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use daemon::listen::ListenAddr;

use crate::endpoint::Endpoint;

/// A map file, parsed.
#[derive(Debug)]
pub struct Map {
    /// The file, for errors.
    pub path: PathBuf,
    /// At least one.
    pub lines: Vec<Line>,
}

/// A line of a map: where to listen, and where its connections go.
#[derive(Debug)]
pub struct Line {
    /// The line's number, from 1.
    pub number: usize,
    /// Where to listen.
    pub listen: ListenAddr,
    /// Where its connections go.
    pub gateway: Endpoint,
}

impl Map {
    /// Reads the file.
    ///
    /// # Errors
    /// The file cannot be read, or `file:line`, what is wrong with it and the fix.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("--map {}", path.display()))?;
        Self::parse(path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut map = Self { path: path.to_owned(), lines: Vec::new() };
        for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let read = map.read(number, line);
            map.lines.extend(read.with_context(|| map.place(number))?);
        }
        if map.lines.is_empty() {
            bail!("{}: no forwards in it; write a line listen,url", path.display());
        }
        Ok(map)
    }

    /// `file:line`.
    pub(crate) fn place(&self, number: usize) -> String {
        format!("{}:{number}", self.path.display())
    }

    /// None for a line that says nothing.
    fn read(&self, number: usize, line: &[u8]) -> Result<Option<Line>> {
        let line = std::str::from_utf8(line).context("not UTF-8; save the file as UTF-8")?;
        let line = line.trim_start_matches('\u{feff}').trim(); // some editors begin a file with this mark
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let (listen, url) = line.split_once(',').context("no comma; write listen,url")?;
        let (listen, gateway) = (listen.trim().parse()?, url.trim().parse()?);
        match self.lines.iter().find(|earlier| earlier.listen == listen && !chooses_port(&listen)) {
            Some(earlier) => bail!("{listen} is listened on by line {} already; remove one", earlier.number),
            None => Ok(Some(Line { number, listen, gateway })),
        }
    }
}

/// Port 0 is another port each time.
fn chooses_port(listen: &ListenAddr) -> bool {
    matches!(listen, ListenAddr::Tcp { port: 0, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Map> {
        Map::parse(Path::new("map.txt"), text)
    }

    #[test]
    fn lines_are_read_with_their_numbers() {
        let text = "\u{feff}# forwards\r\n\r\n 127.0.0.1:3306 , https://gw/proxy/mysql \r\n\
                    \t# ssh\n:22,ws://gw:8086/proxy/ssh,x\nunix:/run/x.sock,http://gw/\n";
        let map = parse(text.as_bytes()).unwrap();
        let lines: Vec<_> =
            map.lines.iter().map(|l| (l.number, l.listen.to_string(), l.gateway.to_string())).collect();
        let line = |n, listen: &str, url: &str| (n, listen.to_owned(), url.to_owned());
        assert_eq!(
            lines,
            [
                line(3, "127.0.0.1:3306", "https://gw/proxy/mysql"),
                line(5, ":22", "http://gw:8086/proxy/ssh,x"),
                line(6, "unix:/run/x.sock", "http://gw/"),
            ]
        );
    }

    #[test]
    fn the_same_chosen_port_is_no_duplicate() {
        assert_eq!(parse(b"127.0.0.1:0,http://a\n127.0.0.1:0,http://a").unwrap().lines.len(), 2);
    }

    #[test]
    fn a_bad_line_is_an_error_with_its_place_and_the_fix() {
        for (text, says) in [
            (&b"\n\nnonsense\n"[..], "map.txt:3: no comma; write listen,url"),
            (b"3306,http://gw/", "map.txt:1: bad address \"3306\": missing port, write host:port or :port"),
            (b"#\n:1,gw", "map.txt:2: the URL's scheme is none of"),
            (b":1,http://gw/ # not a comment", "map.txt:1: the URL has a fragment"),
            (b":1,http://a:sesame@gw/", "map.txt:1: the URL has a user"),
            (b":1,http://gw/\n :1 ,http://gw/", "map.txt:2: :1 is listened on by line 1 already"),
            (b"[::1]:1,http://gw/\n[0::1]:1,http://gw/", "map.txt:2: [::1]:1 is listened on by line 1"),
            (b":1,http://gw/\n\xff", "map.txt:2: not UTF-8"),
            (b"# nothing\n", "map.txt: no forwards in it"),
            (b"", "map.txt: no forwards in it"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.starts_with(says), "{error}");
            assert!(!error.contains("sesame"));
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = format!("{:#}", Map::load(Path::new("/nonexistent/map")).unwrap_err());
        assert!(error.starts_with("--map /nonexistent/map: No such file"), "{error}");
    }
}
