//! A new process that speaks TLS: what it passes is not the client's connection.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tunnel::dialect2::{Over, Turn};

use super::{Two, come_back, read, soon, text};
use crate::certificates::Authority;

/// Where TLS begins on the way to `to`.
async fn tls_to(to: SocketAddr, authority: &Authority) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, client) = (listener.local_addr().unwrap(), Arc::new(authority.client(None)));
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let client = client.clone();
            tokio::spawn(async move {
                let stream = TcpStream::connect(to).await.unwrap();
                let mut tls = client.connect("localhost".try_into().unwrap(), stream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut plain, &mut tls).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn what_is_under_tls_is_carried_and_waited_for() {
    let authority = Authority::new();
    authority.issue("server");
    let (cert, key) = (authority.path("server.pem"), authority.path("server.key"));
    let two = Two::start(&["--tls-cert", text(&cert), "--tls-key", text(&key)]).await;
    let (mut client, mut far) = two.open().await;
    client.gateway = tls_to(client.gateway, &authority).await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    come_back(&mut client).await.unwrap();
    client.exchange(&mut far, b"again").await;
    two.new.gateway.stop.draining.cancel();
    let much: Vec<u8> = (0..60_000_u32).map(|at| (at / 251).to_le_bytes()[0]).collect();
    client.exchange(&mut far, &much).await;
    assert!(!two.new.gateway.running.is_finished(), "it has a connection to carry");
    client.during(async |app| app.shutdown().await.unwrap()).await;
    client.during(async |_| assert_eq!(soon(far.read(&mut [0; 1])).await.unwrap(), 0)).await;
    far.write_all(b"bye").await.unwrap();
    drop(far);
    client.during(async |app| assert_eq!(read(app, 3).await, b"bye")).await;
    assert_eq!(client.turn().await, Turn::Over(Over::Finished));
    soon(two.new.gateway.running).await.unwrap();
}
