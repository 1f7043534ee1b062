//! What a connection could not be tried for, and that is no fault of the other side: descriptors, memory, and
//! local ports (connect(2), ip(7)).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use daemon::log::Limited;
use rustix::io::Errno;

/// Between two warnings.
const SELDOM: Duration = Duration::from_secs(10);

/// Whether `error`, of a connect to `address`, is for want of something of ours.
pub(crate) fn is_ours(error: &io::Error, address: SocketAddr) -> bool {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => true,
        // No local port is free towards it, or it is no address for this host at all.
        Some(Errno::ADDRNOTAVAIL) => is_usable(address),
        _ => false,
    }
}

/// UDP has local ports of its own, and connecting sends nothing.
fn is_usable(address: SocketAddr) -> bool {
    let any = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    UdpSocket::bind(any).and_then(|socket| socket.connect(address)).is_ok()
}

/// Warns of it, seldom.
pub(crate) fn warn(error: &io::Error, address: SocketAddr) {
    static WARNED: Mutex<Limited> = Mutex::new(Limited::new(SELDOM));
    let admitted = WARNED.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
    let Some(left_out) = admitted else { return };
    match Errno::from_io_error(error) {
        Some(Errno::ADDRNOTAVAIL) => tracing::warn!(
            %address, left_out,
            "no local port is free for another connection to this address; clients wait. sysctl \
             net.ipv4.tcp_tw_reuse=1, or a wider net.ipv4.ip_local_port_range"
        ),
        _ => {
            tracing::warn!(%address, %error, left_out, "a container cannot be dialled for want of something of this process's")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_lack_is_told_from_what_the_other_side_says() {
        for (errno, address, ours) in [
            (Errno::MFILE, "127.0.0.1:1", true),
            (Errno::NOBUFS, "127.0.0.1:1", true),
            (Errno::CONNREFUSED, "127.0.0.1:1", false),
            (Errno::ADDRNOTAVAIL, "127.0.0.1:1", true),
            // Linux: no address of this host's can reach a link-local one without its interface.
            (Errno::ADDRNOTAVAIL, "[fe80::1]:1", false),
        ] {
            assert_eq!(is_ours(&errno.into(), address.parse().unwrap()), ours, "{errno:?} {address}");
        }
    }
}
