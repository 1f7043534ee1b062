//! A header from the beginning of a stream.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use super::{Header, Unparsed, parse};

/// Why no header came. The connection is of no use then: some of its bytes may have been read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The peer sent something else; the text says what is wrong with it.
    #[error("bad PROXY header: {0}")]
    Malformed(&'static str),
    /// The peer ended the stream before the header was complete.
    #[error("the stream ended before the PROXY header did")]
    Ended {
        /// How many bytes of it came. Whoever only connects, as a simple health check does, sends none.
        after: usize,
    },
    /// The deadline passed.
    #[error("no PROXY header in time")]
    TimedOut,
    /// The stream failed.
    #[error("the stream failed before the PROXY header was read")]
    Failed(#[source] io::Error),
}

/// Reads the header with which `stream` must begin, of either version, and no byte more: what follows is
/// still to be read. A version 1 line is therefore read two bytes at a time towards its end.
///
/// # Errors
/// See [`ReadError`]. If the future is dropped before it is ready, what it read is lost.
pub async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
    deadline: Instant,
) -> Result<Header, ReadError> {
    timeout_at(deadline, exactly(stream)).await.unwrap_or(Err(ReadError::TimedOut))
}

/// The memory is bounded, since [`parse`] never asks for more than the longest header.
async fn exactly(stream: &mut (impl AsyncRead + Unpin)) -> Result<Header, ReadError> {
    let mut bytes = Vec::new();
    loop {
        let missing = match parse(&bytes) {
            Ok(parsed) => return Ok(parsed.header),
            Err(Unparsed::Malformed(why)) => return Err(ReadError::Malformed(why)),
            Err(Unparsed::NeedMore(missing)) => missing,
        };
        let mut missing = (&mut *stream).take(missing as u64);
        match missing.read_buf(&mut bytes).await {
            Ok(0) => return Err(ReadError::Ended { after: bytes.len() }),
            Ok(_) => {}
            Err(error) => return Err(ReadError::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Version;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn a_stream_is_read_to_the_end_of_its_header_and_no_further() {
        let (source, destination) = (([192, 0, 2, 1], 51234).into(), ([198, 51, 100, 2], 443).into());
        let header = Header::Tcp { source, destination };
        for version in [Version::V1, Version::V2] {
            for size in [1, 7, 4096] {
                let (mut sender, mut stream) = tokio::io::duplex(size);
                let bytes = [header.write(version), b"\r\npayload".to_vec()].concat();
                let sending = tokio::spawn(async move { sender.write_all(&bytes).await.unwrap() });
                assert_eq!(read_header(&mut stream, soon()).await.unwrap(), header);
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap();
                assert_eq!(rest, b"\r\npayload", "{version:?} by {size}");
                sending.await.unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_a_whole_header_is_an_error() {
        let (mut sender, mut stream) = tokio::io::duplex(64);
        sender.write_all(b"SSH").await.unwrap();
        assert!(matches!(read_header(&mut stream, soon()).await, Err(ReadError::Malformed(_))), "at once");

        let (mut sender, mut stream) = tokio::io::duplex(64);
        sender.write_all(b"PROXY TC").await.unwrap();
        let begun = Instant::now();
        assert!(matches!(read_header(&mut stream, soon()).await, Err(ReadError::TimedOut)));
        assert_eq!(begun.elapsed(), Duration::from_secs(5));

        for (sent, bytes) in [(0, &b""[..]), (5, b"PROXY")] {
            let (mut sender, mut stream) = tokio::io::duplex(64);
            sender.write_all(bytes).await.unwrap();
            drop(sender);
            let error = read_header(&mut stream, soon()).await.unwrap_err();
            assert!(matches!(error, ReadError::Ended { after } if after == sent), "{error}");
        }
    }
}
