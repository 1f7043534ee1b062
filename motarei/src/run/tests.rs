use super::*;
use crate::discovery::tests::FakeEngine;
use crate::fleet::tests::app;
use crate::status::{StatusAddress, ask};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Waits for a condition; nothing here takes as long as the limit.
macro_rules! eventually {
    ($condition:expr) => {{
        let waiting = async {
            while !$condition {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(stringify!($condition));
    }};
}

/// An application that says its name, after what it was told up to an end of file.
fn application(listener: TcpListener, name: &'static str) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut serving = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            serving.spawn(async move {
                let mut told = Vec::new();
                if stream.read_to_end(&mut told).await.is_ok() {
                    let _ = stream.write_all(&[name.as_bytes(), b" ", &told].concat()).await;
                }
            });
        }
    })
}

/// What an application answers, through the proxy.
async fn answer(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Where nothing listens for a moment.
fn free_address() -> SocketAddr {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    reserved.local_addr().unwrap()
}

/// Another process with the status socket, which says this.
fn successor(socket: &std::path::Path, document: &'static str) -> tokio::task::JoinHandle<()> {
    let listener = tokio::net::UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{document}").as_bytes()).await.unwrap();
        }
    })
}

#[tokio::test]
async fn a_deploy_from_the_first_container_to_the_drain() {
    let engine = FakeEngine::start(&[]);
    let at = |name: &str| engine.directory.path().join(name);
    let (web, socket) = (free_address(), at("status"));
    let status: daemon::listen::ListenAddr = format!("unix:{}", socket.display()).parse().unwrap();
    let config = Config {
        apps: vec![app()],
        engine: engine.address(),
        status: StatusAddress::or_default(Some(status.clone())),
        max_connections: 10,
        max_held: 10,
    };
    let stop = Stop::manual();
    let running = tokio::spawn(run(config, Sockets::default(), stop.clone()));
    let label = |port: u16| format!("{web}={port}");

    let old = TcpListener::bind("127.0.0.1:0").await.unwrap();
    engine.run("a", &label(old.local_addr().unwrap().port()));
    let _old = application(old, "old");
    eventually!(TcpStream::connect(web).await.is_ok());
    assert_eq!(answer(web).await, "old hello", "half-close is kept");

    let port = free_address();
    engine.run("b", &label(port.port()));
    let state = async || ask(&status).await.unwrap().apps.remove(0);
    eventually!(state().await.containers.len() == 2);
    eventually!(state().await.containers[0].state == "probing");
    let waiting = state().await;
    assert_eq!((waiting.containers[0].id.as_str(), waiting.routed.as_deref()), ("b", Some("a")));
    assert!(waiting.containers[0].reason.as_ref().unwrap().ends_with("refuses connections"));
    assert_eq!(answer(web).await, "old hello");

    let _new = application(TcpListener::bind(port).await.unwrap(), "new");
    eventually!(state().await.routed.as_deref() == Some("b"));
    assert_eq!(answer(web).await, "new hello");
    let ready = state().await;
    assert_eq!(ready.listeners[0].bound, [web.to_string()]);
    assert_eq!((ready.containers[0].state.as_str(), &ready.containers[0].reason), ("ready", &None));
    assert_eq!(ready.containers[0].container_address, Some(port.to_string()));

    let mut open = TcpStream::connect(web).await.unwrap();
    open.write_all(b"last").await.unwrap();
    eventually!(state().await.containers[0].connections == 1);
    stop.draining.cancel();
    eventually!(TcpStream::connect(web).await.is_err() && !socket.exists());
    assert!(!running.is_finished(), "a connection is open");
    let successor = successor(
        &socket,
        r#"{"pid":1,"connections":2,"apps":[{"containers":[{"id":"b","connections":2}]}]}"#,
    );
    let both = ask(&status).await.unwrap();
    assert_eq!((both.pid, both.connections, both.apps[0].containers[0].connections), (1, 3, 3));
    open.shutdown().await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert_eq!((answer.as_str(), running.await.unwrap()), ("new last", How::AllEnded));
    assert_eq!(ask(&status).await.unwrap().connections, 2);
    let left = std::fs::read_dir(engine.directory.path()).unwrap().flatten().map(|entry| entry.file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().starts_with("status.")), "its own path");
    successor.abort();
}
