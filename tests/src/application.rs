//! The application behind nginx: it answers with the request head that it got, and remembers the targets.

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::destination::Destination;
use crate::fake_gateway::header_of;
use crate::http::{Response, line};

/// A web server with keep-alive. Its answers are 200, and the body is the request's head as it came.
#[derive(Debug)]
pub struct Application {
    listener: Destination,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Application {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start() -> Application {
        let targets = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&targets);
        let listener = Destination::serving(move |stream| {
            let mut reader = BufReader::new(&stream);
            while let Some(head) = head(&mut reader) {
                let target = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
                ours.lock().unwrap_or_else(PoisonError::into_inner).push(target);
                if answer(&stream, &head).is_err() {
                    return;
                }
            }
        });
        Application { listener, targets }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// The request targets so far.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those of them that some application might take for something below `prefix`.
    pub fn reached(&self, prefix: &str) -> Vec<String> {
        let mut targets = self.targets();
        targets.retain(|target| readings(target).iter().any(|path| path.starts_with(prefix)));
        targets
    }
}

/// The values of a header in the head that the application got, which is the answer's body.
pub fn received(answer: &Response, name: &str) -> Vec<String> {
    let lines = answer.body.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()).collect()
}

/// A head, and the body behind it read and dropped.
fn head(reader: &mut BufReader<&TcpStream>) -> Option<Vec<String>> {
    let mut head = Vec::new();
    loop {
        match line(reader).ok()? {
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let length = header_of(&head, "Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    (!head.is_empty()).then_some(head)
}

fn answer(mut stream: &TcpStream, head: &[String]) -> std::io::Result<()> {
    let body = head.join("\n");
    let shown = if head[0].starts_with("HEAD ") { "" } else { &body };
    stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{shown}", body.len()).as_bytes())
}

/// Every way in which a careless program could read a target's path: decoded so many times, with the
/// backslash as a slash or not, with parameters cut off or not, up to a NUL or not, and dots resolved.
fn readings(target: &str) -> BTreeSet<String> {
    let mut path = target.split('?').next().unwrap_or_default().to_owned();
    let mut readings = BTreeSet::new();
    for _ in 0..4 {
        for slashes in [path.clone(), path.replace('\\', "/")] {
            for parameters in [slashes.clone(), without_parameters(&slashes)] {
                for end in ['\0', '?', '#'] {
                    readings.insert(resolved(&parameters));
                    readings.insert(resolved(parameters.split(end).next().unwrap_or_default()));
                }
            }
        }
        path = decoded(&path);
    }
    readings
}

fn without_parameters(path: &str) -> String {
    let segments: Vec<&str> =
        path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    segments.join("/")
}

fn resolved(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let value =
            after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match value {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
