//! What Google's Identity-Aware Proxy does in front of a gateway: it takes away what a client may not say,
//! and adds who the client is, signed.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;

use crate::destination::Destination;
use crate::fake_gateway::read_head;
use crate::programs::patient;

/// The header that carries the assertion.
pub const ASSERTION: &str = "x-goog-iap-jwt-assertion";

/// A proxy that lets everybody through, as the user whom its assertion names.
#[derive(Debug)]
pub struct FakeIap {
    listener: Destination,
}

impl FakeIap {
    /// In front of this gateway, with an assertion for each request.
    pub fn before(gateway: SocketAddr, assertion: impl Fn() -> String + Send + Sync + 'static) -> FakeIap {
        let listener = Destination::serving(move |client| {
            let Some(head) = read_head(&client) else { return };
            let Ok(mut upstream) = TcpStream::connect(gateway) else { return };
            patient(&upstream);
            let kept = head.iter().filter(|line| !line.to_ascii_lowercase().starts_with("x-goog-"));
            let kept: String = kept.map(|line| format!("{line}\r\n")).collect();
            let head = format!("{kept}{ASSERTION}: {}\r\nVia: 1.1 google\r\n\r\n", assertion());
            if upstream.write_all(head.as_bytes()).is_ok() {
                carry(&client, &upstream);
            }
        });
        FakeIap { listener }
    }

    /// Where clients find it.
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// The URL of a destination behind it.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/proxy/{name}", self.address())
    }
}

/// Carries bytes both ways until both ends are through.
pub fn carry(client: &TcpStream, upstream: &TcpStream) {
    for stream in [client, upstream] {
        let _ = stream.set_read_timeout(None);
    }
    thread::scope(|scope| {
        scope.spawn(|| one_way(client, upstream));
        one_way(upstream, client);
    });
}

fn one_way(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}
