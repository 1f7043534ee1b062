//! Two descriptors that block, as a leg of a tunnel.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::thread;

use relay::Leg;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, PollSender};

/// The most that is read at once, in bytes: what a pipe holds.
const CHUNK: usize = 64 * 1024;
/// The most that is handed to the writer at once; with what it is writing, twice that is held.
const PIECE: usize = 256 * 1024;

/// Where one tunnel's bytes come from and go to.
#[derive(Debug)]
pub struct Pipes {
    /// What the application says
    pub input: OwnedFd,
    /// What it is told
    pub output: OwnedFd,
}

impl Pipes {
    /// Takes stdin and stdout; `/dev/null` takes their places, so that closing ours closes them.
    ///
    /// # Errors
    /// One of them is closed already, or there are no descriptors left.
    pub fn standard() -> io::Result<Self> {
        let copied = |fd| rustix::io::fcntl_dupfd_cloexec(fd, 3);
        let (input, output) = (copied(rustix::stdio::stdin())?, copied(rustix::stdio::stdout())?);
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        Ok(Self { input, output })
    }

    /// Starts the threads. What is cancelled tells that nobody reads the output any more.
    pub(super) fn into_leg(self) -> io::Result<(Stdio, CancellationToken)> {
        let (to_us, chunks) = mpsc::channel(1);
        let (pieces, to_output) = mpsc::channel(1);
        let (closed, over) = oneshot::channel();
        let failed = Arc::new(OnceLock::new());
        let unread = CancellationToken::new();
        let watched = self.output.try_clone()?;
        let (failing, telling) = (failed.clone(), unread.clone());
        let (writer_ended, writing) = io::pipe()?;
        spawn("stdin", move || read(File::from(self.input), &to_us))?;
        spawn("stdout", move || {
            if let Err(error) = write(self.output, to_output) {
                let _ = failing.set(error.kind()); // only this thread sets it
            }
            drop(writing);
            let _ = closed.send(());
        })?;
        spawn("stdout's reader", move || {
            if is_unread_before(&watched, &writer_ended) {
                telling.cancel();
            }
        })?;
        let output = PollSender::new(pieces);
        let leg = Stdio { chunks, chunk: Vec::new(), taken: 0, output, failed, over, shut: false };
        Ok((leg, unread))
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

fn read(mut input: File, to_us: &mpsc::Sender<io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => Ok(buffer[..n].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // Somebody else has made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait(&input, PollFlags::IN);
                continue;
            }
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if to_us.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}

/// Writes until there is no more to come, then closes.
fn write(output: OwnedFd, mut pieces: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut output = File::from(output);
    while let Some(piece) = pieces.blocking_recv() {
        write_all(&mut output, &piece)?;
    }
    // Where one socket is both, closing our copy would not end it; anything else is no socket.
    let _ = rustix::net::shutdown(&output, Shutdown::Write);
    Ok(())
}

fn write_all(output: &mut File, mut piece: &[u8]) -> io::Result<()> {
    while !piece.is_empty() {
        match output.write(piece) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => piece = &piece[n..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(output, PollFlags::OUT),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A pipe without a reader, a socket without a peer, a terminal that was hung up: poll(2) says so unasked.
/// The other pipe ends this when the writer has, so that no copy of the output stays open.
fn is_unread_before(output: &OwnedFd, writer_ended: &io::PipeReader) -> bool {
    let nothing = PollFlags::empty();
    let mut both = [PollFd::new(output, nothing), PollFd::new(writer_ended, nothing)];
    while let Err(rustix::io::Errno::INTR) = poll(&mut both, None) {}
    both[1].revents().is_empty()
}

fn wait(fd: &impl AsFd, events: PollFlags) {
    while let Err(rustix::io::Errno::INTR) = poll(&mut [PollFd::new(fd, events)], None) {}
}

/// Stdin and stdout as one stream.
pub(super) struct Stdio {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    /// `chunk[taken..]` is not read yet.
    chunk: Vec<u8>,
    taken: usize,
    output: PollSender<Vec<u8>>,
    /// How the output has failed.
    failed: Arc<OnceLock<ErrorKind>>,
    /// Told when all is written and closed.
    over: oneshot::Receiver<()>,
    shut: bool,
}

impl Leg for Stdio {
    /// Pipes have no reset; the exit status tells.
    fn reset_on_drop(&mut self) {}
}

impl AsyncRead for Stdio {
    /// After the shutdown nothing is read: nobody is there to hear it, and a user who types nothing would
    /// be waited for.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.shut {
            return Poll::Ready(Ok(()));
        }
        if self.taken == self.chunk.len() {
            match ready!(self.chunks.poll_recv(cx)) {
                Some(chunk) => (self.chunk, self.taken) = (chunk?, 0),
                None => return Poll::Ready(Ok(())),
            }
        }
        let rest = &self.chunk[self.taken..];
        let n = rest.len().min(into.remaining());
        into.put_slice(&rest[..n]);
        self.taken += n;
        if self.taken == self.chunk.len() {
            (self.chunk, self.taken) = (Vec::new(), 0); // an idle tunnel holds none
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        let piece = &piece[..piece.len().min(PIECE)];
        let reserved = ready!(self.output.poll_reserve(cx)).is_ok();
        match reserved && self.output.send_item(piece.to_vec()).is_ok() {
            true => Poll::Ready(Ok(piece.len())),
            false => Poll::Ready(Err(self.failure())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Waits until all is written.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            self.output.close();
            let _ = ready!(Pin::new(&mut self.over).poll(cx));
            self.shut = true;
        }
        match self.failed.get() {
            Some(kind) => Poll::Ready(Err((*kind).into())),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Stdio {
    fn failure(&self) -> io::Error {
        self.failed.get().copied().unwrap_or(ErrorKind::BrokenPipe).into()
    }
}
