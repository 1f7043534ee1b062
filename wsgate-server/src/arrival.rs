//! What a connection passes before it speaks HTTP: the PROXY header, then the handshake of TLS.

use std::io;
use std::time::Duration;

use daemon::accept::Peer;
use relay::Socket;
use relay::proxy::{self, ReadError};
use tokio::time::{Instant, timeout_at};

use crate::edge::Edge;
use crate::proxies::Ends;
use crate::stream::Stream;

/// Stands for no deadline.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Why a connection did not get as far as HTTP. The peer is told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// A trusted proxy is to send a PROXY header, and did not.
    #[error(transparent)]
    Header(#[from] ReadError),
    /// The handshake of TLS failed.
    #[error("TLS")]
    Tls(#[source] io::Error),
    /// It took too long.
    #[error("no TLS handshake in time")]
    TimedOut,
}

impl Lost {
    /// Whether somebody should look at the proxy in front. Who merely connects, checks that we live; and
    /// what strangers send instead of TLS is their matter.
    pub(crate) fn is_of_proxy(&self) -> bool {
        !matches!(self, Self::Tls(_) | Self::TimedOut | Self::Header(ReadError::Ended { after: 0 }))
    }
}

/// Takes `socket`, which `peer` has connected, as far as HTTP, until `due`. The header is read to its last
/// byte and no further.
pub(crate) async fn arrive(
    edge: &Edge,
    mut socket: Socket,
    peer: Peer,
    due: Option<Instant>,
) -> Result<(Stream, Ends), Lost> {
    let due = due.unwrap_or_else(|| Instant::now() + FOREVER);
    let mut ends = Ends { peer, local: local_address(&socket) };
    if edge.proxies.announce(peer) {
        ends = ends.told(&proxy::read_header(&mut socket, due).await?);
    }
    let stream = match &edge.tls {
        None => Stream::Plain(socket),
        Some(tls) => {
            let accepted = timeout_at(due, tls.accept(socket)).await.map_err(|_| Lost::TimedOut)?;
            Stream::Tls(Box::new(accepted.map_err(Lost::Tls)?))
        }
    };
    Ok((stream, ends))
}

fn local_address(socket: &Socket) -> Option<std::net::SocketAddr> {
    match socket {
        Socket::Tcp(stream) => stream.local_addr().ok(),
        Socket::Unix(_) => None,
    }
}
