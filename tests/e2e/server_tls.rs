//! TLS at the gateway, client certificates, and certificates that change while it runs.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use e2e::certificate::{Authority, openssl};
use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::http::Request;
use e2e::process::Signal;
use e2e::programs::{Client, Gateway, connect, needed};
use e2e::scratch::Scratch;
use e2e::websocket::End;

use super::client_flags::{echo_through, fails};

/// A gateway that speaks TLS with this pair.
fn gateway(destination: &Destination, certificate: &str, key: &str, flags: &[&str]) -> Gateway {
    let tls = ["--tls-cert", certificate, "--tls-key", key];
    Gateway::start(&destination.map("db"), &[&tls, flags].concat())
}

/// The subject of the certificate that a gateway shows.
fn shown(gateway: &Gateway) -> String {
    let mut command = Command::new(needed("openssl", "openssl"));
    command.args(["s_client", "-connect", &gateway.address.to_string(), "-servername", "localhost"]);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("subject=")).unwrap_or("").to_owned()
}

#[test]
fn tls_cert_and_tls_key_make_the_gateway_speak_tls_and_nothing_else() {
    let destination = Destination::echo();
    let authority = Authority::new();
    let gateway = gateway(&destination, &authority.certificate(), &authority.key(), &[]);
    let client = Client::start(&gateway.https("db"), &["--ca", &authority.ca()]);
    echo_through(&client);
    let mut plain = connect(gateway.address);
    plain.write_all(Request::upgrade("/proxy/db").head().as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 101"), "{:?}", String::from_utf8_lossy(&answer));
    assert_eq!(destination.dialled(), 1);
}

#[test]
fn client_ca_refuses_who_has_no_certificate_of_it() {
    let destination = Destination::echo();
    let [authority, foreign] = [(); 2].map(|()| Authority::new());
    let flags = ["--client-ca", &authority.ca()];
    let gateway = gateway(&destination, &authority.certificate(), &authority.key(), &flags);
    let ca = authority.ca();
    let ((ours, our_key), (theirs, their_key)) = (authority.issue("alice"), foreign.issue("alice"));
    let short = ["--ca", &ca, "--connect-timeout", "2s"];
    fails(&Client::start(&gateway.https("db"), &short), "ertificate");
    let foreign = [&short[..], &["--client-cert", &theirs, "--client-key", &their_key]].concat();
    fails(&Client::start(&gateway.https("db"), &foreign), "");
    assert_eq!(destination.dialled(), 0);
    let good = ["--ca", &ca, "--client-cert", &ours, "--client-key", &our_key];
    echo_through(&Client::start(&gateway.https("db"), &good));
}

#[test]
fn tls_certificates_are_rotated_under_load_and_no_connection_notices() {
    let destination = Destination::echo();
    let authority = Authority::new();
    let dir = Scratch::new();
    let install = |name: &str| {
        let (certificate, key) = authority.issue(name);
        for (from, to) in [(certificate, "tls.pem"), (key, "tls.key")] {
            let new = dir.file(&format!("{to}.new"));
            fs::copy(from, &new).unwrap();
            fs::rename(new, dir.file(to)).unwrap();
        }
    };
    install("first");
    let mut gateway = gateway(&destination, &dir.file("tls.pem"), &dir.file("tls.key"), &[]);
    assert!(shown(&gateway).contains("first"), "{}", shown(&gateway));
    let client = Client::start(&gateway.https("db"), &["--ca", &authority.ca()]);
    let old = client.connect();
    assert!(echoes(&old));
    let (stop, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert!(echoes(&client.connect()), "a connection during the rotation fails");
                made.fetch_add(1, Ordering::Relaxed);
            }
        });
        install("second"); // found by looking
        eventually("the second is shown", || shown(&gateway).contains("second").then_some(()));
        install("third"); // announced
        gateway.process.signal(Signal::HUP);
        eventually("the third is shown", || shown(&gateway).contains("third").then_some(()));
        fs::write(dir.file("tls.pem"), "garbage").unwrap();
        eventually("garbage is complained about", || {
            let events = gateway.process.events();
            events.iter().any(|event| event.level() == "error").then_some(())
        });
        assert!(shown(&gateway).contains("third"), "a bad file keeps the old");
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap();
    });
    assert!(made.load(Ordering::Relaxed) > 3);
    assert!(echoes(&old), "an open tunnel lives on");
}

#[test]
fn tls_files_that_do_not_fit_are_an_error_at_start() {
    let authority = Authority::new();
    let scratch = Scratch::new();
    openssl(&scratch, "genpkey -algorithm ED25519 -out other.key");
    let (certificate, key, other) = (authority.certificate(), authority.key(), scratch.file("other.key"));
    for (what, flags) in [
        ("a key of another certificate", vec!["--tls-cert", &certificate, "--tls-key", &other]),
        ("no key", vec!["--tls-cert", &certificate]),
        ("no certificate", vec!["--tls-key", &key]),
        ("a key as certificate", vec!["--tls-cert", &key, "--tls-key", &key]),
        ("client certificates without TLS", vec!["--client-ca", &certificate]),
    ] {
        let mut command = Command::new(e2e::programs::program("wsgate-server"));
        command.args(["--listen", "127.0.0.1:0"]).args(flags);
        let mut process = e2e::process::Process::spawn("wsgate-server", &mut command);
        let status = process.wait(std::time::Duration::from_secs(10));
        assert_eq!(status.code(), Some(2), "{what}: {}", process.stderr());
        assert!(!process.stderr().contains("PRIVATE"), "{what}: {}", process.stderr());
    }
}

#[test]
fn a_tls_handshake_that_never_ends_is_cut_at_the_handshake_timeout() {
    let authority = Authority::new();
    let flags = ["--handshake-timeout", "1s"];
    let gateway = gateway(&Destination::echo(), &authority.certificate(), &authority.key(), &flags);
    let mut stream = connect(gateway.address);
    stream.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap(); // the beginning of a ClientHello
    stream.set_read_timeout(Some(std::time::Duration::from_secs(6))).unwrap();
    assert_ne!(End::of_stream(&stream), End::Silence);
}

fn echoes(mut application: &std::net::TcpStream) -> bool {
    let mut got = [0; 5];
    application.write_all(b"hello").is_ok() && application.read_exact(&mut got).is_ok() && &got == b"hello"
}
