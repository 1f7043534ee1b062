//! Asking a running proxy for its status.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use daemon::listen::{Host, ListenAddr};
use relay::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::document::Document;

/// What asking may take.
const EXCHANGE: Duration = Duration::from_secs(5);

/// More than this is no status.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The status of the proxy at `address`.
///
/// # Errors
/// If nobody answers, or somebody else.
pub async fn ask(address: &ListenAddr) -> Result<Document> {
    let place = || format!("asking for the status at {address}");
    let asked = timeout(EXCHANGE, exchange(address)).await;
    let answer = asked.context("no answer in 5 s").and_then(|answer| answer).with_context(place)?;
    let document = body(&answer).with_context(place)?;
    serde_json::from_slice(document).context("the answer is no status").with_context(place)
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
fn body(answer: &[u8]) -> Result<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let line = head.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => Ok(&answer[end + 4..]),
        _ => bail!("the answer is {line:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_a_good_answer_follows_its_head() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\ncontent-type: x\r\n\r\n{}").unwrap(), b"{}");
        for answer in ["", "HTTP/1.0 200 OK\r\n", "HTTP/1.0 404 Not Found\r\n\r\n", "+OK\r\n\r\n"] {
            assert!(body(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
