//! Asking a running proxy for its status.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use daemon::listen::{Host, ListenAddr};
use relay::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::document::Document;
use super::siblings;

/// What asking may take.
const EXCHANGE: Duration = Duration::from_secs(5);

/// More than this is no status.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The status of the proxy at `address`. The connections are also those of other processes that carry some: of
/// its former generation, say.
///
/// # Errors
/// If nobody answers in time, or somebody else, or if one of the others lives and does not answer: what it
/// carries is not known then.
pub async fn ask(address: &ListenAddr) -> Result<Document> {
    let mut document = ask_one(address).await?;
    let ListenAddr::Unix(path) = address else { return Ok(document) };
    for other in siblings::others(path, document.pid) {
        match ask_one(&ListenAddr::Unix(other.clone())).await {
            Ok(other) => document.add(&other),
            // It may have ended meanwhile, or may have been killed long ago.
            Err(_) if siblings::is_dead(&other).await => {}
            Err(error) => return Err(error),
        }
    }
    Ok(document)
}

async fn ask_one(address: &ListenAddr) -> Result<Document> {
    let answer = timeout(EXCHANGE, exchange(address)).await.context("no answer in 5 s");
    answer.and_then(|answer| document(&answer?)).with_context(|| format!("asking the proxy at {address}"))
}

async fn exchange(address: &ListenAddr) -> Result<Vec<u8>> {
    let target = match address {
        ListenAddr::Unix(path) => Address::Unix(path.clone()),
        ListenAddr::Tcp { host, port } => Address::Tcp { host: reachable(host), port: *port },
    };
    let mut socket = relay::dial(&target, None).await.map_err(|error| {
        let hint = "is motarei running, and is --status its --status-listen?";
        anyhow::Error::from(error).context(hint)
    })?;
    // HTTP/1.0, so that the answer is not chunked and ends with the connection.
    socket.write_all(b"GET /status HTTP/1.0\r\n\r\n").await?;
    let mut answer = Vec::new();
    socket.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Where somebody answers who listens on `host`.
fn reachable(host: &Host) -> String {
    match host {
        Host::Any => "localhost".to_owned(),
        Host::Ip(ip) if ip.is_unspecified() => "localhost".to_owned(),
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    }
}

/// What follows the head of an answer, which must be 200.
fn document(answer: &[u8]) -> Result<Document> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let line = head.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => serde_json::from_slice(&answer[end + 4..]).context("the answer is no status"),
        _ => bail!("the answer is {line:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn reads_an_answer_of_another_version() {
        for (body, apps) in [
            ("{}", 0),
            (r#"{"version":"9","apps":[{"name":"web","future":[1],"containers":[{"id":"a"}]}]}"#, 1),
            (r#"{"apps":[{"labels":["app=web"],"routed":null,"containers":[]},{}]}"#, 2),
        ] {
            let document = document(format!("HTTP/1.0 200 OK\r\nx: y\r\n\r\n{body}").as_bytes()).unwrap();
            assert_eq!(document.apps.len(), apps, "{body}");
        }
        for answer in [
            "",
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.0 404 Not Found\r\n\r\n{}",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.0 200 OK\r\n",
            "HTTP/1.1 200 OK\r\n\r\n[1]",
        ] {
            assert!(document(answer.as_bytes()).is_err(), "{answer}");
        }
    }

    #[tokio::test]
    async fn asks_over_tcp_and_says_who_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: ListenAddr = listener.local_addr().unwrap().to_string().parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"apps\":[{}]}").await.unwrap();
        });
        assert_eq!(ask(&address).await.unwrap().apps.len(), 1);
        server.await.unwrap();
        let error = format!("{:#}", ask(&address).await.unwrap_err());
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
