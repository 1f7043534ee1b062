//! Sockets inherited from who started us, so that a restart refuses nobody.
//!
//! start_server (Server::Starter) announces `SERVER_STARTER_PORT=KEY=FD;KEY=FD…`, where KEY is a port,
//! `HOST:PORT`, `[v6]:PORT` or the path of a unix socket; the descriptors are in no order. systemd announces
//! `LISTEN_PID`, `LISTEN_FDS` and perhaps `LISTEN_FDNAMES=name:name…`, with descriptors from 3 on
//! (sd_listen_fds(3)). What a KEY says is only a name here: address and type come from the socket.

mod announced;
mod descriptor;

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use crate::listen::{Listener, UnixListener};
use announced::Announced;
use descriptor::Family;

/// One inherited socket.
#[derive(Debug)]
pub struct Inherited {
    /// The socket, ready to accept.
    pub listener: Listener,
    /// start_server's KEY, or the name from `LISTEN_FDNAMES`.
    pub name: Option<String>,
}

/// Why the inherited sockets cannot be used. None of them is touched then.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// The variable is not of its format.
    #[error("{variable} is malformed at {entry:?}: {why}")]
    Malformed {
        /// `SERVER_STARTER_PORT`, `LISTEN_PID`, `LISTEN_FDS` or `LISTEN_FDNAMES`.
        variable: &'static str,
        /// The part that is wrong.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The descriptor is no socket that listens, or was announced or taken before.
    #[error("{variable} announces descriptor {fd}, which cannot be used")]
    Descriptor {
        /// The variable it was announced in.
        variable: &'static str,
        /// The descriptor's number.
        fd: RawFd,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// The sockets that this process inherited, from its real environment. See [`sockets`].
///
/// # Errors
/// As [`sockets`].
pub fn from_process() -> Result<Option<Vec<Inherited>>, InheritError> {
    // Lossy, since a variable that is no UTF-8 must not look like one that is not set.
    let env = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    sockets(env, std::process::id())
}

/// The sockets that `env` announces to the process `pid`, all of them; none if nothing was announced.
///
/// They are made non-blocking and close-on-exec. A descriptor is handed out once in the life of a process.
/// Must be called inside a tokio runtime.
///
/// # Errors
/// [`InheritError`], whenever something was announced that cannot be used: falling back to an own socket
/// would leave the announced one with nobody who accepts.
pub fn sockets(
    env: impl Fn(&str) -> Option<String>,
    pid: u32,
) -> Result<Option<Vec<Inherited>>, InheritError> {
    let announced = announced::read(env, pid)?;
    let taken = descriptor::take(&announced)?;
    let usable = |(from, (fd, family)): (Announced, (OwnedFd, Family))| {
        let (variable, number) = (from.variable, from.fd);
        let failed = |source| InheritError::Descriptor { variable, fd: number, source };
        Ok(Inherited { listener: listener(fd, family).map_err(failed)?, name: from.name })
    };
    let inherited: Vec<_> = announced.into_iter().zip(taken).map(usable).collect::<Result<_, _>>()?;
    Ok((!inherited.is_empty()).then_some(inherited))
}

fn listener(fd: OwnedFd, family: Family) -> io::Result<Listener> {
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(match family {
        Family::Inet => Listener::Tcp(tokio::net::TcpListener::from_std(fd.into())?),
        Family::Unix => {
            Listener::Unix(UnixListener::inherited(tokio::net::UnixListener::from_std(fd.into())?))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
    use std::process::{Command, Stdio};

    /// A descriptor to give away. Each test has its own numbers, because one number is taken once only.
    fn duplicate(fd: impl AsFd, number: RawFd) -> RawFd {
        let copy = fcntl_dupfd_cloexec(fd, number).unwrap();
        rustix::io::fcntl_setfd(&copy, FdFlags::empty()).unwrap();
        copy.into_raw_fd()
    }

    fn starter(value: String) -> impl Fn(&str) -> Option<String> {
        move |name| (name == "SERVER_STARTER_PORT").then(|| value.clone())
    }

    #[tokio::test]
    async fn takes_what_start_server_announces() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let path = std::env::temp_dir().join(format!("daemon-inherit-{}", std::process::id()));
        let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (a, b) = (duplicate(&tcp, 400), duplicate(&unix, 410));
        let value = format!("{}={b};0.0.0.0:1={a}", path.display());
        let taken = sockets(starter(value), 1).unwrap().unwrap();
        assert_eq!(taken[0].listener.to_string(), format!("unix:{}", path.display()));
        // From the socket, not from the KEY.
        assert_eq!(taken[1].listener.tcp_addr().unwrap(), Some(tcp.local_addr().unwrap()));
        assert_eq!(taken[1].name.as_deref(), Some("0.0.0.0:1"));
        let Listener::Tcp(socket) = &taken[1].listener else { panic!("TCP") };
        assert_eq!(socket.as_raw_fd(), a);
        assert!(fcntl_getfd(socket).unwrap().contains(FdFlags::CLOEXEC));
        let _client = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        socket.accept().await.unwrap();
        drop(taken);
        assert!(path.exists(), "the file is not ours");
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn refuses_what_does_not_listen() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = duplicate(&tcp, 500);
        let table = [
            (duplicate(&stream, 510), "does not listen"),
            (duplicate(&datagram, 520), "not a stream socket"),
            (duplicate(std::fs::File::open("/dev/null").unwrap(), 530), "not a socket"),
            (9999, "not open"),
            (good, "announced twice"),
        ];
        for (fd, why) in table {
            let error = sockets(starter(format!("80={good};81={fd}")), 1).unwrap_err();
            let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
            let named = format!("SERVER_STARTER_PORT announces descriptor {fd},");
            assert!(text.starts_with(&named) && text.ends_with(why), "{text}");
        }
        assert!(sockets(starter(format!("80={good}")), 1).unwrap().is_some(), "it was left alone");
        let again = duplicate(&tcp, good);
        assert_eq!(again, good, "the number is free again");
        assert!(sockets(starter(format!("80={good}")), 1).is_err(), "taken once only");
    }

    /// The descriptors of systemd begin at 3, so this needs a process of its own.
    #[tokio::test]
    async fn takes_what_systemd_announces() {
        if std::env::var_os("LISTEN_FDS").is_some() {
            let taken = from_process().unwrap().unwrap();
            let names: Vec<_> = taken.iter().map(|t| t.name.as_deref().unwrap()).collect();
            assert_eq!(names, ["web", "status"]);
            return;
        }
        let (web, status) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        // The shell keeps its pid over exec; descriptors 3 and 4 come from its stdin and stdout.
        let script = "exec env LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:status \"$0\" --exact \
                      inherit::tests::takes_what_systemd_announces 3<&0 4<&1 </dev/null >&2";
        let child = Command::new("sh")
            .args(["-c", script, std::env::current_exe().unwrap().to_str().unwrap()])
            .stdin(Stdio::from(OwnedFd::from(web)))
            .stdout(Stdio::from(OwnedFd::from(status)))
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        assert!(String::from_utf8_lossy(&child.stderr).contains("1 passed"));
    }
}
