//! What can go wrong when binding, and what the user can do about it.

use std::io;
use std::path::PathBuf;

/// Why an address could not be listened on. Each text names the address; [`std::error::Error::source`]
/// is what the system said.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// socket(2), bind(2), listen(2) or a file operation failed.
    #[error("cannot listen on {address}{}", fix(.source))]
    System {
        /// The address, in the form that `--listen` takes.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The host name has no address, or no name server answered.
    #[error("cannot listen on {name}: the name does not resolve")]
    Resolve {
        /// The host name.
        name: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// A process answers on the unix socket.
    #[error("cannot listen on unix:{}: address in use (`ss -lxp` says by whom)", .path.display())]
    Answered {
        /// The socket's path.
        path: PathBuf,
    },
    /// What is at the path is no socket, so it is not ours to replace.
    #[error("cannot listen on unix:{}: the file is not a socket, remove it or choose another path", .path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
}

impl ListenError {
    pub(super) fn system(address: impl ToString) -> impl FnOnce(io::Error) -> Self {
        move |source| ListenError::System { address: address.to_string(), source }
    }
}

/// A text in brackets, to stand between the address and the system's words.
fn fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " (a port below 1024 needs CAP_NET_BIND_SERVICE, start_server or a systemd socket; a unix socket \
             a directory we may write)"
        }
        io::ErrorKind::AddrInUse => " (`ss -ltnp` says by whom it is used)",
        io::ErrorKind::AddrNotAvailable => " (no interface has this address, see `ip address`)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_address_and_the_fix() {
        let table = [
            (io::ErrorKind::PermissionDenied, "CAP_NET_BIND_SERVICE"),
            (io::ErrorKind::AddrInUse, "ss -ltnp"),
            (io::ErrorKind::AddrNotAvailable, "ip address"),
            (io::ErrorKind::Other, ":80"),
        ];
        for (kind, part) in table {
            let text = ListenError::system(":80")(kind.into()).to_string();
            assert!(text.starts_with("cannot listen on :80") && text.contains(part), "{text}");
        }
    }
}
