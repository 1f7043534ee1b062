//! One tunnel on stdin and stdout, of the program itself and with real pipes.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

use crate::gateway::{Gateway, message, message_and_close};
use crate::soon;

const PROGRAM: &str = env!("CARGO_BIN_EXE_wsgate-client");

fn command(url: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--stdio", url]).args(flags);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(gateway: &Gateway) -> Child {
    command(&gateway.url(), &[]).spawn().unwrap()
}

/// Exit status, what was said on stdout, what on stderr.
async fn ended(mut child: Child) -> (Option<i32>, String, String) {
    soon(spawn_blocking(move || {
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().map(|mut pipe| pipe.read_to_string(&mut out).unwrap());
        child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut err).unwrap());
        (child.wait().unwrap().code(), out, err)
    }))
    .await
    .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn bytes_flow_and_an_orderly_end_is_a_success() {
    let gateway = Gateway::new().await;
    let mut child = start(&gateway);
    let mut asked = gateway.asked().await;
    asked.grant(&message(b"SSH-2.0-x\r\n")).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"SSH-2.0-y\r\n").unwrap();
    assert_eq!(asked.frame().await, (0x82, b"SSH-2.0-y\r\n".to_vec()));
    let begun = Instant::now();
    asked.stream.write_all(&message_and_close(b"bye")).await.unwrap();
    assert_eq!(asked.frame().await, (0x88, vec![0x03, 0xe8]));
    drop(asked);
    // Nobody has closed stdin: a read of it that blocks is not waited for.
    let (code, out, err) = ended(child).await;
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "SSH-2.0-x\r\nbye", ""));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(stdin);
}

#[tokio::test]
async fn the_answer_is_waited_for_after_the_end_of_stdin() {
    let gateway = Gateway::new().await;
    let mut child = start(&gateway);
    let mut asked = gateway.asked().await;
    asked.grant(b"").await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"question").unwrap();
    drop(stdin);
    assert_eq!(asked.frame().await, (0x82, b"question".to_vec()));
    asked.stream.write_all(&message_and_close(b"answer")).await.unwrap();
    let (code, out, _) = ended(child).await;
    assert_eq!((code, out.as_str()), (Some(0), "answer"));
}

#[tokio::test]
async fn much_is_carried_to_a_reader_that_is_slow() {
    let gateway = Gateway::new().await;
    let mut child = start(&gateway);
    let mut asked = gateway.asked().await;
    asked.grant(b"").await;
    let _stdin = child.stdin.take();
    let frame = message(&[b'x'; 125]);
    let reading = tokio::spawn(ended(child));
    for _ in 0..400 {
        asked.stream.write_all(&frame.repeat(100)).await.unwrap();
    }
    asked.stream.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    let (code, out, _) = soon(reading).await.unwrap();
    assert_eq!((code, out.len()), (Some(0), 125 * 40_000));
}

#[tokio::test]
async fn a_signal_ends_it_within_a_second() {
    for name in ["HUP", "TERM", "INT"] {
        let gateway = Gateway::new().await;
        let mut child = start(&gateway);
        let _stdin = child.stdin.take();
        let mut asked = gateway.asked().await;
        asked.grant(&message(b"here")).await;
        let mut here = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut here).unwrap(); // the tunnel is open
        let begun = Instant::now();
        signal(&child, name);
        assert_eq!(asked.frame().await, (0x88, vec![0x03, 0xe9]), "{name}");
        let (code, ..) = ended(child).await;
        assert_eq!(code, Some(1), "{name}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{name}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_signal_ends_what_is_being_opened() {
    let gateway = Gateway::new().await;
    let mut child = start(&gateway);
    let _stdin = child.stdin.take();
    let _slow = gateway.asked().await;
    signal(&child, "HUP");
    assert_eq!(ended(child).await.0, Some(1));
}

#[tokio::test]
async fn a_closed_stdout_ends_it() {
    let gateway = Gateway::new().await;
    let mut child = start(&gateway);
    let _stdin = child.stdin.take();
    let mut asked = gateway.asked().await;
    asked.grant(&message(b"here")).await;
    let mut here = [0; 4];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut here).unwrap();
    drop(stdout);
    assert_eq!(asked.frame().await, (0x88, vec![0x03, 0xe9]), "nothing was to be written");
    assert_eq!(ended(child).await.0, Some(1));
}

#[tokio::test]
async fn no_tunnel_and_a_cut_one_fail() {
    let gateway = Gateway::new().await;
    let child = start(&gateway);
    gateway.asked().await.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let (code, out, err) = ended(child).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("gateway answered 403 Forbidden: no"), "{err}");

    let mut child = start(&gateway);
    let mut asked = gateway.asked().await;
    asked.grant(&message(b"half")).await;
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
    asked.stream.write_all(b"\x88\x02\x03\xf3").await.unwrap(); // Close 1011
    let (code, out, _) = ended(child).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn one_socket_may_be_both_and_stays_as_it_was() {
    let gateway = Gateway::new().await;
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = command(&gateway.url(), &["--log-level", "info"]);
    command.stdin(OwnedFd::from(theirs.try_clone().unwrap()));
    command.stdout(OwnedFd::from(theirs.try_clone().unwrap()));
    let child = command.spawn().unwrap();
    drop(command);
    let mut asked = gateway.asked().await;
    asked.grant(&message(b"hello")).await;
    let mut hello = [0; 5];
    ours.read_exact(&mut hello).unwrap();
    let flags = rustix::fs::fcntl_getfl(&theirs).unwrap();
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "it is not ours alone");
    ours.write_all(b"question").unwrap();
    assert_eq!(asked.frame().await, (0x82, b"question".to_vec()));
    asked.stream.write_all(&message_and_close(b"bye")).await.unwrap();
    let mut text = String::new();
    soon(spawn_blocking(move || {
        ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        ours.read_to_string(&mut text).map_err(|error| error.kind() == ErrorKind::WouldBlock).unwrap();
        assert_eq!(text, "bye");
    }))
    .await
    .unwrap();
    let (code, _, err) = ended(child).await;
    assert_eq!(code, Some(0));
    assert!(err.contains("tunnel opened") && err.contains("tunnel closed"), "{err}");
}
