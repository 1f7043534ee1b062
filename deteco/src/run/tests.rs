//! The whole of it, from the backlog to the end, on sockets of its own.

use std::time::Duration;

use daemon::listen::{self, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::{Config, test};

const READY: &[u8] = b"GET /ready HTTP/1.1\r\nHost: d\r\n\r\n";

struct Process {
    address: std::net::SocketAddr,
    stop: Stop,
    running: JoinHandle<()>,
}

async fn process(config: Config, inherited: bool) -> (Process, Option<std::net::TcpListener>) {
    let listeners = listen::bind(&config.listen).await.unwrap();
    let address = listeners[0].tcp_addr().unwrap().unwrap();
    let Listener::Tcp(socket) = &listeners[0] else { panic!("TCP") };
    let socket = std::os::fd::AsFd::as_fd(socket).try_clone_to_owned().unwrap();
    let stop = Stop::manual();
    let sockets = Sockets { listeners, inherited };
    let running = tokio::spawn(serve(test::gate_that(config, stop.clone()), sockets));
    (Process { address, stop, running }, inherited.then(|| socket.into()))
}

impl Process {
    async fn call(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ends(self) {
        timeout(Duration::from_secs(5), self.running).await.expect("it ends").unwrap();
    }
}

/// All that comes on a connection until it is closed.
async fn rest(connection: &mut TcpStream) -> String {
    let mut text = String::new();
    let reading = connection.read_to_string(&mut text);
    timeout(Duration::from_secs(5), reading).await.expect("it is closed").unwrap();
    text
}

/// The answer to a request on a connection that is kept.
async fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(READY).await.unwrap();
    let mut text = vec![0; 1000];
    let count = timeout(Duration::from_secs(5), connection.read(&mut text)).await.unwrap().unwrap();
    String::from_utf8(text[..count].to_vec()).unwrap()
}

/// The kernel makes connections without us, so that those here are in the backlog when the drain begins.
#[tokio::test]
async fn a_drain_answers_what_waits_in_the_backlog() {
    let (process, _) = process(test::config(), false).await;
    let mut callers = Vec::new();
    for _ in 0..3 {
        let caller = std::net::TcpStream::connect(process.address).unwrap();
        std::io::Write::write_all(&mut &caller, READY).unwrap();
        caller.set_nonblocking(true).unwrap();
        callers.push(caller);
    }
    process.stop.draining.cancel();
    for caller in callers {
        let answer = rest(&mut TcpStream::from_std(caller).unwrap()).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("draining\n"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    process.ends().await;
}

#[tokio::test]
async fn a_monitor_sees_the_drain_and_is_refused_after_it() {
    let (process, _) = process(test::config(), false).await;
    let mut before = process.call().await;
    assert!(ask(&mut before).await.ends_with("no-keys\n"));
    process.stop.draining.cancel();
    assert!(ask(&mut process.call().await).await.ends_with("draining\n"), "it still accepts");
    assert_eq!(rest(&mut before).await, "");
    let address = process.address;
    process.ends().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn inherited_sockets_are_left_to_the_successor_at_once() {
    let (process, socket) = process(test::config(), true).await;
    let mut kept = process.call().await;
    assert!(ask(&mut kept).await.ends_with("no-keys\n"));
    process.stop.draining.cancel();
    tokio::task::yield_now().await;
    let mut late = process.call().await;
    late.write_all(READY).await.unwrap();
    assert!(ask(&mut kept).await.contains("connection: close"), "what was accepted is served");
    assert_eq!(rest(&mut kept).await, "");
    process.ends().await;
    let (mut successor, _) = socket.unwrap().accept().expect("it waits in the backlog");
    let mut request = vec![0; READY.len()];
    std::io::Read::read_exact(&mut successor, &mut request).unwrap();
    assert_eq!(request, READY);
}

#[tokio::test]
async fn idle_connections_make_room_when_there_are_too_many() {
    let (process, _) = process(Config { max_connections: 3, ..test::config() }, false).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut connection = process.call().await;
        ask(&mut connection).await;
        kept.push(connection);
    }
    tokio::time::sleep(test::PATIENCE.quiet).await;
    let mut late = process.call().await;
    ask(&mut late).await;
    for connection in &mut kept {
        assert_eq!(rest(connection).await, "");
    }
    ask(&mut late).await;
    process.stop.draining.cancel();
    process.ends().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut config = test::config();
    config.patience.quiet = Duration::from_secs(60);
    let (process, _) = process(config, false).await;
    let mut kept = process.call().await;
    ask(&mut kept).await;
    process.stop.draining.cancel();
    process.stop.now.cancel();
    process.ends().await;
}
