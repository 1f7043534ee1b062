//! Clients that must show a certificate, session resumption, and which protocol is spoken.

use std::sync::Arc;

use https::fetch::Request;
use https::{ClientTls, ServerTls};
use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::authority::{Authority, EXPIRED, Files, GOOD};
use crate::stand::{Stand, chain, client, ok};

#[tokio::test]
async fn a_client_must_show_a_certificate() {
    let [ca, clients, other] = ["test CA", "client CA", "other CA"].map(Authority::new);
    let files = Files::new();
    let stand = Stand::start(Some(Arc::new(files.server(&ca, Some(&clients)))), |_| ok("in")).await;
    let rows = [
        (Some(clients.issue("alice", GOOD)), None),
        (None, Some("CertificateRequired")),
        (Some(clients.issue("alice", EXPIRED)), Some("CertificateExpired")),
        (Some(other.issue("alice", GOOD)), Some("UnknownCA")),
    ];
    for (issued, expected) in rows {
        let identity = issued.map(|issued| files.identity("client", issued));
        let client = client(files.client(&ca, identity));
        match (client.send(&Request::get(stand.url("localhost", "/"))).await, expected) {
            (Ok(answer), None) => assert_eq!(answer.body, "in"),
            (Err(error), Some(expected)) => {
                let error = chain(error);
                assert!(error.starts_with("no TLS with localhost: ") && error.contains(expected), "{error}");
            }
            (result, _) => panic!("{expected:?}: {result:?}"),
        }
    }
    assert_eq!(stand.seen().len(), 1);
}

/// One connection, with a byte each way so that tickets arrive; what both ends say of it.
async fn handshake(client: &ClientTls, server: &ServerTls) -> [Option<HandshakeKind>; 2] {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("gw.test").unwrap();
    let (client, server) = tokio::join!(client.connect(name, ours), server.accept(theirs));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    client.write_all(b"x").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');
    server.write_all(b"y").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'y');
    let (client, server) = (client.get_ref().1, server.get_ref().1);
    assert_eq!(client.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(server.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(server.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    [client.handshake_kind(), server.handshake_kind()]
}

#[tokio::test]
async fn a_session_is_resumed() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let (server, client) = (files.server(&ca, None), files.client(&ca, None));
    assert_eq!(handshake(&client, &server).await, [Some(HandshakeKind::Full); 2]);
    assert_eq!(handshake(&client, &server).await, [Some(HandshakeKind::Resumed); 2]);
}

/// A resumed session would skip the look at the certificate, and at when it expires.
#[tokio::test]
async fn a_session_with_a_client_certificate_is_not_resumed() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let identity = files.identity("client", ca.issue("alice", GOOD));
    let (server, client) = (files.server(&ca, Some(&ca)), files.client(&ca, Some(identity)));
    for _ in 0..3 {
        assert_eq!(handshake(&client, &server).await, [Some(HandshakeKind::Full); 2]);
    }
}

/// Only HTTP/1.1 is offered, so a client that wants HTTP/2 alone is told so.
#[tokio::test]
async fn http_2_alone_is_refused() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let (server, client) = (files.server(&ca, None), files.client(&ca, None));
    let mut config = (*client.config()).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let connect = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("gw.test").unwrap(), ours);
    let (client, server) = tokio::join!(connect, server.accept(theirs));
    assert!(client.unwrap_err().to_string().contains("NoApplicationProtocol"));
    assert!(server.is_err());
}
