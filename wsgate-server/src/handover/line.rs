//! A message between two gateways: a line of JSON.

use std::io::{self, ErrorKind};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// What we speak. A message that an older process would misunderstand gets another number.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    message: T,
}

/// The line, its end included.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn of(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Versioned { v: VERSION, message })?;
    line.push(b'\n');
    Ok(line)
}

/// What the line says.
///
/// # Errors
/// If it is none of ours.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    let versioned: Versioned<T> = serde_json::from_slice(line)?;
    if versioned.v != VERSION {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("of version {}", versioned.v)));
    }
    Ok(versioned.message)
}

/// The one line of at most `longest` bytes that the peer sends before it hears from us again.
///
/// # Errors
/// If it sends something else, or nothing more.
pub(super) async fn read<T: DeserializeOwned>(stream: &mut UnixStream, longest: usize) -> io::Result<T> {
    let mut line = Vec::new();
    let mut bounded = stream.take(longest as u64);
    while line.last() != Some(&b'\n') {
        if bounded.read_buf(&mut line).await? == 0 {
            let cut = if bounded.limit() == 0 { ErrorKind::InvalidData } else { ErrorKind::UnexpectedEof };
            return Err(cut.into());
        }
    }
    parse(&line)
}

/// # Errors
/// If the peer takes no more.
pub(super) async fn write(stream: &mut UnixStream, line: &[u8]) -> io::Result<()> {
    stream.write_all(line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Said {
        word: String,
    }

    fn said(word: &str) -> Said {
        Said { word: word.to_owned() }
    }

    #[test]
    fn a_line_is_one_line_of_our_version() {
        let line = of(&said("a\nb")).unwrap();
        assert_eq!(line, b"{\"v\":1,\"word\":\"a\\nb\"}\n");
        assert_eq!(parse::<Said>(&line).unwrap(), said("a\nb"));
        assert_eq!(parse::<Said>(b"{\"word\":\"x\",\"more\":[1],\"v\":1}\n").unwrap(), said("x"));
        for bad in [
            "",
            "\n",
            "{\"word\":\"x\"}\n",
            "{\"v\":2,\"word\":\"x\"}\n",
            "{\"v\":1}\n",
            "{\"v\":1,\"word\":\"x\"}\n{}\n",
        ] {
            assert!(parse::<Said>(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn what_is_read_is_bounded_and_whole() {
        let whole = of(&said("hello")).unwrap();
        for (sent, longest, good) in [
            (&whole[..], whole.len(), true),
            (&whole[..], whole.len() - 1, false),
            (&whole[..whole.len() - 1], 1024, false),
            (b"", 1024, false),
        ] {
            let (mut from, mut to) = UnixStream::pair().unwrap();
            write(&mut from, sent).await.unwrap();
            drop(from);
            assert_eq!(read::<Said>(&mut to, longest).await.ok(), good.then(|| said("hello")), "{sent:?}");
        }
    }
}
