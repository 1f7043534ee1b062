//! The real nginx, asked how it normalises a path: it answers with `$request_uri` and `$uri`, to the byte.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;

use crate::http::line;
use crate::nginx::{LISTEN, Nginx};
use crate::port;
use crate::programs::{connect, reset};

/// Requests that are sent before the first answer is read: few enough that their answers fit into buffers.
const PIPELINED: usize = 32;

/// A running nginx with two servers that differ in `merge_slashes`.
#[derive(Debug)]
pub struct UriEcho {
    /// With `merge_slashes on`, its default.
    pub merging: SocketAddr,
    /// With `merge_slashes off`.
    pub keeping: SocketAddr,
    _nginx: Nginx,
}

/// What nginx served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// `$request_uri`: what `X-Original-URI` would have been.
    pub request_uri: Vec<u8>,
    /// `$uri`: what a location is chosen by.
    pub uri: Vec<u8>,
}

impl UriEcho {
    /// Starts it on free ports.
    pub fn start() -> UriEcho {
        let keeping = SocketAddr::from(([127, 0, 0, 1], port::free()));
        // The text of `return` goes out as it is: whatever bytes the variables hold, and Content-Length counts them.
        let server = |address: &str, merge: &str| {
            format!(
                "server {{ listen {address}; merge_slashes {merge}; return 200 \"$request_uri $uri\"; }}\n"
            )
        };
        let both = server(LISTEN, "on") + &server(&keeping.to_string(), "off");
        let limits = "keepalive_requests 1000000;\nlarge_client_header_buffers 8 32k;\n";
        let nginx = Nginx::start(&format!("{limits}{both}"));
        UriEcho { merging: nginx.address, keeping, _nginx: nginx }
    }
}

/// What nginx makes of each request target; `None`: it refused. No target may have a space, a carriage return or
/// a line feed: each ends the target, and with it the request as it was meant.
///
/// # Panics
/// When nginx does not answer, or answers with anything but 200 and 400.
pub fn ask_all(address: SocketAddr, targets: &[Vec<u8>]) -> Vec<Option<Served>> {
    let mut answers = Vec::with_capacity(targets.len());
    let mut stream = connect(address);
    while answers.len() < targets.len() {
        let batch = &targets[answers.len()..targets.len().min(answers.len() + PIPELINED)];
        let mut requests = Vec::new();
        for target in batch {
            requests.extend([b"GET ", target.as_slice(), b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
        }
        stream.write_all(&requests).expect("requests can be sent");
        let mut reader = BufReader::new(&stream);
        for target in batch {
            let answer = read(&mut reader)
                .unwrap_or_else(|error| panic!("no answer to {:?}: {error}", target.escape_ascii()));
            let refused = answer.is_none();
            answers.push(answer);
            if refused {
                // It closes, and has not read what follows: the next connection begins after this target.
                reset(std::mem::replace(&mut stream, connect(address)));
                break;
            }
        }
    }
    answers
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Served>> {
    let status = line(reader)?;
    let mut length = 0;
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("Content-Length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    match status.split(' ').nth(1) {
        Some("400") => Ok(None),
        Some("200") => Ok(Some(Served::of(&body)?)),
        _ => Err(io::Error::other(status)),
    }
}

impl Served {
    /// `$request_uri` has no space, so that the first one ends it.
    fn of(body: &[u8]) -> io::Result<Served> {
        let space = body.iter().position(|byte| *byte == b' ').ok_or(io::ErrorKind::InvalidData)?;
        Ok(Served { request_uri: body[..space].to_vec(), uri: body[space + 1..].to_vec() })
    }
}
