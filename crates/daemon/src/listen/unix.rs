//! A unix socket that takes its path over without a moment in which nobody listens on it.
//!
//! It is bound under a temporary name in the same directory, given its mode, made to listen, and only then
//! renamed over what was there: a client finds the old socket or the new one, ready.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::{BACKLOG, ListenError};

/// The owner and the group may connect; who is in the group is the administrator's decision.
const MODE: u32 = 0o660;

/// A listening unix socket. Dropping it removes its file, if this process made it and it is still the same.
#[derive(Debug)]
pub struct UnixListener {
    /// Declared before the socket, so that the name goes first and nobody connects to a queue that dies.
    file: Option<SocketFile>,
    pub(crate) socket: tokio::net::UnixListener,
}

pub(super) fn bind(path: &Path) -> Result<UnixListener, ListenError> {
    vacant(path)?;
    open(path).map_err(ListenError::system(format_args!("unix:{}", path.display())))
}

/// Refuses a path that a process answers on, or that holds something else than a socket.
fn vacant(path: &Path) -> Result<(), ListenError> {
    let failed = ListenError::system(format!("unix:{}", path.display()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => Err(ListenError::NotASocket { path: path.into() }),
        Ok(_) if answers(path).map_err(failed)? => Err(ListenError::Answered { path: path.into() }),
        Ok(_) => Ok(()),
    }
}

/// Whether a process holds the socket at `path`. Never waits: a full backlog is an answer too.
fn answers(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let Err(error) = socket.connect(&SockAddr::unix(path)?) else { return Ok(true) };
    match Errno::from_io_error(&error) {
        Some(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        // EPROTOTYPE: somebody's datagram socket.
        Some(Errno::AGAIN | Errno::PROTOTYPE) => Ok(true),
        _ => Err(error),
    }
}

fn open(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Renaming would allow a longer path than a client can connect to.
    SockAddr::unix(path)?;
    let temporary = beside(path);
    socket.bind(&SockAddr::unix(&temporary)?)?;
    let mut file = SocketFile::of(temporary)?;
    fs::set_permissions(&file.path, Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)?;
    fs::rename(&file.path, path)?;
    file.path = path.to_owned();
    Ok(UnixListener { file: Some(file), socket: tokio::net::UnixListener::from_std(socket.into())? })
}

/// A short name, since a whole socket path has 107 bytes at most (unix(7)); unique in this process and
/// among processes.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{:x}-{count:x}", std::process::id()))
}

impl UnixListener {
    /// A socket whose file belongs to somebody else, who will remove it.
    pub(crate) fn inherited(socket: tokio::net::UnixListener) -> Self {
        UnixListener { file: None, socket }
    }
}

/// `unix:/path`.
impl fmt::Display for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            return write!(f, "unix:{}", file.path.display());
        }
        let address = self.socket.local_addr().ok();
        match address.as_ref().and_then(|address| address.as_pathname()) {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => f.write_str("unix:(unnamed)"),
        }
    }
}

/// The file of a socket, known by its inode, because another process may have taken the path over.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        let found = fs::symlink_metadata(&path)?;
        Ok(SocketFile { path, device: found.dev(), inode: found.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = |found: fs::Metadata| (found.dev(), found.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    /// A directory that goes when the test ends.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let path = beside(&std::env::temp_dir().join("x"));
            fs::create_dir(&path).unwrap();
            Directory(path)
        }
        fn names(&self) -> Vec<String> {
            fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn makes_the_file_and_removes_it() {
        let directory = Directory::new();
        let path = directory.0.join("s");
        let listener = bind(&path).unwrap();
        assert_eq!(listener.to_string(), format!("unix:{}", path.display()));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, MODE);
        assert_eq!(directory.names(), ["s"]);
        UnixStream::connect(&path).unwrap();
        drop(listener);
        assert!(directory.names().is_empty());
    }

    #[tokio::test]
    async fn replaces_a_socket_that_nobody_answers_on() {
        let directory = Directory::new();
        let path = directory.0.join("s");
        let silent = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        silent.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        let _listener = bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        assert_eq!(directory.names(), ["s"]);
    }

    #[tokio::test]
    async fn refuses_a_path_in_use() {
        let directory = Directory::new();
        let path = directory.0.join("s");
        let listener = bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(ListenError::Answered { .. })));
        let datagram = directory.0.join("d");
        let _held = UnixDatagram::bind(&datagram).unwrap();
        assert!(matches!(bind(&datagram), Err(ListenError::Answered { .. })));
        UnixStream::connect(&path).unwrap();
        drop(listener);
    }

    #[tokio::test]
    async fn refuses_what_is_no_socket() {
        let directory = Directory::new();
        let path = directory.0.join("s");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind(&path), Err(ListenError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn leaves_a_file_that_is_no_longer_ours() {
        let directory = Directory::new();
        let path = directory.0.join("s");
        let listener = bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(listener);
        UnixStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn says_what_failed_and_leaves_nothing() {
        let directory = Directory::new();
        let missing = directory.0.join("no/s");
        assert!(bind(&missing).unwrap_err().to_string().contains("no/s"));
        assert!(bind(&directory.0.join("x".repeat(200))).is_err());
        assert!(directory.names().is_empty());
    }
}
