//! A connection whose container has ended and that was never told: half-open (RFC 9293, section 3.5.1).
//!
//! A container's network ends with it, and a reset that was to pass through it gets lost; so does one that the
//! kernel would have sent for a connection that waited for its last acknowledgement. Then the client would
//! wait for a quarter of an hour. What had arrived before is still delivered.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use relay::Socket;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What was under way when the container ended has arrived after so long.
const ARRIVED: Duration = Duration::from_secs(1);

/// A second descriptor of the socket to a container: the first belongs to who carries. It must be dropped when
/// the carrying is over, since the connection ends with the last one.
#[derive(Debug)]
pub(crate) struct Watch(Option<OwnedFd>);

impl Watch {
    /// Without a descriptor to spare there is no watch.
    pub(crate) fn on(socket: &Socket) -> Self {
        Self(match socket {
            Socket::Tcp(stream) => stream.as_fd().try_clone_to_owned().ok(),
            Socket::Unix(_) => None,
        })
    }

    /// Resolves when the container has ended and its end of the connection is neither there nor will come.
    pub(crate) async fn is_half_open(&self, ended: &CancellationToken) {
        ended.cancelled().await;
        loop {
            sleep(ARRIVED).await;
            if self.0.as_ref().is_some_and(is_silent) {
                return;
            }
        }
    }
}

/// Nothing is left to be read, no end of file either.
fn is_silent(socket: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP)];
    poll(&mut asked, Some(&Timespec::default())) == Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(60);

    async fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Socket::from(ours), listener.accept().await.unwrap().0)
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_after_the_end_is_half_open() {
        let (mut ours, mut theirs) = pair().await;
        let (watch, ended) = (Watch::on(&ours), CancellationToken::new());
        assert!(timeout(LONG, watch.is_half_open(&ended)).await.is_err(), "the container lives");
        ended.cancel();
        theirs.write_all(b"x").await.unwrap();
        assert!(timeout(LONG, watch.is_half_open(&ended)).await.is_err(), "something is to be delivered");
        ours.read_exact(&mut [0]).await.unwrap();
        timeout(LONG, watch.is_half_open(&ended)).await.expect("nothing is, and nothing will come");
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_of_file_that_came_is_none() {
        let (ours, theirs) = pair().await;
        drop(theirs);
        let (watch, ended) = (Watch::on(&ours), CancellationToken::new());
        ended.cancel();
        assert!(timeout(LONG, watch.is_half_open(&ended)).await.is_err());
    }
}
