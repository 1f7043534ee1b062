//! What Go's runtime did to every accepted socket, done on purpose.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;

use super::Stream;

const PROBES_AFTER: Duration = Duration::from_secs(15);
const PROBES_APART: Duration = Duration::from_secs(15);
const PROBES: u32 = 9;

impl Stream {
    /// Sets TCP_NODELAY, so that small messages go out at once, and keep-alive (tcp(7): 15 s idle, 15 s apart,
    /// 9 probes), so that a dead peer is found after two and a half minutes. A kernel that refuses either is
    /// no reason to refuse the connection. A unix socket has no use for them.
    pub fn tune(&self) {
        let Stream::Tcp(socket) = self else { return };
        let tuned = sockopt::set_tcp_nodelay(socket, true)
            .and_then(|()| sockopt::set_tcp_keepidle(socket, PROBES_AFTER))
            .and_then(|()| sockopt::set_tcp_keepintvl(socket, PROBES_APART))
            .and_then(|()| sockopt::set_tcp_keepcnt(socket, PROBES))
            .and_then(|()| sockopt::set_socket_keepalive(socket, true));
        if let Err(error) = tuned.map_err(io::Error::from) {
            tracing::debug!(%error, "socket options refused");
        }
    }
}
