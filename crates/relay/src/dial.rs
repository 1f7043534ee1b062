//! Reaching a backend: names are resolved at every dial, addresses tried as RFC 8305 says.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{Address, Socket};

/// The next address is tried when the last one has not answered for so long (RFC 8305 section 5 allows
/// 100 ms to 2 s).
const STAGGER: Duration = Duration::from_millis(300);

/// Why a backend could not be reached. The text names no address: it may be shown to a peer.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name could not be resolved, or has no address.
    #[error("host name not resolved")]
    Name(#[source] io::Error),
    /// Every address refused; the last one's error.
    #[error("connection failed")]
    Refused(#[source] io::Error),
    /// No address answered in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// Connects to `address`; `limit` bounds the whole of it, name look-up included (`None`: the kernel's
/// patience, about two minutes an address).
pub async fn dial(address: &Address, limit: Option<Duration>) -> Result<Socket, DialError> {
    let connecting = connect(address);
    match limit {
        Some(limit) => timeout(limit, connecting).await.map_err(|_| DialError::TimedOut(limit))?,
        None => connecting.await,
    }
}

async fn connect(address: &Address) -> Result<Socket, DialError> {
    match address {
        Address::Unix(path) => UnixStream::connect(path).await.map(Socket::from).map_err(DialError::Refused),
        Address::Tcp { host, port } => {
            let found = lookup_host((host.as_str(), *port)).await.map_err(DialError::Name)?;
            race(interleave(found), TcpStream::connect).await.map(Socket::from)
        }
    }
}

/// RFC 8305 section 4: the families take turns, the resolver's first choice first.
fn interleave(found: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let all: Vec<_> = found.collect();
    let first_is_v6 = all.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other) =
        all.iter().copied().partition::<Vec<SocketAddr>, _>(|a| a.is_ipv6() == first_is_v6);
    let mut turns = VecDeque::with_capacity(all.len());
    for i in 0..preferred.len().max(other.len()) {
        turns.extend(preferred.get(i).into_iter().chain(other.get(i)).copied());
    }
    turns
}

/// RFC 8305 section 5: starts an attempt at once when the last one failed, or after [`STAGGER`]; the
/// first to connect wins and the others are dropped.
async fn race<F, Fut>(mut addresses: VecDeque<SocketAddr>, connect: F) -> Result<TcpStream, DialError>
where
    F: Fn(SocketAddr) -> Fut,
    Fut: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    let mut attempts = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let Some(first) = addresses.pop_front() else { return Err(DialError::Name(last)) };
    attempts.spawn(connect(first));
    let mut next = Instant::now() + STAGGER;
    loop {
        tokio::select! {
            Some(ended) = attempts.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(panicked) => last = io::Error::other(panicked),
            },
            () = sleep_until(next), if !addresses.is_empty() => {}
        }
        match addresses.pop_front() {
            Some(address) => {
                attempts.spawn(connect(address));
                next = Instant::now() + STAGGER;
            }
            None if attempts.is_empty() => return Err(DialError::Refused(last)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|a| a.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        for (found, tried) in [
            (vec![], vec![]),
            (vec!["1.1.1.1:1", "2.2.2.2:1"], vec!["1.1.1.1:1", "2.2.2.2:1"]),
            (
                vec!["[::1]:1", "[::2]:1", "1.1.1.1:1", "2.2.2.2:1"],
                vec!["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1"],
            ),
            (vec!["1.1.1.1:1", "[::1]:1", "[::2]:1"], vec!["1.1.1.1:1", "[::1]:1", "[::2]:1"]),
        ] {
            assert_eq!(Vec::from(interleave(addresses(&found).into_iter())), addresses(&tried));
        }
    }

    #[tokio::test]
    async fn a_refused_address_is_followed_by_the_next_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let bad = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let begun = Instant::now();
        let stream = race([bad, good].into(), TcpStream::connect).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(begun.elapsed() < STAGGER, "a refusal is not waited out");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_is_overtaken_after_the_stagger() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let silent: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let begun = Instant::now();
        let connect = move |a| async move {
            if a == silent {
                return std::future::pending().await;
            }
            TcpStream::from_std(std::net::TcpStream::connect(a).inspect(|s| {
                s.set_nonblocking(true).expect("a fresh socket takes O_NONBLOCK");
            })?)
        };
        let stream = race([silent, good].into(), connect).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert_eq!(begun.elapsed().as_millis(), STAGGER.as_millis());
    }

    #[tokio::test]
    async fn failures_say_what_failed() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let address: Address = free.to_string().parse().unwrap();
        assert!(matches!(dial(&address, None).await, Err(DialError::Refused(_))));
        let address: Address = "unix:/nonexistent/socket".parse().unwrap();
        assert!(matches!(dial(&address, None).await, Err(DialError::Refused(_))));
        let address: Address = "name.invalid:1".parse().unwrap();
        assert!(matches!(dial(&address, None).await, Err(DialError::Name(_))));
    }

    #[tokio::test]
    async fn the_limit_bounds_a_dial_that_is_never_answered() {
        // A listener with a full backlog drops further SYNs, so that a dial hangs.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let full = socket.local_addr().unwrap().as_socket().unwrap();
        let _fill: Vec<_> =
            (0..4).map(|_| std::net::TcpStream::connect_timeout(&full, Duration::from_millis(100))).collect();
        let limit = Duration::from_millis(200);
        let address: Address = full.to_string().parse().unwrap();
        assert!(matches!(dial(&address, Some(limit)).await, Err(DialError::TimedOut(l)) if l == limit));
    }
}
