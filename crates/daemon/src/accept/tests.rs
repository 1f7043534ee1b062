use super::*;
use crate::listen;
use std::fs::File;
use std::net::SocketAddr;
use tokio::sync::mpsc;

async fn listening(address: &str) -> Listener {
    listen::bind(&address.parse().unwrap()).await.unwrap().remove(0)
}

#[tokio::test]
async fn hands_over_every_connection_until_stopped() {
    let listener = listening(":0").await;
    let port = listener.tcp_addr().unwrap().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stop = CancellationToken::new();
    let (sender, mut accepted) = mpsc::unbounded_channel();
    let serving = tokio::spawn(serve(listener, stop.clone(), move |a| sender.send(a).unwrap()));
    for _ in 0..3 {
        let client = TcpStream::connect(address).await.unwrap();
        let Accepted { stream: Stream::Tcp(_), peer } = accepted.recv().await.unwrap() else { panic!("TCP") };
        assert_eq!(peer, Peer::Tcp(client.local_addr().unwrap()), "folded to IPv4");
    }
    stop.cancel();
    serving.await.unwrap();
    // Closed, but a child that another test forks may hold a copy until it executes.
    while TcpStream::connect(address).await.is_ok() {}
}

#[tokio::test]
async fn accepts_on_a_unix_socket_and_removes_it() {
    let path = std::env::temp_dir().join(format!("daemon-accept-{}", std::process::id()));
    let listener = listening(&format!("unix:{}", path.display())).await;
    let stop = CancellationToken::new();
    let (sender, mut accepted) = mpsc::unbounded_channel();
    let serving = tokio::spawn(serve(listener, stop.clone(), move |a| sender.send(a).unwrap()));
    let _client = UnixStream::connect(&path).await.unwrap();
    assert!(matches!(accepted.recv().await.unwrap(), Accepted { stream: Stream::Unix(_), peer: Peer::Unix }));
    stop.cancel();
    serving.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn the_backlog_is_served_out() {
    let unix = std::env::temp_dir().join(format!("daemon-backlog-{}", std::process::id()));
    for address in ["127.0.0.1:0", &format!("unix:{}", unix.display())] {
        let listener = listening(address).await;
        let mut callers = Vec::new();
        for _ in 0..3 {
            // The kernel makes connections without us; nobody has accepted them, and tokio has not heard of them.
            match &listener {
                Listener::Tcp(socket) => {
                    let address = socket.local_addr().unwrap();
                    callers.push(std::os::fd::OwnedFd::from(std::net::TcpStream::connect(address).unwrap()));
                }
                Listener::Unix(_) => {
                    callers.push(std::os::unix::net::UnixStream::connect(&unix).unwrap().into());
                }
            }
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let mut accepted = Vec::new();
        serve_out(listener, stop, |a| accepted.push(a)).await;
        assert_eq!(accepted.len(), 3, "{address}");
        assert!(accepted.iter().all(|a| matches!(a.peer, Peer::Unix) == matches!(a.stream, Stream::Unix(_))));
    }
}

#[tokio::test]
async fn a_tuned_socket_finds_dead_peers_and_does_not_wait_for_more() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = Stream::Tcp(stream);
    stream.tune();
    let Stream::Tcp(stream) = &stream else { unreachable!() };
    let options = socket2::SockRef::from(stream);
    assert!(options.tcp_nodelay().unwrap() && options.keepalive().unwrap());
    let seconds = std::time::Duration::from_secs(15);
    assert_eq!(options.tcp_keepalive_time().unwrap(), seconds);
    assert_eq!(options.tcp_keepalive_interval().unwrap(), seconds);
    assert_eq!(options.tcp_keepalive_retries().unwrap(), 9);
}

/// Descriptors belong to the whole process, so it is done in one of its own: this test binary again.
#[test]
fn survives_a_lack_of_descriptors() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "accept::tests::without_descriptors", "--nocapture"])
        .env("DAEMON_TEST_DESCRIPTORS", "none")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && text.contains("accepted after all"), "{text}");
}

/// The child of [`survives_a_lack_of_descriptors`]; without its variable there is nothing to do.
#[tokio::test(start_paused = true)]
async fn without_descriptors() {
    if std::env::var_os("DAEMON_TEST_DESCRIPTORS").is_none() {
        return;
    }
    let listener = listening("127.0.0.1:0").await;
    let address = listener.tcp_addr().unwrap().unwrap();
    let _client = std::net::TcpStream::connect(address).unwrap();
    let hoard = every_descriptor();
    assert_eq!(accept(&listener).await.unwrap_err().raw_os_error(), Some(24), "EMFILE");

    let (sender, mut accepted) = mpsc::unbounded_channel();
    let serving = tokio::spawn(serve(listener, CancellationToken::new(), move |a| sender.send(a).unwrap()));
    // The clock is paused: it moves only while the loop sleeps, so an hour is a few thousand attempts.
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert!(!serving.is_finished() && accepted.is_empty());
    drop(hoard);
    accepted.recv().await.unwrap();
    println!("accepted after all");
}

fn every_descriptor() -> Vec<File> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let low = Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, low).unwrap();
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn knows_whose_error_it_is() {
    use rustix::io::Errno;
    for errno in [Errno::CONNABORTED, Errno::PERM, Errno::HOSTUNREACH] {
        assert!(of_one_connection(&errno.into()), "{errno}");
    }
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::BADF, Errno::INVAL] {
        assert!(!of_one_connection(&errno.into()), "{errno}");
    }
}
