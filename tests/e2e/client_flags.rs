//! The client's flags for TLS and for listening, one test a row.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use e2e::balancer::Balancer;
use e2e::certificate::Authority;
use e2e::destination::Destination;
use e2e::eventually::{eventually, within};
use e2e::process::Signal;
use e2e::programs::{Client, Gateway, addresses, connect};
use e2e::scratch::Scratch;
use e2e::websocket::End;

/// A tunnel of this client works.
pub(crate) fn echo_through(client: &Client) {
    let application = client.connect();
    assert!(echoes(&application), "no echo through the client:\n{}", client.process.stderr());
}

/// The application's connection ends within a few seconds, and the log says why.
pub(crate) fn fails(client: &Client, reported: &str) {
    let application = client.connect();
    application.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_ne!(End::of_stream(&application), End::Silence, "the application is told promptly");
    within(Duration::from_secs(5), reported, || client.process.stderr().contains(reported).then_some(()));
}

pub(crate) fn echoes(mut application: &TcpStream) -> bool {
    let mut got = [0; 5];
    application.write_all(b"hello").is_ok() && application.read_exact(&mut got).is_ok() && &got == b"hello"
}

#[test]
fn ca_is_trusted_instead_of_the_systems_roots() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let [authority, foreign] = [(); 2].map(|()| Authority::new());
    let nginx = Balancer::nginx(gateway.address, &authority);
    let url = format!("{}/proxy/db", nginx.https.as_ref().unwrap());
    echo_through(&Client::start(&url, &["--ca", &authority.ca()]));
    for flags in [&["--ca", &foreign.ca()][..], &[]] {
        let flags = [flags, &["--connect-timeout", "2s"]].concat();
        fails(&Client::start(&url, &flags), "ertificate");
    }
}

#[test]
fn tls_server_name_is_the_name_that_the_certificate_must_have() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let authority = Authority::new();
    let nginx = Balancer::nginx(gateway.address, &authority);
    // An address that the certificate does not have.
    let url = format!("{}/proxy/db", nginx.https.as_ref().unwrap().replace("localhost", "127.0.0.1"));
    let flags = ["--ca", &authority.ca(), "--connect-timeout", "2s", "--tls-server-name"];
    echo_through(&Client::start(&url, &[&flags[..], &["localhost"]].concat()));
    fails(&Client::start(&url, &[&flags[..], &["another.test"]].concat()), "ertificate");
}

#[test]
fn client_cert_is_read_again_when_it_changes() {
    let destination = Destination::echo();
    let [authority, foreign] = [(); 2].map(|()| Authority::new());
    let (certificate, key, ca) = (authority.certificate(), authority.key(), authority.ca());
    let flags = ["--tls-cert", &certificate, "--tls-key", &key, "--client-ca", &ca];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    let dir = Scratch::new();
    let install = |(certificate, key): (String, String)| {
        for (from, to) in [(certificate, "client.pem"), (key, "client.key")] {
            fs::copy(from, dir.file(to)).unwrap();
        }
    };
    install(foreign.issue("alice"));
    let (certificate, key) = (dir.file("client.pem"), dir.file("client.key"));
    let flags = ["--ca", &ca, "--client-cert", &certificate, "--client-key", &key, "--connect-timeout", "1s"];
    let mut client = Client::start(&gateway.https("db"), &flags);
    fails(&client, "");
    install(authority.issue("alice"));
    client.process.signal(Signal::HUP);
    eventually("the new certificate is used", || echoes(&client.connect()).then_some(()));
}

#[test]
fn map_may_listen_on_unix_sockets() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let scratch = Scratch::new();
    let socket = scratch.file("db.sock");
    // A file that nobody answers on is replaced.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let url = gateway.url("db");
    let _client = Client::with_map(&format!("127.0.0.1:0,{url}\nunix:{socket},{url}\n"), &[]);
    let mut application = eventually("it listens there", || UnixStream::connect(&socket).ok());
    application.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    application.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    application.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "not for everybody: {mode:o}");
}

#[test]
fn map_is_reloaded_open_tunnels_stay_and_removed_listeners_close() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let url = gateway.url("db");
    let [kept, removed, added] = [(); 3].map(|()| e2e::destination::refusing());
    let map = |lines: &[std::net::SocketAddr]| -> String {
        lines.iter().map(|address| format!("{address},{url}\n")).collect()
    };
    let mut client = Client::with_map(&map(&[kept, removed]), &[]);
    eventually("both listen", || (addresses(&client.process).len() == 2).then_some(()));
    let open = [kept, removed].map(connect);
    assert!(open.iter().all(echoes));

    client.scratch().write("client.map", map(&[kept, added]));
    client.process.signal(Signal::HUP);
    eventually("the new listener serves", || TcpStream::connect(added).ok());
    assert!(echoes(&connect(added)) && echoes(&connect(kept)));
    eventually("the old one does not", || TcpStream::connect(removed).is_err().then_some(()));

    client.scratch().write("client.map", format!("{kept},{url}\nnowhere\n"));
    client.process.signal(Signal::HUP);
    eventually("a bad map is complained about", || {
        client.process.stderr().contains("client.map:2").then_some(())
    });
    assert!(echoes(&connect(added)) && echoes(&connect(kept)), "a bad map keeps the old");
    assert!(open.iter().all(echoes), "no tunnel was ended");
}

#[test]
fn map_is_reloaded_when_the_file_changes() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let url = gateway.url("db");
    let [kept, added] = [(); 2].map(|()| e2e::destination::refusing());
    let client = Client::with_map(&format!("{kept},{url}\n"), &[]);
    let open = connect(kept);
    assert!(echoes(&open));
    let new = client.scratch().write("new.map", format!("{kept},{url}\n{added},{url}\n"));
    fs::rename(new, client.scratch().file("client.map")).unwrap();
    eventually("the new listener serves", || TcpStream::connect(added).ok());
    assert!(echoes(&open) && echoes(&connect(added)));
}
