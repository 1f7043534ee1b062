//! A network that fails, between a client and a gateway: a TCP proxy that cuts, swallows and forgets.
//!
//! ```text
//!   client ──► Cutter ──► gateway      one thread, poll(2); a piece at a time, so that it cuts at the byte
//! ```

mod line;
mod plan;
mod proxy;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub use plan::Plan;

use crate::eventually::PATIENCE;
use proxy::Proxy;

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// RST to both ends.
    Reset,
    /// FIN to both ends.
    Close,
    /// RST to the client alone: the gateway's end stays open, and nobody is at it.
    OnlyClient,
    /// RST to the gateway alone.
    OnlyGateway,
}

/// What the proxy is told to do.
enum Order {
    Cut(How),
    Follow(Plan),
    Hole(bool),
    Lead(SocketAddr),
}

/// What has happened until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were accepted.
    pub connections: usize,
    /// Of those, the ones that were cut, by order or by plan.
    pub cuts: usize,
    /// Bytes from clients to gateways.
    pub up: u64,
    /// Bytes from gateways to clients.
    pub down: u64,
}

/// The running proxy.
#[derive(Debug)]
pub struct Cutter {
    /// Where clients connect.
    pub address: SocketAddr,
    orders: Sender<(Order, Sender<usize>)>,
    wake: UnixStream,
    counts: Arc<Mutex<Counts>>,
    seed: u64,
}

impl Cutter {
    /// Leads to `gateway`, and cuts nothing until it is told to.
    pub fn to(gateway: SocketAddr) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (wake, woken) = UnixStream::pair().expect("a descriptor is left");
        let (orders, received) = channel();
        let (counts, seed) = (Arc::<Mutex<Counts>>::default(), plan::seed());
        let proxy = Proxy::new(listener, gateway, woken, received, Arc::clone(&counts), seed);
        thread::spawn(move || proxy.run());
        Cutter { address, orders, wake, counts, seed }
    }

    /// The URL of a destination behind it.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/proxy/{name}", self.address)
    }

    /// Cuts all that is open; how many that was.
    pub fn cut(&self, how: How) -> usize {
        self.tell(Order::Cut(how))
    }

    /// Cuts by this plan from now on: what is open, and what will be.
    pub fn follow(&self, plan: Plan) {
        self.tell(Order::Follow(plan));
    }

    /// From now on no byte moves and no connection is answered, though none is refused.
    pub fn hole(&self) {
        self.tell(Order::Hole(true));
    }

    /// The end of [`Cutter::hole`].
    pub fn heal(&self) {
        self.tell(Order::Hole(false));
    }

    /// New connections lead to another gateway.
    pub fn lead_to(&self, gateway: SocketAddr) {
        self.tell(Order::Lead(gateway));
    }

    /// What has happened until now.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when it is done.
    fn tell(&self, order: Order) -> usize {
        let (done, answer) = channel();
        self.orders.send((order, done)).expect("the proxy lives as long as this");
        (&self.wake).write_all(&[0]).expect("the proxy lives as long as this");
        answer.recv_timeout(PATIENCE).expect("the proxy obeys")
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        if thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the failing test's report is where this belongs")]
            {
                eprintln!("--- the cuts are those of {}={}: {:?}", plan::SEED, self.seed, self.counts());
            }
        }
    }
}
