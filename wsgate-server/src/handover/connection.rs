//! Passing a connection from process to process: its descriptor, and the bytes that were read from it.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use relay::Socket;
use rustix::cmsg_space;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketType, recvmsg, sendmsg, sockopt,
};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::line;

/// What has been read behind a head is at most what was read with it: 64 KiB.
const MOST_EARLY: usize = 128 << 10;
const LONGEST_LINE: usize = 1 << 10;
/// What is taken at once.
const PIECE: usize = 4 << 10;

#[derive(Serialize, Deserialize)]
struct Head {
    early: usize,
}

/// The descriptor of a connection that is ours no longer: our runtime does not watch it any more.
///
/// # Errors
/// If the runtime cannot let go of it.
pub(crate) fn into_descriptor(socket: Socket) -> io::Result<OwnedFd> {
    Ok(match socket {
        Socket::Tcp(stream) => stream.into_std()?.into(),
        Socket::Unix(stream) => stream.into_std()?.into(),
    })
}

/// Gives the connection away, with what has been read from it.
///
/// # Errors
/// If the other process does not take it.
pub(crate) async fn pass(to: &mut UnixStream, connection: OwnedFd, early: &[u8]) -> io::Result<()> {
    if early.len() > MOST_EARLY {
        return Err(io::Error::new(ErrorKind::InvalidInput, "too much has been read already"));
    }
    let bytes = [&line::of(&Head { early: early.len() })?, early].concat();
    let sent = to.async_io(Interest::WRITABLE, || send(to, &bytes, &connection)).await?;
    line::write(to, &bytes[sent..]).await
}

/// A connection, and what has been read from it.
///
/// # Errors
/// If something else comes, or nothing.
pub(crate) async fn receive(from: &UnixStream) -> io::Result<(Socket, Vec<u8>)> {
    let (mut bytes, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let mut piece = vec![0; PIECE];
        let n = from.async_io(Interest::READABLE, || take(from, &mut piece, &mut descriptors)).await?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if descriptors.len() > 1 {
            return Err(ErrorKind::InvalidData.into()); // before they pile up
        }
        bytes.extend_from_slice(&piece[..n]);
        if let Some(head) = whole(&bytes)? {
            let early = bytes.split_off(head);
            return Ok((connection(descriptors)?, early));
        }
    }
}

/// The length of the line at the beginning, if it and all that it announces is there.
fn whole(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        let unfinished = bytes.len() < LONGEST_LINE;
        return if unfinished { Ok(None) } else { Err(ErrorKind::InvalidData.into()) };
    };
    let head = end + 1;
    let early = line::parse::<Head>(&bytes[..head])?.early;
    let there = bytes.len() - head;
    if early > MOST_EARLY || there > early {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok((there == early).then_some(head))
}

fn send(to: &UnixStream, bytes: &[u8], descriptor: &OwnedFd) -> io::Result<usize> {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    Ok(sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

fn take(from: &UnixStream, piece: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(from, &mut [IoSliceMut::new(piece)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for one in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = one {
            descriptors.extend(passed);
        }
    }
    Ok(message.bytes)
}

/// The one descriptor, which is a stream's.
fn connection(descriptors: Vec<OwnedFd>) -> io::Result<Socket> {
    let wrong = || io::Error::new(ErrorKind::InvalidData, "not the descriptor of a connection");
    let [descriptor] = <[OwnedFd; 1]>::try_from(descriptors).map_err(|_| wrong())?;
    if sockopt::socket_type(&descriptor)? != SocketType::STREAM {
        return Err(wrong());
    }
    match sockopt::socket_domain(&descriptor)? {
        AddressFamily::INET | AddressFamily::INET6 => {
            let stream = std::net::TcpStream::from(descriptor);
            stream.set_nonblocking(true)?;
            Ok(TcpStream::from_std(stream)?.into())
        }
        AddressFamily::UNIX => {
            let stream = std::os::unix::net::UnixStream::from(descriptor);
            stream.set_nonblocking(true)?;
            Ok(UnixStream::from_std(stream)?.into())
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_connection_goes_on_in_other_hands() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for length in [0, 3, MOST_EARLY] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let accepted = Socket::from(listener.accept().await.unwrap().0);
            client.write_all(b"hello").await.unwrap();
            let early: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0]).collect();
            let (mut from, to) = UnixStream::pair().unwrap();
            let descriptor = into_descriptor(accepted).unwrap();
            let (passed, received) = tokio::join!(pass(&mut from, descriptor, &early), receive(&to));
            passed.unwrap();
            let (mut socket, read) = received.unwrap();
            assert!(read == early);
            let mut got = [0; 5];
            socket.read_exact(&mut got).await.unwrap();
            socket.write_all(&got).await.unwrap();
            drop(socket);
            let mut back = Vec::new();
            client.read_to_end(&mut back).await.unwrap();
            assert_eq!(back, b"hello");
        }
        let (mut from, _to) = UnixStream::pair().unwrap();
        let (one, _) = UnixStream::pair().unwrap();
        let descriptor = into_descriptor(one.into()).unwrap();
        assert!(pass(&mut from, descriptor, &[0; MOST_EARLY + 1]).await.is_err());
    }

    #[tokio::test]
    async fn what_is_no_connection_is_not_taken_for_one() {
        let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let datagram = || OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let stream = || OwnedFd::from(UnixStream::pair().unwrap().0.into_std().unwrap());
        let good = "{\"v\":1,\"early\":0}\n";
        for (text, descriptor, taken) in [
            (good, Some(stream()), true),
            (good, Some(file()), false),
            (good, Some(datagram()), false),
            (good, None, false),
            ("{\"v\":1,\"early\":1}\n", Some(stream()), false),
            ("{\"v\":1,\"early\":0}\nx", Some(stream()), false),
            ("{\"v\":1,\"early\":99999999999}\n", Some(stream()), false),
            ("{\"v\":1,\"early\":-1}\n", Some(stream()), false),
            ("garbage\n", Some(stream()), false),
            (&"x".repeat(LONGEST_LINE), Some(stream()), false),
        ] {
            let (mut from, to) = UnixStream::pair().unwrap();
            match descriptor {
                Some(descriptor) => {
                    assert_eq!(send(&from, text.as_bytes(), &descriptor).unwrap(), text.len())
                }
                None => line::write(&mut from, text.as_bytes()).await.unwrap(),
            }
            drop(from);
            assert_eq!(receive(&to).await.is_ok(), taken, "{text}");
        }
    }
}
