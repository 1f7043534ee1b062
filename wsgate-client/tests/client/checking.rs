//! `check URL`, against gateways that fail in every way.

use tokio::io::AsyncWriteExt;

use crate::certificates::Authority;
use crate::client::checked;
use crate::gateway::{Asked, Down, Gateway, message};
use crate::soon;

/// What each line begins with.
fn verdicts(said: &str) -> Vec<&str> {
    said.lines().map(|line| line.split("  ").next().unwrap()).collect()
}

fn line<'s>(said: &'s str, step: &str) -> &'s str {
    said.lines().find(|line| line[8..].starts_with(step)).unwrap_or_else(|| panic!("no {step}: {said}"))
}

fn key() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let key = token::PrivateKey::generate(token::NewKey::P256).unwrap();
    std::io::Write::write_all(&mut file, key.to_pem().unwrap().as_bytes()).unwrap();
    file
}

/// Grants the upgrade, answers the ping, and waits for the Close.
async fn is_a_good_gateway<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut asked: Asked<S>) {
    asked.grant(&message(b"a greeting of the destination")).await;
    let (first, ping) = asked.frame().await;
    assert_eq!((first, ping.len()), (0x89, 8));
    asked.stream.write_all(&message(b"more")).await.unwrap();
    asked.stream.write_all(&[&[0x8a, 8][..], &ping].concat()).await.unwrap();
    assert_eq!(asked.frame().await, (0x88, vec![0x03, 0xe8]), "nothing is left open");
    asked.stream.write_all(b"\x88\x02\x03\xe8").await.unwrap();
}

#[tokio::test]
async fn all_is_well_under_tls_with_a_key() {
    let authority = Authority::new();
    let acceptor = authority.server("DNS:localhost");
    let (gateway, key) = (Gateway::new().await, key());
    let port = gateway.address().port();
    let ca = authority.file();
    let url = format!("https://localhost:{port}/proxy/mysql");
    let flags = ["--ca", ca.to_str().unwrap(), "--private-key", key.path().to_str().unwrap()];
    let flags = [&flags[..], &["--private-key-user=alice"]].concat();
    let serving = async {
        let asked = Asked::read(soon(acceptor.accept(gateway.connection().await)).await.unwrap()).await;
        let token = asked.values("authorization")[0].to_owned();
        is_a_good_gateway(asked).await;
        token
    };
    let ((good, said), token) = tokio::join!(checked(&url, &flags), serving);
    assert!(good, "{said}");
    assert!(line(&said, "credential").contains("--private-key: alice, until 2"), "{said}");
    assert!(line(&said, "name").contains("localhost is "), "{said}");
    assert!(line(&said, "TCP").contains(&format!(":{port} in ")), "{said}");
    assert!(line(&said, "TLS").contains("TLSv1.3, certificate of CN=server by CN="), "{said}");
    assert!(line(&said, "upgrade").contains("101 Switching Protocols"), "{said}");
    assert!(line(&said, "round trip").ends_with(" ms"), "{said}");
    assert_eq!(verdicts(&said), ["ok"; 7]);
    assert!(!said.contains(token.strip_prefix("Bearer ").unwrap()), "{said}");
}

#[tokio::test]
async fn refusals_are_shown_with_what_to_do() {
    for (answer, says, fix) in [
        (
            "401 Unauthorized\r\nWsgate-Refusal: credential\r\nContent-Length: 8\r\n\r\nno token",
            "gateway answered 401 Unauthorized: no token",
            "--private-key FILE",
        ),
        (
            "404 Not Found\r\nWsgate-Refusal: unknown-destination\r\nContent-Length: 0\r\n\r\n",
            "gateway answered 404 Not Found",
            "map",
        ),
        (
            "502 Bad Gateway\r\nWsgate-Refusal: destination-refused\r\nContent-Length: 5\r\n\r\nmysql",
            "gateway answered 502 Bad Gateway: mysql",
            "does the destination run?",
        ),
        ("200 OK\r\nContent-Length: 2\r\n\r\nOK", "gateway answered 200 OK: OK", "no gateway"),
    ] {
        let gateway = Gateway::new().await;
        let url = gateway.url();
        let serving = async {
            gateway.asked().await.answer(&format!("HTTP/1.1 {answer}")).await;
        };
        let ((good, said), ()) = tokio::join!(checked(&url, &[]), serving);
        assert!(!good && gateway.is_left_alone(), "one attempt: {said}");
        assert_eq!(line(&said, "upgrade"), format!("FAILED  upgrade     {says}"));
        assert!(line(&said, "fix").contains(fix), "{said}");
    }
}

#[tokio::test]
async fn what_is_not_reached_is_shown_with_what_to_do() {
    let down = Down::new();
    for (url, step, says, fix) in [
        ("http://gw.invalid/proxy/x".to_owned(), "name", "gw.invalid: ", "getent"),
        (
            format!("http://{}/", down.address()),
            "TCP",
            "cannot connect: connection failed: Connection refused",
            "port",
        ),
    ] {
        let (good, said) = checked(&url, &[]).await;
        let failed = line(&said, step);
        assert!(!good && failed.starts_with("FAILED") && failed.contains(says), "{said}");
        assert!(line(&said, "fix").contains(fix), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_of_strangers_is_shown_with_what_to_do() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let gateway = Gateway::new().await;
    let ca = ours.file();
    let flags = ["--ca", ca.to_str().unwrap()];
    let port = gateway.address().port();
    let url = format!("https://127.0.0.1:{port}/");
    for (acceptor, fix) in
        [(theirs.server("IP:127.0.0.1"), "--ca FILE"), (ours.server("DNS:other"), "--tls-server-name NAME")]
    {
        let serving = async {
            assert!(acceptor.accept(gateway.connection().await).await.is_err());
        };
        let ((good, said), ()) = tokio::join!(checked(&url, &flags), serving);
        assert!(!good && line(&said, "TLS").starts_with("FAILED"), "{said}");
        assert!(line(&said, "fix").contains(fix), "{said}");
    }
    // The flag that is named helps.
    let acceptor = ours.server("DNS:other");
    let serving = async {
        is_a_good_gateway(Asked::read(acceptor.accept(gateway.connection().await).await.unwrap()).await)
            .await;
    };
    let flags = [&flags[..], &["--tls-server-name=other"]].concat();
    let ((good, said), ()) = tokio::join!(checked(&url, &flags), serving);
    assert!(good, "{said}");
}

#[tokio::test]
async fn the_proxy_has_a_line() {
    let proxy = Gateway::new().await;
    let flag = format!("--proxy=http://u:sesame@{}", proxy.address());
    let flags = [flag.as_str()];
    for (answer, verdict) in [("200 OK", "ok"), ("407 Proxy Authentication Required", "FAILED")] {
        let serving = async {
            let mut connect = proxy.asked().await;
            connect.answer(&format!("HTTP/1.1 {answer}\r\n\r\n")).await;
            if verdict == "ok" {
                is_a_good_gateway(Asked::read(connect.stream).await).await;
            }
        };
        let ((good, said), ()) = tokio::join!(checked("http://gw.example.com/", &flags), serving);
        assert_eq!(good, verdict == "ok", "{said}");
        assert!(line(&said, "proxy").starts_with(verdict), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[tokio::test]
async fn an_upgrade_that_carries_nothing_is_recognised() {
    let gateway = Gateway::new().await;
    let url = gateway.url();
    let serving = async {
        gateway.asked().await.grant(b"\x88\x02\x03\xf3").await;
    };
    let ((good, said), ()) = tokio::join!(checked(&url, &[]), serving);
    assert!(!good);
    assert!(line(&said, "round trip").contains("closed at once, with code 1011"), "{said}");
}
