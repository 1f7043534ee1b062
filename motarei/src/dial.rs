//! Reaching a container for a client: the first choice, and the next one when that refuses or is silent.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use relay::{DialError, Socket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::fleet::Undialled;
use crate::routes::{Candidate, Counted};
use crate::want;

/// After so long without an answer the next candidate is dialled too. One lost packet costs a second.
const OVERTAKE: Duration = Duration::from_secs(1);

/// Before a dial is tried again for which we lacked something.
const AGAIN: Duration = Duration::from_millis(50);

/// A container that was reached.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) candidate: Candidate,
    pub(crate) socket: Socket,
    /// Since before the dial: who sees no connections may stop the container.
    pub(crate) counted: Counted,
}

/// Dials `candidates` in their order, each for at most `limit`; the first to connect wins, and the others
/// are given up. `failed` is told of each that did not connect, and of one that was silent for so long that
/// the next was dialled: it may have ended without a word, and the winner comes before its time-out.
pub(crate) async fn first(
    candidates: &[Candidate],
    limit: Duration,
    mut failed: impl FnMut(&Candidate, Undialled),
) -> Option<Reached> {
    let mut attempts = JoinSet::new();
    let mut waiting = candidates.iter();
    let mut latest = None;
    let mut overtake = Instant::now();
    loop {
        tokio::select! {
            biased;
            Some(ended) = attempts.join_next() => match ended {
                Ok((candidate, counted, Ok(socket))) => return Some(Reached { candidate, socket, counted }),
                Ok((candidate, _, Err(why))) => failed(&candidate, why),
                Err(panicked) => tracing::error!(%panicked, "a dial panicked"),
            },
            () = sleep_until(overtake), if !waiting.as_slice().is_empty() => {
                if let Some(silent) = latest {
                    failed(silent, Undialled::TimedOut);
                }
            }
            else => return None,
        }
        latest = waiting.next();
        if let Some(candidate) = latest.cloned() {
            let counted = candidate.open.one_more();
            attempts.spawn(async move {
                let dialled = dial(&candidate, limit).await;
                (candidate, counted, dialled)
            });
            overtake = Instant::now() + OVERTAKE;
        }
    }
}

async fn dial(candidate: &Candidate, limit: Duration) -> Result<Socket, Undialled> {
    let target = candidate.target();
    let dialled = patiently(candidate.address, || relay::dial(&target, Some(limit)));
    tokio::select! {
        dialled = timeout(limit, dialled) => dialled.unwrap_or(Err(Undialled::TimedOut)),
        // Its address is nobody's now: a dial would hang.
        () = candidate.open.gone.cancelled() => Err(Undialled::Refused("the container is gone".to_owned())),
    }
}

/// Tries again what could not be tried for want of something of ours: ports and descriptors become free all the
/// time, and an older container is not what the client came for.
async fn patiently<D>(address: SocketAddr, mut dial: impl FnMut() -> D) -> Result<Socket, Undialled>
where
    D: Future<Output = Result<Socket, DialError>>,
{
    loop {
        match dial().await {
            Err(DialError::Refused(error)) if want::is_ours(&error, address) => {
                want::warn(&error, address);
                sleep(AGAIN).await;
            }
            dialled => return dialled.map_err(Undialled::from),
        }
    }
}

impl From<DialError> for Undialled {
    fn from(error: DialError) -> Self {
        match error {
            DialError::TimedOut(_) => Self::TimedOut,
            DialError::Refused(error) if error.kind() == io::ErrorKind::TimedOut => Self::TimedOut,
            DialError::Refused(error) | DialError::Name(error) => {
                Self::Refused(format!("a dial failed: {error}"))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::sync::Arc;

    use crate::address::Path;
    use crate::routes::Open;
    use tokio::net::TcpListener;

    fn candidate(id: &str, address: SocketAddr) -> Candidate {
        Candidate {
            id: id.to_owned(),
            name: id.to_owned(),
            port: address.port(),
            epoch: 1,
            address,
            path: Path::Container,
            drain: Duration::ZERO,
            open: Arc::<Open>::default(),
        }
    }

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A listener whose backlog is full drops further connections, so that a dial hangs.
    pub(crate) fn silent() -> (socket2::Socket, Vec<std::io::Result<std::net::TcpStream>>, SocketAddr) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let brief = Duration::from_millis(100);
        let fill = (0..4).map(|_| std::net::TcpStream::connect_timeout(&address, brief)).collect();
        (socket, fill, address)
    }

    /// Who was reached, and who failed how.
    async fn reach(candidates: &[Candidate], limit: Duration) -> (Option<String>, Vec<(String, bool)>) {
        let mut failures = Vec::new();
        let failed =
            |candidate: &Candidate, why| failures.push((candidate.id.clone(), why == Undialled::TimedOut));
        let reached = first(candidates, limit, failed).await.map(|reached| reached.candidate.id);
        (reached, failures)
    }

    const LIMIT: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn the_next_one_follows_a_refusal_at_once() {
        let (_listener, good) = listening().await;
        let (gone, bad) = listening().await;
        drop(gone);
        let begun = Instant::now();
        let reached = reach(&[candidate("new", bad), candidate("old", good)], LIMIT).await;
        assert_eq!(reached, (Some("old".into()), vec![("new".into(), false)]));
        assert!(begun.elapsed() < OVERTAKE);
        assert_eq!(reach(&[candidate("new", bad)], LIMIT).await, (None, vec![("new".into(), false)]));
        assert_eq!(reach(&[], LIMIT).await, (None, vec![]));
    }

    #[tokio::test]
    async fn a_silent_one_is_overtaken_after_a_second_and_told() {
        let (_listener, good) = listening().await;
        let (_silent, _fill, hanging) = silent();
        let begun = Instant::now();
        let reached = reach(&[candidate("new", hanging), candidate("old", good)], LIMIT).await;
        assert_eq!(reached, (Some("old".into()), vec![("new".into(), true)]));
        assert!(begun.elapsed() >= OVERTAKE && begun.elapsed() < LIMIT);
        let brief = Duration::from_millis(200);
        assert_eq!(reach(&[candidate("new", hanging)], brief).await, (None, vec![("new".into(), true)]));
    }

    #[tokio::test]
    async fn a_dial_ends_when_its_container_is_gone() {
        let (_silent, _fill, hanging) = silent();
        let candidate = candidate("new", hanging);
        let gone = candidate.open.gone.clone();
        let dialling = tokio::spawn(async move { reach(&[candidate], Duration::from_secs(3600)).await });
        gone.cancel();
        assert_eq!(dialling.await.unwrap(), (None, vec![("new".into(), false)]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_we_lack_ourselves_is_waited_for() {
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        for (errnos, refused_in_the_end) in [
            (&[Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::CONNREFUSED][..], true),
            (&[Errno::CONNREFUSED, Errno::ADDRNOTAVAIL], true),
            (&[Errno::ADDRNOTAVAIL, Errno::TIMEDOUT], false),
        ] {
            let mut errnos = errnos.iter();
            let dialled = patiently(address, || {
                let errno = *errnos.next().expect("it was told already");
                async move { Err(DialError::Refused(errno.into())) }
            });
            let why = dialled.await.unwrap_err();
            assert_eq!(matches!(why, Undialled::Refused(_)), refused_in_the_end, "{why:?}");
        }
    }
}
