//! Asking a daemon, from a process that lives for milliseconds: blocking sockets, HTTP/1.0, one deadline.
//!
//! Each daemon is asked in a thread of its own, which is given up at the deadline: a name that is looked up and
//! a unix socket whose backlog is full can be waited for in no other way.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use daemon::listen::{Host, ListenAddr};

/// A longer answer is none: a thousand of each list in a document, of addresses as long as they come, are less.
const LONGEST: u64 = 8 * 1024 * 1024;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) code: u16,
    pub(crate) body: String,
}

/// Why nothing came back.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody listens there.
    Nobody(io::Error),
    /// Not all of it came in time.
    Late(Duration),
    /// It cannot be asked from here, somebody else listens there, or something broke on the way.
    Other(String),
}

impl Failure {
    /// Why it could not be connected to. Whoever may not connect does not know whether somebody listens.
    fn to_connect(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Failure::Nobody(error),
            io::ErrorKind::PermissionDenied => {
                Failure::Other(format!("{error}: put the agent's user into the socket's group"))
            }
            _ => Failure::Other(format!("it cannot be asked: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Nobody(error) => {
                write!(f, "nobody answers ({error}): is it running with --status-listen?")
            }
            Failure::Late(timeout) => write!(f, "no answer in {} s", timeout.as_secs_f64()),
            Failure::Other(what) => f.write_str(what),
        }
    }
}

/// An answer that is on its way.
pub(crate) struct Asked {
    timeout: Duration,
    until: Instant,
    answer: Receiver<Result<Reply, Failure>>,
}

/// Asks for `path` at `address`; the whole exchange may take `timeout`.
pub(crate) fn ask(address: &ListenAddr, path: &str, timeout: Duration) -> Asked {
    let until = Instant::now() + timeout;
    let (sender, answer) = channel();
    let (address, path) = (address.clone(), path.to_owned());
    thread::spawn(move || {
        // Nobody hears it after the deadline.
        let _ = sender.send(exchange(&address, &path, Clock { timeout, until }));
    });
    Asked { timeout, until, answer }
}

impl Asked {
    /// Waits for it.
    ///
    /// # Errors
    /// [`Failure`], at the deadline at the latest.
    pub(crate) fn reply(self) -> Result<Reply, Failure> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.answer.recv_timeout(left).unwrap_or(Err(Failure::Late(self.timeout)))
    }
}

#[derive(Clone, Copy)]
struct Clock {
    timeout: Duration,
    until: Instant,
}

impl Clock {
    /// What is left, never zero, which would mean for ever.
    fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    fn is_over(self) -> bool {
        Instant::now() >= self.until
    }

    fn broken(self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Late(self.timeout),
            _ => Failure::Other(format!("the answer broke off: {error}")),
        }
    }
}

fn exchange(address: &ListenAddr, path: &str, clock: Clock) -> Result<Reply, Failure> {
    match address {
        ListenAddr::Unix(socket) => {
            let stream = UnixStream::connect(socket).map_err(Failure::to_connect)?;
            let timed = stream.set_write_timeout(Some(clock.left()));
            timed.map_err(|error| clock.broken(&error))?;
            converse(&stream, path, clock, |left| stream.set_read_timeout(Some(left)))
        }
        ListenAddr::Tcp { host, port } => {
            let stream = connect(host, *port, clock)?;
            let timed = stream.set_write_timeout(Some(clock.left()));
            timed.map_err(|error| clock.broken(&error))?;
            converse(&stream, path, clock, |left| stream.set_read_timeout(Some(left)))
        }
    }
}

/// Where somebody answers who listens on `host`.
fn connect(host: &Host, port: u16, clock: Clock) -> Result<TcpStream, Failure> {
    let any = |ip: &IpAddr| ip.is_unspecified();
    let addresses = match host {
        Host::Any => vec![(IpAddr::from(Ipv4Addr::LOCALHOST), port).into()],
        Host::Ip(ip) if any(ip) => vec![(IpAddr::from(Ipv4Addr::LOCALHOST), port).into()],
        Host::Ip(ip) => vec![(*ip, port).into()],
        Host::Name(name) => {
            let found = (name.as_str(), port).to_socket_addrs();
            found.map_err(|error| Failure::Other(format!("the name cannot be looked up: {error}")))?.collect()
        }
    };
    let mut last = Failure::Other("the name has no address".to_owned());
    for address in addresses {
        match TcpStream::connect_timeout(&address, clock.left()) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Failure::Late(clock.timeout));
            }
            Err(error) => last = Failure::to_connect(error),
        }
    }
    Err(last)
}

/// HTTP/1.0, so that the answer is not chunked and ends with the connection; without Host, which is not needed
/// then.
fn converse<S>(
    mut stream: S,
    path: &str,
    clock: Clock,
    wait: impl Fn(Duration) -> io::Result<()>,
) -> Result<Reply, Failure>
where
    S: Read + Write,
{
    let broken = |error: io::Error| clock.broken(&error);
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).map_err(broken)?;
    let mut answer = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    loop {
        if clock.is_over() {
            return Err(Failure::Late(clock.timeout));
        }
        wait(clock.left()).map_err(broken)?;
        match stream.read(&mut piece) {
            Ok(0) => return reply(&answer),
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
        if answer.len() as u64 > LONGEST {
            return Err(Failure::Other("the answer is longer than 8 MiB".to_owned()));
        }
    }
}

fn reply(answer: &[u8]) -> Result<Reply, Failure> {
    let other = || Failure::Other("whoever answers there is none of these programs".to_owned());
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(other)?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let line = head.lines().next().filter(|line| line.starts_with("HTTP/1.")).ok_or_else(other)?;
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(other)?;
    let body = String::from_utf8(answer[end + 4..].to_vec()).map_err(|_| other())?;
    let length = head.lines().find_map(content_length);
    if length.is_some_and(|length| length != body.len()) {
        return Err(Failure::Other("the answer broke off".to_owned()));
    }
    Ok(Reply { code, body })
}

fn content_length(line: &str) -> Option<usize> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
