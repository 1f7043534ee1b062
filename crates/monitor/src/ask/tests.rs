use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use super::*;

const SHORT: Duration = Duration::from_millis(300);

/// Answers one connection with `pieces`, with a pause after each, and keeps it open for a while if `open`.
fn server(pieces: Vec<Vec<u8>>, pause: Duration, open: bool) -> ListenAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]);
        for piece in pieces {
            // The client may have gone away, which is what some tests are about.
            if stream.write_all(&piece).is_err() {
                return;
            }
            thread::sleep(pause);
        }
        if open {
            let _ = stream.read(&mut [0; 1]);
        }
    });
    address
}

fn said(pieces: &[&str]) -> Result<Reply, Failure> {
    let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
    ask(&server(pieces, Duration::ZERO, false), "/", Duration::from_secs(10)).reply()
}

#[test]
fn answers_are_read_whole() {
    for (pieces, code, body) in [
        (&["HTTP/1.0 200 OK\r\n\r\n"][..], 200, ""),
        (&["HTTP/1.1 503 No\r\nX: y\r\n\r\ndrain", "ing\n"], 503, "draining\n"),
        (&["HTTP/1.0 200 OK\r\ncontent-LENGTH: 2\r\n\r\nok"], 200, "ok"),
    ] {
        assert_eq!(said(pieces).unwrap(), Reply { code, body: body.to_owned() }, "{pieces:?}");
    }
}

#[test]
fn what_is_no_answer_is_said() {
    for (pieces, part) in [
        (&[][..], "none of these programs"),
        (&["SSH-2.0-OpenSSH_9\r\n"], "none of these programs"),
        (&["HTTP/1.0 OK\r\n\r\n"], "none of these programs"),
        (&["HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\nhalf"], "broke off"),
    ] {
        let failure = said(pieces).unwrap_err().to_string();
        assert!(failure.contains(part), "{pieces:?}: {failure}");
    }
}

#[test]
fn who_is_silent_or_slow_is_left_in_time() {
    let dead = ListenAddr::Unix(tempfile::tempdir().unwrap().path().join("none"));
    let silent = server(Vec::new(), Duration::ZERO, true);
    let drips = server(vec![b"H".to_vec(); 1000], SHORT / 10, true);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string().parse().unwrap();
    for (address, late) in [(dead, false), (silent, true), (drips, true), (nobody, false)] {
        let start = Instant::now();
        let failure = ask(&address, "/", SHORT).reply().unwrap_err();
        assert_eq!(matches!(failure, Failure::Late(_)), late, "{address}: {failure}");
        assert_eq!(matches!(failure, Failure::Nobody(_)), !late, "{address}: {failure}");
        assert!(start.elapsed() < SHORT * 10, "{address}: {:?}", start.elapsed());
    }
}

#[test]
fn only_a_refused_connection_and_no_socket_mean_nobody() {
    use rustix::io::Errno;
    for (errno, nobody, part) in [
        (Errno::CONNREFUSED, true, "is it running with --status-listen?"),
        (Errno::NOENT, true, "is it running with --status-listen?"),
        (Errno::ACCESS, false, "put the agent's user into the socket's group"),
        (Errno::PROTOTYPE, false, "it cannot be asked"),
        (Errno::NOTDIR, false, "it cannot be asked"),
        (Errno::HOSTUNREACH, false, "it cannot be asked"),
    ] {
        let failure = Failure::to_connect(errno.into());
        assert_eq!(matches!(failure, Failure::Nobody(_)), nobody, "{failure}");
        assert!(failure.to_string().contains(part), "{failure}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("datagrams");
    let _datagrams = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let long = ListenAddr::Unix("x".repeat(200).into());
    // A name may be 253 characters long, RFC 1035 section 2.3.4: none is asked for this one.
    let unresolved = ListenAddr::Tcp { host: Host::Name("x.".repeat(150)), port: 1 };
    for address in [ListenAddr::Unix(path), long, unresolved] {
        let failure = ask(&address, "/", Duration::from_secs(10)).reply().unwrap_err();
        assert!(matches!(failure, Failure::Other(_)), "{address}: {failure}");
    }
}

#[test]
fn a_full_backlog_is_left_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("full");
    let listener = UnixListener::bind(&path).unwrap();
    // listen(2) again lowers the backlog; connect(2) to a full one waits.
    rustix::net::listen(&listener, 0).unwrap();
    let (address, start) = (ListenAddr::Unix(path), Instant::now());
    let asked: Vec<_> = (0..4).map(|_| ask(&address, "/", SHORT)).collect();
    for asked in asked {
        assert!(matches!(asked.reply(), Err(Failure::Late(_))));
    }
    assert!(start.elapsed() < SHORT * 10);
}

#[test]
fn a_flood_is_left() {
    let mut pieces = vec![b"HTTP/1.0 200 OK\r\n\r\n".to_vec()];
    pieces.extend(vec![vec![b'x'; 64 * 1024]; 200]);
    let failure =
        ask(&server(pieces, Duration::ZERO, true), "/", Duration::from_secs(10)).reply().unwrap_err();
    assert!(failure.to_string().contains("longer than 8 MiB"), "{failure}");
}
