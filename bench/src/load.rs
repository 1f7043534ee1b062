//! Who sends and who receives. All of it is the same for all contestants, and is not counted as theirs.
//!
//! A connection to the [`Target`] begins with nine bytes: what is wanted, and how much of it, big-endian.
//!
//! ```text
//!   'u' u64     so many bytes follow; one byte answers when they are here
//!   'd' u64     so many bytes are wanted
//!   'e' 0       everything comes back
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What is read or written at once.
const CHUNK: usize = 256 * 1024;
/// What falls silent for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the bytes go: a server on loopback that does what the connection asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
}

impl Target {
    /// Starts it, for as long as this program runs.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that breaks is noticed at its other end.
                thread::spawn(move || serve(stream).ok());
            }
        });
        Ok(Self { address })
    }
}

fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut wanted = [0; 9];
    stream.read_exact(&mut wanted)?;
    let [what, bytes @ ..] = wanted;
    let bytes = u64::from_be_bytes(bytes);
    match what {
        b'u' => {
            take(&mut stream, bytes)?;
            stream.write_all(b".")?;
        }
        b'd' => give(&mut stream, bytes)?,
        _ => echo(&mut stream)?,
    }
    Ok(())
}

fn echo(stream: &mut TcpStream) -> Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}

fn take(stream: &mut TcpStream, bytes: u64) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let n = stream.read(&mut buffer)? as u64;
        anyhow::ensure!(n > 0, "the stream ended {left} bytes too early");
        left = left.saturating_sub(n);
    }
    Ok(())
}

fn give(stream: &mut TcpStream, bytes: u64) -> Result<()> {
    let buffer = vec![7; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let n = left.min(CHUNK as u64);
        stream.write_all(&buffer[..n as usize])?;
        left -= n;
    }
    Ok(())
}

fn ask(through: SocketAddr, what: u8, bytes: u64) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(through).with_context(|| format!("cannot connect to {through}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut wanted = [what; 9];
    wanted[1..].copy_from_slice(&bytes.to_be_bytes());
    stream.write_all(&wanted)?;
    Ok(stream)
}

/// Sends so many bytes to the target; how long it took until they were there.
pub(crate) fn up(through: SocketAddr, bytes: u64) -> Result<Duration> {
    let mut stream = ask(through, b'u', bytes)?;
    let begun = Instant::now();
    give(&mut stream, bytes)?;
    stream.read_exact(&mut [0])?;
    Ok(begun.elapsed())
}

/// Fetches so many bytes from the target; how long it took.
pub(crate) fn down(through: SocketAddr, bytes: u64) -> Result<Duration> {
    let begun = Instant::now();
    let mut stream = ask(through, b'd', bytes)?;
    take(&mut stream, bytes)?;
    Ok(begun.elapsed())
}

/// A connection over which something has come back: it is open to its end.
pub(crate) fn open(through: SocketAddr) -> Result<TcpStream> {
    let mut stream = ask(through, b'e', 0)?;
    ping(&mut stream, &mut [0; 1])?;
    Ok(stream)
}

fn ping(stream: &mut TcpStream, bytes: &mut [u8]) -> Result<Duration> {
    let begun = Instant::now();
    stream.write_all(bytes)?;
    stream.read_exact(bytes)?;
    Ok(begun.elapsed())
}

/// Sends 64 bytes there and back `each` times over each of `connections` at once; how long each took in
/// microseconds, sorted.
pub(crate) fn pings(through: SocketAddr, connections: usize, each: usize) -> Result<Vec<f64>> {
    let one = move || -> Result<Vec<f64>> {
        let mut stream = open(through)?;
        let mut bytes = [7; 64];
        (0..each).map(|_| Ok(ping(&mut stream, &mut bytes)?.as_secs_f64() * 1e6)).collect()
    };
    let mut all = at_once(connections, one)?.concat();
    all.sort_by(f64::total_cmp);
    Ok(all)
}

/// Opens and closes connections, `each` of them one after the other in each of `threads`; how many a second.
pub(crate) fn connects(through: SocketAddr, threads: usize, each: usize) -> Result<f64> {
    let begun = Instant::now();
    at_once(threads, move || (0..each).try_for_each(|_| open(through).map(drop)))?;
    Ok((threads * each) as f64 / begun.elapsed().as_secs_f64())
}

fn at_once<T: Send + 'static>(
    threads: usize,
    work: impl Fn() -> Result<T> + Clone + Send + 'static,
) -> Result<Vec<T>> {
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(work.clone())).collect();
    running.into_iter().map(|thread| thread.join().expect("no work panics")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_does_what_it_is_asked_for() {
        let address = Target::start().unwrap().address;
        for bytes in [0, 1, CHUNK as u64 * 3 + 5] {
            up(address, bytes).unwrap();
            down(address, bytes).unwrap();
        }
        let times = pings(address, 3, 10).unwrap();
        assert!(times.len() == 30 && times.is_sorted());
        assert!(connects(address, 2, 5).unwrap() > 0.0);
    }
}
