//! Private services to reach: an echo, one that the test plays itself, one that never answers.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use socket2::{Domain, SockRef, Socket, Type};

use crate::eventually::{PATIENCE, eventually};
use crate::programs::patient;

/// A listening TCP service; it stops listening on drop.
#[derive(Debug)]
pub struct Destination {
    /// Where it listens.
    pub address: SocketAddr,
    peers: Arc<Mutex<Peers>>,
    listener: TcpListener,
}

/// Who has connected, in the order of the queue.
#[derive(Debug, Default)]
struct Peers {
    accepted: Vec<SocketAddr>,
    probes: Vec<SocketAddr>,
}

impl Destination {
    /// Serves each connection in its own thread.
    pub fn serving(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Destination {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let peers = Arc::new(Mutex::new(Peers::default()));
        let serve = Arc::new(serve);
        let (ours, seen) = (listener.try_clone().expect("a descriptor is left"), Arc::clone(&peers));
        thread::spawn(move || {
            while let Ok((stream, peer)) = ours.accept() {
                if seen.lock().unwrap_or_else(PoisonError::into_inner).is_probe(peer) {
                    continue;
                }
                patient(&stream);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Destination { address, peers, listener }
    }

    /// Sends back what comes, and EOF for EOF.
    pub fn echo() -> Destination {
        Destination::serving(|stream| {
            // An echo has no deadline: a test may leave it idle while it does something else.
            let _ = stream.set_read_timeout(None);
            let _ = io::copy(&mut &stream, &mut &stream);
        })
    }

    /// Hands its connections to the test.
    pub fn played() -> (Destination, Accepted) {
        let (sender, receiver) = channel();
        let destination = Destination::serving(move |stream| drop(sender.send(stream)));
        (destination, Accepted(receiver))
    }

    /// How often it was dialled until now, connections that still wait in the queue included: the queue is
    /// first in, first out, so a connection of our own comes out after them.
    pub fn dialled(&self) -> usize {
        let probe = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is left");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("this is an address");
        probe.bind(&any.into()).expect("loopback has a free port");
        let us = probe.local_addr().expect("it is bound").as_socket().expect("an IPv4 address");
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).probes.push(us);
        probe.connect(&self.address.into()).expect("the destination listens");
        eventually("the queue is empty", || {
            let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let position = peers.accepted.iter().position(|peer| *peer == us)?;
            Some(peers.accepted[..position].iter().filter(|peer| !peers.probes.contains(peer)).count())
        })
    }

    /// The line of a server map that names it.
    pub fn map(&self, name: &str) -> String {
        format!("{name},{}\n", self.address)
    }
}

impl Peers {
    fn is_probe(&mut self, peer: SocketAddr) -> bool {
        self.accepted.push(peer);
        self.probes.contains(&peer)
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        let _ = SockRef::from(&self.listener).shutdown(std::net::Shutdown::Both); // wakes accept()
    }
}

/// The connections of a [`Destination::played`].
#[derive(Debug)]
pub struct Accepted(Receiver<TcpStream>);

impl Accepted {
    /// The next one.
    ///
    /// # Panics
    /// When none arrives.
    pub fn next(&self) -> TcpStream {
        self.0.recv_timeout(PATIENCE).expect("the destination is dialled")
    }
}

/// A service whose queue is full: the kernel answers no SYN.
#[derive(Debug)]
pub struct Unanswering {
    /// Where it listens.
    pub address: SocketAddr,
    _sockets: Vec<Socket>,
}

impl Unanswering {
    /// Listens with a queue of one and fills it.
    pub fn new() -> Unanswering {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is left");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("this is an address");
        listener.bind(&any.into()).expect("loopback has a free port");
        listener.listen(0).expect("a bound socket can listen");
        let address = listener.local_addr().expect("a listener has an address");
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is left");
            filler.set_nonblocking(true).expect("a socket can be non-blocking");
            let _ = filler.connect(&address); // in progress: it may never be answered
            sockets.push(filler);
        }
        Unanswering { address: address.as_socket().expect("an IPv4 address"), _sockets: sockets }
    }
}

impl Default for Unanswering {
    fn default() -> Self {
        Self::new()
    }
}

/// An address of loopback that refuses connections.
pub fn refusing() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], crate::port::free()))
}
