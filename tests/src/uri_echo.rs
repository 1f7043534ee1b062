//! The real nginx, asked how it normalises a path: it answers with `$request_uri` and `$uri`, to the byte.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::eventually::eventually;
use crate::http::line;
use crate::port;
use crate::process::Process;
use crate::programs::{connect, needed, reset};
use crate::scratch::Scratch;

/// Requests that are sent before the first answer is read: few enough that their answers fit into buffers.
const PIPELINED: usize = 32;

/// A running nginx with two servers that differ in `merge_slashes`.
#[derive(Debug)]
pub struct UriEcho {
    /// With `merge_slashes on`, its default.
    pub merging: SocketAddr,
    /// With `merge_slashes off`.
    pub keeping: SocketAddr,
    _process: Process,
    _scratch: Scratch,
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
        let scratch = Scratch::new();
        let dir = scratch.path().display();
        let servers = [("on", port::free()), ("off", port::free())];
        // The text of `return` goes out as it is: whatever bytes the variables hold, and Content-Length counts them.
        let server = |(merge, port): (&str, u16)| {
            format!(
                "    server {{ listen 127.0.0.1:{port}; merge_slashes {merge}; return 200 \"$request_uri $uri\"; }}\n"
            )
        };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("    {kind}_temp_path {dir}/{kind};\n"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log /dev/null;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    large_client_header_buffers 8 32k;
{temporary}{}}}
",
            servers.map(server).concat()
        );
        let file = scratch.write("nginx.conf", config);
        let mut command = Command::new(needed("nginx", "nginx-light"));
        command.args(["-e", "stderr", "-p"]).arg(scratch.path()).args(["-c", &file]);
        let mut process = Process::spawn("nginx", &mut command);
        let [merging, keeping] = servers.map(|(_, port)| SocketAddr::from(([127, 0, 0, 1], port)));
        for address in [merging, keeping] {
            eventually("nginx listens", || {
                if let Some(status) = process.exited() {
                    panic!("nginx ended at start with {status}:\n{}", process.stderr());
                }
                TcpStream::connect(address).ok()
            });
        }
        UriEcho { merging, keeping, _process: process, _scratch: scratch }
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
