//! Certificates that are replaced while connections come and go.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use https::{Changed, ClientTls, ServerTls};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::authority::{Authority, Files, GOOD, shown};
use crate::stand::chain;

type ClientEnd = tokio_rustls::client::TlsStream<DuplexStream>;
type ServerEnd = tokio_rustls::server::TlsStream<DuplexStream>;

async fn connect(client: &ClientTls, server: &ServerTls) -> (ClientEnd, ServerEnd) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("gw.test").unwrap();
    let (client, server) = tokio::join!(client.connect(name, ours), server.accept(theirs));
    (client.unwrap(), server.unwrap())
}

async fn ping((client, server): &mut (ClientEnd, ServerEnd)) {
    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    let mut bytes = [0; 4];
    server.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
}

/// The certificate that the server shows.
fn certificate((client, _): &(ClientEnd, ServerEnd)) -> Vec<u8> {
    client.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn new_connections_get_the_new_certificate() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let (server, client) = (files.server(&ca, None), files.client(&ca, None));
    let mut old = connect(&client, &server).await;
    assert_eq!(server.reload().unwrap(), Changed::Nothing);
    files.identity("server", ca.issue("gw.test", GOOD));
    assert_eq!(server.reload().unwrap(), Changed::Swapped);
    assert_eq!(server.reload().unwrap(), Changed::Nothing);
    let mut new = connect(&client, &server).await;
    assert_ne!(certificate(&old), certificate(&new));
    ping(&mut old).await;
    ping(&mut new).await;
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_certificate() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let (server, client) = (files.server(&ca, Some(&ca)), {
        let identity = files.identity("client", ca.issue("alice", GOOD));
        files.client(&ca, Some(identity))
    });
    let before = certificate(&connect(&client, &server).await);
    let good = |name: &str| std::fs::read(files.path(name)).unwrap();
    for name in ["server.pem", "server.key", "clients.pem"] {
        let text = good(name);
        for bad in [b"".as_slice(), &text[..text.len() / 2]] {
            files.write(name, bad);
            let error = chain(server.reload().unwrap_err());
            assert!(error.contains(&shown(&files.path(name))), "{error}");
            assert_eq!(certificate(&connect(&client, &server).await), before);
        }
        files.write(name, text);
    }
    files.write("server.pem", &ca.issue("gw.test", GOOD)[0]);
    assert!(chain(server.reload().unwrap_err()).contains("does not belong to"), "half of a rotation");
    assert_eq!(certificate(&connect(&client, &server).await), before);
}

/// A client CA that is replaced counts from the next connection on, whatever sessions there are.
#[tokio::test]
async fn the_client_authority_is_replaced() {
    let (ca, new) = (Authority::new("test CA"), Authority::new("new CA"));
    let files = Files::new();
    let old_client = files.identity("old", ca.issue("alice", GOOD));
    let new_client = files.identity("new", new.issue("alice", GOOD));
    let server = files.server(&ca, Some(&ca));
    let old_client = files.client(&ca, Some(old_client));
    let new_client = files.client(&ca, Some(new_client));
    let mut open = connect(&old_client, &server).await;
    files.write("clients.pem", new.pem());
    assert_eq!(server.reload().unwrap(), Changed::Swapped);
    ping(&mut connect(&new_client, &server).await).await;
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("gw.test").unwrap();
    let (_, refused) = tokio::join!(old_client.connect(name, ours), server.accept(theirs));
    assert!(refused.is_err());
    ping(&mut open).await;
}

#[tokio::test]
async fn the_client_certificate_is_replaced() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let server = files.server(&ca, Some(&ca));
    let identity = files.identity("client", ca.issue("alice", GOOD));
    let client = files.client(&ca, Some(identity));
    let shown =
        |(_, server): &(ClientEnd, ServerEnd)| server.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let before = shown(&connect(&client, &server).await);
    files.identity("client", ca.issue("alice", GOOD));
    assert_eq!(client.reload().unwrap(), Changed::Swapped);
    assert_ne!(shown(&connect(&client, &server).await), before);
    files.write("client.key", "");
    assert!(client.reload().is_err());
    connect(&client, &server).await;
    files.write("ca.pem", Authority::new("other CA").pem());
    assert!(client.reload().is_err(), "all or nothing");
    connect(&client, &server).await;
}

/// Twenty rotations while four clients connect all the time: every connection is made and carries
/// bytes, and every certificate is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn certificates_rotate_under_load() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let server = Arc::new(files.server(&ca, None));
    let client = Arc::new(files.client(&ca, None));
    let done = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (server, client, done) = (server.clone(), client.clone(), done.clone());
            tokio::spawn(async move {
                let mut connections = 0;
                while !done.load(Ordering::Relaxed) {
                    ping(&mut connect(&client, &server).await).await;
                    connections += 1;
                }
                connections
            })
        })
        .collect();
    let mut seen = HashSet::new();
    for _ in 0..20 {
        seen.insert(certificate(&connect(&client, &server).await));
        files.identity("server", ca.issue("gw.test", GOOD));
        assert_eq!(server.reload().unwrap(), Changed::Swapped);
    }
    done.store(true, Ordering::Relaxed);
    for task in load {
        assert!(task.await.unwrap() > 0);
    }
    assert_eq!(seen.len(), 20);
}
